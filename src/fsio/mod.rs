//! All access to the important files: `remote.yaml`, the auth file, the discovery cache. No other module opens them.
//!
//! [`read`] returns the content of a file and whether it can be trusted. It never writes. [`update`] changes a file
//! atomically: after a failure the file holds either the old content or the new one. Its steps are: lock, read again,
//! change, write a new file, sync, rename, sync. The tests are in `tests`.

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
