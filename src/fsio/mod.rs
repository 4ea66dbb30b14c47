//! The only room that touches files that matter: `remote.yaml`, the auth file, the discovery cache.
//!
//! [`read`] tells what is there and whether it can be trusted, and never writes. [`update`] makes a change
//! so that whatever happens on the way, the file holds the old content or the new one: lock, read again,
//! change, write a new file, sync, rename, sync. Tests of all this are in `tests`.

mod cache;
mod directory;
mod inplace;
mod lock;
mod meta;
mod new_file;
mod place;
mod read;
mod replace;
#[cfg(test)]
mod tests;
mod trust;
mod update;

pub use cache::{has_cache, read_cache, write_cache};
pub use directory::{Destination, Directory, Found};
pub use new_file::NewFile;
pub use read::read;
pub use trust::{Distrust, Remedy};
pub use update::{require_writable, update};

use crate::error::{Failure, Result};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Who the process is. Passed in and never asked here, so that a test can be somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The effective uid; 0 is root.
    pub uid: u32,
}

impl Identity {
    /// Whether this is root, to whom every file is open.
    pub fn is_root(self) -> bool {
        self.uid == 0
    }

    /// A command that takes this owner, or root: others can only pass it on.
    fn remedy(self, owner: u32, command: String) -> Remedy {
        if self.is_root() || self.uid == owner { Remedy::Run(command) } else { Remedy::AsRoot(command) }
    }
}

/// Whose file it is, which decides whom to trust with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user's own: theirs or root's, and private. Group and other bits, and an ACL, go at the first write.
    User,
    /// The administrator's: root's, and every link on the way too.
    Global {
        /// Who is trusted like root.
        trusted: Trusted,
    },
}

/// Who can replace this program, and so may also change what it believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// The uid that owns the executable.
    pub owner: Option<u32>,
    /// The gid that can write the directory of the executable.
    pub group: Option<u32>,
}

impl Role {
    fn is_private(self) -> bool {
        matches!(self, Self::User)
    }

    /// What is kept of an old file's mode.
    fn allowed(self, mode: u32) -> u32 {
        if self.is_private() { mode & 0o700 } else { mode }
    }
}

/// What a file holds, and with it secrets: wiped when it is no longer needed.
pub type Content = Zeroizing<Vec<u8>>;

/// What [`read`] found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileState {
    /// The whole content; `None` where there is no such file.
    pub bytes: Option<Content>,
    /// The file must not be believed, and [`update`] would refuse it. It was read nevertheless.
    pub distrust: Option<Distrust>,
    /// Path and cause where the way to a user's file cannot be gone: an unreadable home, a dead mount. Such
    /// a file counts as absent, with a WARNING; [`update`] fails.
    pub unreachable: Option<String>,
    /// That others can read a user's file, which matters if it holds a secret. The next write repairs it.
    pub readable: Option<Distrust>,
}

/// Without the content, which holds secrets.
impl fmt::Debug for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileState")
            .field("length", &self.bytes.as_ref().map(|bytes| bytes.len()))
            .field("distrust", &self.distrust)
            .field("unreachable", &self.unreachable)
            .field("readable", &self.readable)
            .finish()
    }
}

/// What [`update`] is to write, and how.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// May be a link, may not exist. Of its directories only the last may be missing.
    pub path: &'a Path,
    /// Whom to trust with it.
    pub role: Role,
    /// The mode of a file that is made, whatever the umask.
    pub mode: u32,
    /// The mode of a directory that is made, whatever the umask.
    pub dir_mode: u32,
    /// The largest content that is read, in bytes.
    pub limit: u64,
    /// How long to wait for the lock.
    pub patience: Duration,
    /// What to type where the directory cannot be reached, made or written.
    pub elsewhere: Option<String>,
}

impl<'a> Target<'a> {
    /// A user's file: 0600 in a directory of 0700, ten seconds for the lock.
    pub fn user(path: &'a Path, limit: u64) -> Self {
        let patience = Duration::from_secs(10);
        Self { path, role: Role::User, mode: 0o600, dir_mode: 0o700, limit, patience, elsewhere: None }
    }

    /// The administrator's file: 0644 in a directory of 0755, ten seconds for the lock.
    pub fn global(path: &'a Path, trusted: Trusted, limit: u64) -> Self {
        let role = Role::Global { trusted };
        Self { role, mode: 0o644, dir_mode: 0o755, ..Self::user(path, limit) }
    }

    fn elsewhere(&self, failure: Failure) -> Failure {
        match &self.elsewhere {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Makes the new content of the old one (`None`: no such file); `None` means nothing to change.
pub type Change<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>>;
