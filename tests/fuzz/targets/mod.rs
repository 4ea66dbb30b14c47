//! One file a parser: how an input is given to it, and what must hold afterwards.

pub mod endpoint_uri;
pub mod remote_yaml;
pub mod service_uri;
