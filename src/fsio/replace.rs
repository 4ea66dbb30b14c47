//! A new file in place of the old one: a temporary beside it, renamed over it when it is complete.

use super::Identity;
use super::Role;
use super::directory::readable;
use super::meta::{self, Old};
use super::place::Place;
use crate::error::{Failure, Result, ResultExt};
use crate::message::Talk;
use crate::signals;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The last part of every temporary's name is this and sixteen hexadecimal digits.
pub(super) const SUFFIX: &str = ".tmp-";
const DIGITS: usize = 16;

/// How a replacement ended that did not fail.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The new content is in place; the directory still has to be synced.
    Replaced,
    /// This directory forbids it; nothing was changed.
    Impossible(&'static str, Errno),
}

/// A temporary file, removed again unless it was renamed: on drop and on a signal.
pub(super) struct Temporary {
    dir: Arc<OwnedFd>,
    name: OsString,
    renamed: bool,
    pub file: File,
    _guard: signals::Guard,
}

impl Temporary {
    /// Creates `<prefix><16 hex digits>` in `dir`, never opening what is there already.
    pub fn create(dir: &OwnedFd, prefix: &OsStr, mode: u32) -> rustix::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = Arc::new(rustix::io::fcntl_dupfd_cloexec(dir, 0)?);
        loop {
            let mut name = prefix.to_os_string();
            name.push(format!("{:0DIGITS$x}", random()));
            // Registered first, so that there is no moment in which a signal would leave the file behind.
            let (held, removed) = (Arc::clone(&dir), name.clone());
            let guard = signals::guard(move || {
                let _ = unlinkat(&*held, &removed, AtFlags::empty());
            });
            match openat(&*dir, &name, flags, Mode::from_raw_mode(mode)) {
                Ok(file) => return Ok(Self { dir, name, renamed: false, file: file.into(), _guard: guard }),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// The directory that it is in.
    pub fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// What it is called until then.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// It has got another name by other means: nothing is left to be removed.
    pub fn renamed(&mut self) {
        self.renamed = true;
    }

    /// Renames it over `name` in its directory.
    pub fn rename(&mut self, name: &OsStr) -> rustix::io::Result<()> {
        renameat(&*self.dir, &self.name, &*self.dir, name)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = unlinkat(&*self.dir, &self.name, AtFlags::empty());
        }
    }
}

/// A name beside `name` that nobody else can guess, hidden.
pub(super) fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!("{SUFFIX}{:0DIGITS$x}", random()));
    temporary
}

/// A number that nobody else can guess: what seeds the standard library's hash maps.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Writes `bytes` into a new file and renames it over the old one.
pub(super) fn replace(
    place: &Place,
    old: Option<Old<'_>>,
    dir: &Stat,
    bytes: &[u8],
    (role, mode): (Role, u32),
    who: Identity,
    talk: &Talk,
) -> Result<Outcome> {
    let wanted = old.map_or(mode, |old| role.allowed(old.stat.st_mode & 0o777));
    let mut temporary = match Temporary::create(&place.dir, &place.sibling(SUFFIX), wanted) {
        Ok(temporary) => temporary,
        Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => {
            return Ok(Outcome::Impossible("the directory allows no new file", errno));
        }
        Err(errno) => return Err(errno).fail_context(|| doing("creating a temporary file in", place)),
    };
    meta::dress(temporary.file.as_fd(), old, dir, (role, mode), who, talk)?;
    let written = temporary.file.write_all(bytes).and_then(|()| temporary.file.sync_all());
    written.fail_context(|| doing("writing a temporary file in", place))?;
    match temporary.rename(&place.name) {
        Ok(()) => Ok(Outcome::Replaced),
        Err(errno @ Errno::BUSY) => Ok(Outcome::Impossible("the file is a mount point", errno)),
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => {
            Ok(Outcome::Impossible("the file may not be replaced", errno))
        }
        Err(errno) => Err(errno).fail_context(|| doing("renaming a temporary file in", place)),
    }
}

fn doing(what: &str, place: &Place) -> String {
    format!("{what} {}", place.shown_dir().display())
}

/// Makes the rename last. A filesystem that cannot sync a directory, or a directory that we cannot open,
/// is worth a line and no more.
pub(super) fn sync_directory(place: &Place, talk: &Talk) -> Result<()> {
    let synced = readable(&place.dir).and_then(rustix::fs::fsync);
    match synced {
        Ok(()) => Ok(()),
        Err(errno @ (Errno::INVAL | Errno::OPNOTSUPP | Errno::ACCESS)) => {
            talk.verbose(format!("{}: {errno}", doing("not syncing the directory", place)));
            Ok(())
        }
        Err(errno) => Err(Failure::from(errno).context(format!(
            "{} is written, but might not survive a power failure: syncing its directory",
            place.path().display()
        ))),
    }
}

/// Removes what killed writers left behind. Only under the lock: a temporary that is not ours would
/// otherwise be some other writer's.
pub(super) fn sweep(place: &Place, dir: &Stat, who: Identity) {
    let prefix = place.sibling(SUFFIX);
    let Ok(listed) = readable(&place.dir).and_then(Dir::new) else { return };
    for entry in listed.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_temporary(name, &prefix) && is_ours(place, name, dir, who) {
            let _ = unlinkat(&place.dir, name, AtFlags::empty());
        }
    }
}

/// Whether `name` is `prefix` and the digits of a temporary.
pub(super) fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
    rest.is_some_and(|rest| rest.len() == DIGITS && rest.iter().all(u8::is_ascii_hexdigit))
}

fn is_ours(place: &Place, name: &OsStr, dir: &Stat, who: Identity) -> bool {
    statat(&place.dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && (found.st_uid == who.uid || found.st_uid == dir.st_uid || who.is_root())
    })
}
