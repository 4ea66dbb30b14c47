//! Files that are images: where they come from, where they go, and what they say of themselves. No protocol is known here.

pub(crate) mod cache;
pub(crate) mod fetch;
pub(crate) mod output;
pub mod sif;
pub(crate) mod source;
pub(crate) mod transfer;
