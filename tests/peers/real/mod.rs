//! Real servers and programs from Debian's packages. Each test starts them on its own loopback port and stops
//! them at its end. If a program is not installed, the test prints that it is skipped.

pub mod daemon;
pub mod keyserver;
pub mod pass;
pub mod registry;
pub mod token_server;
