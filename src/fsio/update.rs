//! Changing a file: the order of locking, reading, changing and replacing.

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

/// Fails where [`update`] would for want of permission or for a read-only filesystem, as far as that can be
/// seen without writing.
///
/// # Errors
/// The file and its directory cannot be written; or the directory that would hold a new one.
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
        // A mount point of its own, which nothing can replace.
        (Ok(()), Some((file, Err(Errno::ROFS)))) => Err(target.elsewhere(read_only(&file))),
        // A file in a directory that allows no new one is written in place.
        (Ok(()), _) | (Err(_), Some((_, Ok(())))) => Ok(()),
        (Err(Errno::ROFS), _) => Err(target.elsewhere(read_only(&path))),
        (Err(errno), _) => {
            let failure = Failure::from(errno).context(format!("{} cannot be written", path.display()));
            Err(target.elsewhere(failure))
        }
    }
}

fn read_only(path: &Path) -> Failure {
    Failure::new(format!("{} is mounted read-only", path.display()))
}

/// More than the last directory is missing. Behind a link it is not the path's own that would help.
fn no_directory(target: &Target<'_>, missing: &Missing) -> Failure {
    let path = missing.parent_path.join(&missing.leaf);
    let failure = target.elsewhere(Failure::new(format!("there is no directory {}", path.display())));
    match missing.links.last() {
        Some(link) => failure
            .hint(CommandLine::new("ls -l").arg(link.path.display()).because("see where the link leads")),
        None => {
            let dir = target.path.parent().unwrap_or(&path);
            failure.hint(CommandLine::new(&format!("mkdir -p -m {:o}", target.dir_mode)).arg(dir.display()))
        }
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
            return Err(no_directory(self.target, missing));
        }
        match directory::make(&missing.parent, &parent, &missing.leaf, self.target.dir_mode, self.who) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(Errno::ROFS) => Err(self.target.elsewhere(read_only(&missing.parent_path))),
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
