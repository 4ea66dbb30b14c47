//! An OCI registry: how it wants to be asked, and whether it takes a login.

pub mod challenge;
pub mod check;
