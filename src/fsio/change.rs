//! What is to be written: where, how, and what the new content is made of.

use super::identity::{Role, Trusted};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a file holds, and with it secrets: wiped when it is no longer needed.
pub type Content = Zeroizing<Vec<u8>>;

/// What [`super::update`] is to write, and how.
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
    pub elsewhere: Option<Hint>,
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

    pub(super) fn elsewhere(&self, failure: Failure) -> Failure {
        match &self.elsewhere {
            Some(hint) => failure.hint(hint.clone()),
            None => failure,
        }
    }
}

/// Makes the new content of the old one (`None`: no such file); `None` means nothing to change.
pub type Change<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>>;

/// A change worked out: from this content to that.
pub(super) struct Draft {
    pub from: Option<Content>,
    pub to: Content,
}

impl Draft {
    pub(super) fn of(from: Option<Content>, change: Change<'_>) -> Result<Option<Self>> {
        let to = change(from.as_ref().map(|bytes| bytes.as_slice()))?.map(Content::new);
        Ok(to.filter(|to| from.as_ref() != Some(to)).map(|to| Self { from, to }))
    }

    /// The draft for what is there `now`: this one, unless somebody else was faster.
    pub(super) fn again(self, now: Option<Content>, change: Change<'_>) -> Result<Option<Self>> {
        if self.from == now { Ok(Some(self)) } else { Self::of(now, change) }
    }
}
