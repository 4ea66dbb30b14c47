//! The only file that knows YAML.
