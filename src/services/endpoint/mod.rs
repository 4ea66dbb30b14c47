//! An endpoint: the services that it names, and what those of them say that every endpoint has.

pub mod account;
pub mod cache;
pub mod discovery;
pub mod health;
pub(crate) mod policy;

#[cfg(test)]
mod tests;
