//! A keyserver: whether it takes a login.

pub mod check;
