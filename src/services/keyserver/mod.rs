//! A keyserver: whether it takes a login.

pub(crate) mod check;
