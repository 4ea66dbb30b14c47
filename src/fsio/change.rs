//! The parameters of a write: the target file, its permissions, and the change to its content.

use super::identity::{Role, Trusted};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// The content of a file. It can hold secrets, so its memory is wiped on drop.
pub type Content = Zeroizing<Vec<u8>>;

/// The file that [`super::update`] writes, and how.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// May be a symlink, and need not exist. If directories are missing, only the last one is created.
    pub path: &'a Path,
    /// Decides which owners and modes are trusted.
    pub role: Role,
    /// The mode of a new file, regardless of the umask.
    pub mode: u32,
    /// The mode of a new directory, regardless of the umask.
    pub dir_mode: u32,
    /// Maximum size of the existing file, in bytes.
    pub limit: u64,
    /// How long to wait for the lock.
    pub patience: Duration,
    /// Shown if the directory cannot be reached, created or written to: how to use another one.
    pub elsewhere: Option<Hint>,
}

impl<'a> Target<'a> {
    /// A user's file: mode 0600, directory mode 0700, ten seconds for the lock.
    pub fn user(path: &'a Path, limit: u64) -> Self {
        let patience = Duration::from_secs(10);
        Self { path, role: Role::User, mode: 0o600, dir_mode: 0o700, limit, patience, elsewhere: None }
    }

    /// The administrator's file: mode 0644, directory mode 0755, ten seconds for the lock.
    pub fn global(path: &'a Path, trusted: Trusted, limit: u64) -> Self {
        let role = Role::Global { trusted };
        Self { role, mode: 0o644, dir_mode: 0o755, ..Self::user(path, limit) }
    }

    pub(super) fn elsewhere(&self, failure: Failure) -> Failure {
        match &self.elsewhere {
            Some(hint) => failure.hint(hint.clone()),
            None => failure,
        }
    }
}

/// Computes the new content from the old one (`None` if the file does not exist). Returns `None` to change nothing.
pub type Change<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>>;

/// A computed change: the old content and the new one.
pub(super) struct Draft {
    pub from: Option<Content>,
    pub to: Content,
}

impl Draft {
    pub(super) fn of(from: Option<Content>, change: Change<'_>) -> Result<Option<Self>> {
        let to = change(from.as_ref().map(|bytes| bytes.as_slice()))?.map(Content::new);
        Ok(to.filter(|to| from.as_ref() != Some(to)).map(|to| Self { from, to }))
    }

    /// The draft for the content `now`. Computes it again if another process has changed the content meanwhile.
    pub(super) fn again(self, now: Option<Content>, change: Change<'_>) -> Result<Option<Self>> {
        if self.from == now { Ok(Some(self)) } else { Self::of(now, change) }
    }
}
