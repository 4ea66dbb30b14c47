//! One file per parser: how it gets an input, and what must hold afterwards.

pub mod account;
pub mod auth_file;
pub mod challenge;
pub mod discovery;
pub mod durations;
pub mod endpoint_uri;
pub mod failure_message;
pub mod headers;
pub mod helper_output;
pub mod library_answers;
pub mod library_reference;
pub mod names;
pub mod proxies;
pub mod remote_yaml;
pub mod service_uri;
pub mod sif;
