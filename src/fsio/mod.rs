//! The only room that touches files that matter: `remote.yaml`, the auth file, the discovery cache.
//!
//! [`read`] tells what is there and whether it can be trusted, and never writes. [`update`] makes a change
//! so that whatever happens on the way, the file holds the old content or the new one: lock, read again,
//! change, write a new file, sync, rename, sync. Tests of all this are in `tests`.

mod cache;
mod inplace;
mod lock;
mod meta;
mod place;
mod read;
mod replace;
#[cfg(test)]
mod tests;
mod trust;

pub use cache::{Cached, read_cache, write_cache};
pub use read::read;
pub use trust::Distrust;

use crate::error::{Failure, Result};
use crate::message::Talk;
use lock::Lock;
use place::{Missing, Place};
use read::{Look, Seen};
use replace::Outcome;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

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

    /// What to put before a command that takes root.
    fn sudo(self) -> &'static str {
        if self.is_root() { "" } else { "sudo " }
    }
}

/// Whose file it is, which decides whom to trust with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user's own: theirs or root's, and private. Group and other bits, and an ACL, go at the first write.
    User,
    /// The administrator's: root's, and every link on the way too.
    Global {
        /// The owner of the executable, who is trusted like root: who can change the program can change
        /// what it believes.
        trusted_owner: Option<u32>,
    },
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

/// What [`read`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileState {
    /// The whole content; `None` where there is no such file.
    pub bytes: Option<Vec<u8>>,
    /// The file must not be believed, and [`update`] would refuse it. It was read nevertheless.
    pub distrust: Option<Distrust>,
    /// Path and cause where the way to a user's file cannot be gone: an unreadable home, a dead mount. Such
    /// a file counts as absent, with a WARNING; [`update`] fails.
    pub unreachable: Option<String>,
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
    pub fn global(path: &'a Path, trusted_owner: Option<u32>, limit: u64) -> Self {
        let role = Role::Global { trusted_owner };
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

/// Changes the file as `change` says, and tells whether anything was written.
///
/// `change` is first asked without the lock: a change that changes nothing then leaves no trace, not even
/// a lock file or a directory. It is asked again only if the file is another one under the lock. So it may
/// run more than once, and the last time counts: it must not prompt, ask the network, or talk.
///
/// # Errors
/// What `change` says; a file that is not trusted, with the command to type as a hint; a lock that stays
/// taken; what the system says. The old content is whole then, except where the message says that it
/// could not be put back.
pub fn update(target: &Target<'_>, who: Identity, talk: &Talk, change: Change<'_>) -> Result<bool> {
    let writer = Writer { target, who, talk };
    let before = match writer.look()? {
        Look::Seen(seen) => seen.file.map(|found| found.bytes),
        _ => None,
    };
    match Draft::of(before, change)? {
        Some(draft) => writer.write(draft, change),
        None => Ok(false),
    }
}

/// A change worked out: from this content to that.
#[derive(Debug)]
struct Draft {
    from: Option<Vec<u8>>,
    to: Vec<u8>,
}

impl Draft {
    fn of(from: Option<Vec<u8>>, change: Change<'_>) -> Result<Option<Self>> {
        let to = change(from.as_deref())?;
        Ok(to.filter(|to| from.as_ref() != Some(to)).map(|to| Self { from, to }))
    }

    /// The draft for what is there `now`: this one, unless somebody else was faster.
    fn again(self, now: Option<Vec<u8>>, change: Change<'_>) -> Result<Option<Self>> {
        if self.from == now { Ok(Some(self)) } else { Self::of(now, change) }
    }
}

/// How often links may be turned elsewhere while we wait for the lock of where they led.
const MOST_MOVES: usize = 10;

struct Writer<'a> {
    target: &'a Target<'a>,
    who: Identity,
    talk: &'a Talk,
}

