//! The commands, one file each, and what they share: the session.

pub mod endpoint;
pub mod migrate;
pub mod remote;
pub mod session;
