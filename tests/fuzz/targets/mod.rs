//! One file a parser: how an input is given to it, and what must hold afterwards.

pub mod answers;
pub mod auth_file;
pub mod challenge;
pub mod discovery;
pub mod endpoint_uri;
pub mod helper_output;
pub mod library_answers;
pub mod library_reference;
pub mod names;
pub mod remote_yaml;
pub mod service_uri;
pub mod sif;
