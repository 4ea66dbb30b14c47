//! The only module that touches files that matter: `remote.yaml`, the auth file, the discovery cache.
//!
//! [`read`] tells what is there and whether it can be trusted, and never writes. [`update`] makes a change
//! so that whatever happens on the way, the file holds the old content or the new one: lock, read again,
//! change, write a new file, sync, rename, sync. Tests of all this are in `tests`.

mod cache;
mod change;
mod directory;
mod identity;
mod inplace;
mod lock;
mod meta;
mod new_file;
mod place;
mod read;
mod replace;
mod temporary;
#[cfg(test)]
mod tests;
mod trust;
mod update;

pub use cache::{has_cache, read_cache, write_cache};
pub use change::{Change, Content, Target};
pub use directory::{Destination, Directory, Found};
pub use identity::{Identity, Role, Trusted};
pub use new_file::NewFile;
pub use read::{FileState, read};
pub use trust::{Distrust, Remedy};
pub use update::{require_writable, update};
