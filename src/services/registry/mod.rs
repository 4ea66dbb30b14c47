//! OCI registries: parses authentication challenges and checks a login.

pub mod challenge;
pub mod check;
