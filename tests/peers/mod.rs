//! Servers that listen on loopback ports: a fake endpoint over http and https, a library with state, and a
//! proxy that records its requests; also a private certificate authority and a writer of SIF files. Used by the
//! unit tests of the library and by the tests of the whole program. Every test has its own ports, and nothing
//! leaves the loopback interface.

pub mod ca;
pub mod endpoint;
pub mod gate;
pub mod library;
pub mod proxy;
pub mod sif;
pub mod wire;

#[cfg(test)]
mod tests;
