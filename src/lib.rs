//! The remote, keyserver and registry commands of Apptainer and SingularityCE.

pub mod config;
pub mod error;
pub mod message;
pub mod persona;
pub mod secret;
pub mod services;
pub mod table;
pub mod uri;
