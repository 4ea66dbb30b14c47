//! Keyservers: checks a login.

pub(crate) mod check;
