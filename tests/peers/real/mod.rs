//! Real servers and programs from Debian's packages, each started by a test on a loopback port of its own
//! and stopped with it. Where one is not installed the test says that it is skipped.

pub mod daemon;
pub mod keyserver;
pub mod pass;
pub mod registry;
pub mod token_server;
