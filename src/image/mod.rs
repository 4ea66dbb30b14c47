//! Image files: download, cache, output file and metadata. This module knows no server's API.

pub(crate) mod cache;
pub(crate) mod fetch;
pub(crate) mod output;
pub mod sif;
pub(crate) mod source;
pub(crate) mod transfer;
