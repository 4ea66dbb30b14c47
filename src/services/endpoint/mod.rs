//! Endpoints: discovery of their services, and the requests to services that every endpoint has.

pub mod account;
pub mod cache;
pub mod discovery;
pub mod health;
pub(crate) mod policy;

#[cfg(test)]
mod tests;
