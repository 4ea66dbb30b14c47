//! Updates a file: lock, read, change, replace.

use super::change::{Change, Draft, Target};
use super::identity::Identity;
use super::lock::{self, Lock};
use super::place::{Missing, Place, is_read_only};
use super::read::{self, Look, Seen};
use super::replace::{self, Outcome};
use super::{directory, inplace, meta, trust};
use crate::error::{Failure, Result};
use crate::hint::CommandLine;
use crate::message::Talk;
use rustix::fd::AsFd;
use rustix::fs::{Access, AtFlags, accessat, fstat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::path::Path;

/// Applies `change` to the file. Returns whether anything was written.
///
/// `change` first runs without the lock. If it changes nothing, no trace is left, not even a lock file or a directory.
/// It runs again if the content is different once the lock is held. So it can run more than once, and only the last run
/// counts: it must not prompt, use the network, or print messages.
///
/// # Errors
/// The error of `change`; an untrusted file, with the command to fix it as a hint; a timeout while waiting for the
/// lock; any I/O error. The old content is then intact, unless the message says that it could not be restored.
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

/// Fails if [`update`] would fail because of missing permissions or a read-only filesystem, as far as that can be
/// determined without writing.
///
/// # Errors
/// Neither the file nor its directory is writable, or the directory that would contain a new file is not.
pub fn require_writable(target: &Target<'_>, who: Identity) -> Result<()> {
    let look = read::look(target.path, target.role, who, target.limit)?;
    let (dir, path, file) = match &look {
        Look::Seen(seen) => {
            (seen.place.dir.as_fd(), seen.place.shown_dir(), seen.file.as_ref().map(|_| &seen.place.name))
        }
        Look::NoDirectory(missing) if missing.deeper => return Err(no_directory(target, missing)),
        Look::NoDirectory(missing) => (missing.parent.as_fd(), missing.parent_path.clone(), None),
        Look::Unreachable(blocked) => return Err(target.elsewhere(Failure::new(blocked.sentence()))),
    };
    let may = |name: &OsStr| accessat(dir, name, Access::WRITE_OK, AtFlags::EACCESS);
    let may_file = file.map(|name| (path.join(name), may(name)));
    match (may(OsStr::new(".")), may_file) {
        // The file is a read-only mount point, which cannot be replaced.
        (Ok(()), Some((file, Err(Errno::ROFS)))) => Err(target.elsewhere(read_only(&file))),
        // A writable file in a directory that does not allow new files is written in place.
        (Ok(()), _) | (Err(_), Some((_, Ok(())))) => Ok(()),
        (Err(Errno::ROFS), _) => Err(target.elsewhere(read_only(&path))),
        (Err(errno), _) => {
            let failure = Failure::from(errno).context(format!("cannot write to {}", path.display()));
            Err(target.elsewhere(failure))
        }
    }
}

fn read_only(path: &Path) -> Failure {
    Failure::new(format!("{} is mounted read-only", path.display()))
}

/// The error if more than the last directory is missing. The hint is a `mkdir` command. If a symlink leads there,
/// creating the directories of the given path would not help, so the hint shows the symlink instead.
fn no_directory(target: &Target<'_>, missing: &Missing) -> Failure {
    let path = missing.parent_path.join(&missing.leaf);
    let failure = target.elsewhere(Failure::new(format!("the directory {} does not exist", path.display())));
    match missing.links.last() {
        Some(link) => failure.hint(
            CommandLine::new("ls -l").arg(link.path.display()).because("to see where the symlink leads"),
        ),
        None => {
            let dir = target.path.parent().unwrap_or(&path);
            failure.hint(CommandLine::new(&format!("mkdir -p -m {:o}", target.dir_mode)).arg(dir.display()))
        }
    }
}

/// How often the path may change while we create its directory or wait for the lock, before we give up.
const MOST_MOVES: usize = 10;

struct Writer<'a> {
    target: &'a Target<'a>,
    who: Identity,
    talk: &'a Talk,
}

impl Writer<'_> {
    /// Like [`read::look`], but fails if the file is untrusted or its path is inaccessible.
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

    /// Like `look`, but creates a missing directory.
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
        Failure::new(format!("the path to {} keeps changing", self.target.path.display()))
    }

    fn make(&self, missing: &Missing) -> Result<()> {
        let parent = fstat(&missing.parent)?;
        if let Some(distrust) = trust::judge_links(self.target.role, self.who, &missing.links, &parent) {
            return Err(distrust.into_failure());
        }
        let path = missing.parent_path.join(&missing.leaf);
        if missing.deeper {
            return Err(no_directory(self.target, missing));
        }
        match directory::make(&missing.parent, &parent, &missing.leaf, self.target.dir_mode, self.who) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(Errno::ROFS) => Err(self.target.elsewhere(read_only(&missing.parent_path))),
            Err(errno) => Err(self.target.elsewhere(
                Failure::from(errno).context(format!("creating the directory {}", path.display())),
            )),
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

    /// Replaces the file, or writes it in place if it cannot be replaced.
    fn commit(&self, lock: Lock, seen: &Seen, draft: Draft, change: Change<'_>) -> Result<bool> {
        let place = &seen.place;
        let outcome = match lock {
            Lock::Forbidden(errno) => Outcome::Impossible("the directory does not allow a lock file", errno),
            _ => self.replace(&lock, seen, &draft.to).map_err(|failure| unchanged(place, failure))?,
        };
        match outcome {
            Outcome::Replaced => {
                // Release the lock before the sync. The next writer already reads the renamed file.
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
        match &seen.file {
            Some(found) if is_read_only(&found.file) => return Err(target.elsewhere(read_only(&path))),
            None if errno == Errno::ROFS => {
                return Err(target.elsewhere(read_only(&seen.place.shown_dir())));
            }
            _ => {}
        }
        if seen.file.is_none() {
            let failure = Failure::from(errno).context(format!("creating {}", path.display()));
            return Err(target.elsewhere(failure));
        }
        let bounds = (target.limit, target.patience);
        let written = inplace::write(&seen.place, draft, change, (target.role, self.who), bounds, self.talk)
            .map_err(|failure| target.elsewhere(failure.context(format!("{why} ({errno})"))))?;
        if written {
            self.talk.warning(format!(
                "{} was written in place because {why} ({errno}); this write was not crash-safe",
                path.display()
            ));
        }
        Ok(written)
    }
}

fn unchanged(place: &Place, failure: Failure) -> Failure {
    failure.context(format!("{} was not changed", place.path().display()))
}
