//! Files that are images: where they come from, where they go, and what they say of themselves. No protocol is known here.

pub mod cache;
pub mod fetch;
pub mod output;
pub mod sif;
pub mod source;
pub mod transfer;
