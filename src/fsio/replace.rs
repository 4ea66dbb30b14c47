//! Replaces a file: writes a temporary file in the same directory and renames it over the old one.

use super::directory::readable;
use super::identity::{Identity, Role};
use super::meta::{self, Old};
use super::place::Place;
use super::temporary::{SUFFIX, Temporary, is_temporary};
use crate::error::{Failure, Result, ResultExt};
use crate::message::Talk;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

/// The result of [`replace`] if it did not fail.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The new content is in place. The directory still has to be synced.
    Replaced,
    /// The file cannot be replaced here. Nothing was changed. Holds the reason, for messages.
    Impossible(&'static str, Errno),
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
            return Ok(Outcome::Impossible("the directory does not allow new files", errno));
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
            Ok(Outcome::Impossible("the file cannot be replaced", errno))
        }
        Err(errno) => Err(errno).fail_context(|| doing("renaming a temporary file in", place)),
    }
}

fn doing(what: &str, place: &Place) -> String {
    format!("{what} {}", place.shown_dir().display())
}

/// Syncs the directory so that the rename survives a crash. If the filesystem cannot sync directories, or the directory
/// cannot be opened, that is only logged.
pub(super) fn sync_directory(place: &Place, talk: &Talk) -> Result<()> {
    let synced = readable(&place.dir).and_then(rustix::fs::fsync);
    match synced {
        Ok(()) => Ok(()),
        Err(errno @ (Errno::INVAL | Errno::OPNOTSUPP | Errno::ACCESS)) => {
            talk.verbose(format!("{}: {errno}", doing("cannot sync the directory", place)));
            Ok(())
        }
        Err(errno) => Err(Failure::from(errno).context(format!(
            "{} was written, but might not survive a power failure: syncing its directory",
            place.path().display()
        ))),
    }
}

/// Removes temporary files that killed writers left behind. Call it only under the lock. Without it, a temporary file
/// could belong to a running writer.
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

fn is_ours(place: &Place, name: &OsStr, dir: &Stat, who: Identity) -> bool {
    statat(&place.dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|found| {
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
            && (found.st_uid == who.uid || found.st_uid == dir.st_uid || who.is_root())
    })
}