impl Writer<'_> {
    /// A look that fails at what must not be written.
    fn look(&self) -> Result<Look> {
        let target = self.target;
        match read::look(target.path, target.role, self.who, target.limit)? {
            Look::Seen(mut seen) => match seen.distrust.take() {
                Some(distrust) => Err(distrust.into_failure()),
                None => Ok(Look::Seen(seen)),
            },
            Look::Unreachable(blocked) => Err(target.elsewhere(Failure::new(blocked.sentence()))),
            missing => Ok(missing),
        }
    }

    /// A look that makes the directory where it is missing.
    fn look_or_make(&self) -> Result<Seen> {
        for _ in 0..MOST_MOVES {
            match self.look()? {
                Look::Seen(seen) => return Ok(*seen),
                Look::NoDirectory(missing) => self.make(&missing)?,
                Look::Unreachable(blocked) => return Err(Failure::new(blocked.sentence())),
            }
        }
        Err(self.restless())
    }

    fn restless(&self) -> Failure {
        Failure::new(format!("the way to {} keeps changing", self.target.path.display()))
    }

    fn make(&self, missing: &Missing) -> Result<()> {
        let parent = fstat(&missing.parent)?;
        if let Some(distrust) = trust::judge_links(self.target.role, self.who, &missing.links, &parent) {
            return Err(distrust.into_failure());
        }
        let path = missing.parent_path.join(&missing.leaf);
        if missing.deeper {
            let dir = self.target.path.parent().unwrap_or(&path);
            return Err(self
                .target
                .elsewhere(Failure::new(format!("there is no directory {}", path.display())))
                .hint(format!("mkdir -p {}", trust::quoted(dir))));
        }
        match make_directory(&missing.parent, &parent, &missing.leaf, self.target.dir_mode, self.who) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(self
                .target
                .elsewhere(Failure::from(errno).context(format!("making the directory {}", path.display())))),
        }
    }

    fn write(&self, draft: Draft, change: Change<'_>) -> Result<bool> {
        for _ in 0..MOST_MOVES {
            let before = self.look_or_make()?;
            let place = &before.place;
            if place.magic {
                return Err(Failure::new(format!("{} cannot be replaced", self.target.path.display())));
            }
            let lock = lock::beside(place, &before.dir, self.who, self.target.patience, self.talk)
                .map_err(|failure| unchanged(place, failure))?;
            let mut now = self.look_or_make()?;
            if !now.place.is(place) {
                continue;
            }
            let bytes = now.file.as_mut().map(|found| std::mem::take(&mut found.bytes));
            return match draft.again(bytes, change)? {
                Some(draft) => self.commit(lock, &now, draft, change),
                None => Ok(false),
            };
        }
        Err(self.restless())
    }

    /// Replaces the file, or writes into it where that is the only way.
    fn commit(&self, lock: Lock, seen: &Seen, draft: Draft, change: Change<'_>) -> Result<bool> {
        let place = &seen.place;
        let outcome = match lock {
            Lock::Forbidden(errno) => Outcome::Impossible("the directory allows no lock file", errno),
            _ => self.replace(&lock, seen, &draft.to).map_err(|failure| unchanged(place, failure))?,
        };
        match outcome {
            Outcome::Replaced => {
                // The next writer need not wait for this; what it reads is what was renamed.
                drop(lock);
                replace::sync_directory(place, self.talk).map(|()| true)
            }
            Outcome::Impossible(why, errno) => self.write_in_place(seen, draft, change, (why, errno)),
        }
    }

    fn replace(&self, lock: &Lock, seen: &Seen, bytes: &[u8]) -> Result<Outcome> {
        if matches!(lock, Lock::Held { .. }) {
            replace::sweep(&seen.place, &seen.dir, self.who);
        }
        let old = seen.file.as_ref().map(|found| meta::Old { file: found.file.as_fd(), stat: &found.stat });
        let kind = (self.target.role, self.target.mode);
        replace::replace(&seen.place, old, &seen.dir, bytes, kind, self.who, self.talk)
    }

    fn write_in_place(
        &self,
        seen: &Seen,
        draft: Draft,
        change: Change<'_>,
        (why, errno): (&str, Errno),
    ) -> Result<bool> {
        let target = self.target;
        let path = seen.place.path();
        if seen.file.is_none() {
            let failure = Failure::from(errno).context(format!("creating {}", path.display()));
            return Err(target.elsewhere(failure));
        }
        let bounds = (target.limit, target.patience);
        let written = inplace::write(&seen.place, draft, change, (target.role, self.who), bounds, self.talk)
            .map_err(|failure| target.elsewhere(failure.context(format!("{why} ({errno})"))))?;
        if written {
            self.talk.warning(format!(
                "{} was written in place, since {why} ({errno}): this write was not crash-safe",
                path.display()
            ));
        }
        Ok(written)
    }
}

fn unchanged(place: &Place, failure: Failure) -> Failure {
    failure.context(format!("{} was not changed", place.path().display()))
}

/// Makes the directory `leaf` in `parent` with this mode whatever the umask; what root makes in
/// somebody's directory gets that directory's owner and group.
fn make_directory(
    parent: &OwnedFd,
    parent_stat: &Stat,
    leaf: &OsStr,
    mode: u32,
    who: Identity,
) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(mode);
    mkdirat(parent, leaf, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match openat(parent, leaf, flags, Mode::empty()) {
        // A umask that shut ourselves out. Never root's case, whom a link put in its place could mislead.
        Err(Errno::ACCESS) if !who.is_root() => {
            rustix::fs::chmodat(parent, leaf, mode, AtFlags::empty())?;
            openat(parent, leaf, flags, Mode::empty())?
        }
        opened => opened?,
    };
    rustix::fs::fchmod(&dir, mode)?;
    if who.is_root() && parent_stat.st_uid != 0 {
        // Whoever owns the parent could have put another of root's directories here. An empty one is no loss.
        let empty = Dir::read_from(&dir)?.flatten().all(|entry| [c".", c".."].contains(&entry.file_name()));
        if !empty {
            return Err(Errno::NOTEMPTY);
        }
        meta::own(dir.as_fd(), parent_stat.st_uid, parent_stat.st_gid).inspect_err(|_| {
            let _ = unlinkat(parent, leaf, AtFlags::REMOVEDIR);
        })?;
    }
    let _ = openat(parent, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(rustix::fs::fsync);
    Ok(())
}
