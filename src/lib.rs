//! The remote, keyserver and registry commands of Apptainer and SingularityCE.

pub mod config;
pub mod error;
pub mod fsio;
pub mod message;
pub mod persona;
pub mod secret;
pub mod services;
pub mod signals;
pub mod table;
pub mod uri;
