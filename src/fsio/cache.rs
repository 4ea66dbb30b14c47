//! `remote-cache`: documents that can be fetched again. Best effort: no lock, no sync, and an error never makes a
//! command fail. A file that belongs to another user is never used.

use super::directory::Directory;
use super::identity::Identity;
use super::place::DIRECTORY;
use super::temporary::{Temporary, is_temporary};
use super::{directory, meta};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Inside the user directory.
const DIRECTORY_NAME: &str = "remote-cache";

/// Prefix of temporary files. Names of entries cannot start with a dot, so they never have it.
const PREFIX: &str = ".tmp-";

/// A temporary file older than this, in seconds, was left behind by a killed writer.
const LEFT_BEHIND: u64 = 3600;

/// Whether `<user_dir>` has a `remote-cache`.
pub fn has_cache(user_dir: &Path) -> bool {
    user_dir.join(DIRECTORY_NAME).is_dir()
}

/// Reads `<user_dir>/remote-cache/<name>`. Returns `None` unless it is a regular file (not a symlink) of at most
/// `limit` bytes. The file and its directory must be owned by the effective uid and not be writable by others.
pub fn read_cache(user_dir: &Path, name: &str, who: Identity, limit: u64) -> Option<Vec<u8>> {
    let user = Directory::open(user_dir, who).ok()??;
    let dir = openat(&user.open, DIRECTORY_NAME, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let own = |stat: &Stat| stat.st_uid == who.uid && stat.st_mode & 0o022 == 0;
    if !own(&fstat(&dir).ok()?) || !is_entry(name) {
        return None;
    }
    let before = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
        return None;
    }
    let file: File = openat(&dir, name, flags, Mode::empty()).ok()?.into();
    let metadata = file.metadata().ok()?;
    if !own(&fstat(&file).ok()?) || !metadata.is_file() || metadata.len() > limit {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit).then_some(bytes)
}

/// Writes `<user_dir>/remote-cache/<name>` with mode 0600, replacing an existing file atomically. The user directory
/// must exist. `remote-cache` is created with mode 0700 if `make_dir` is set. Read-only commands do not set it.
///
/// # Errors
/// Any I/O error, and `PermissionDenied` if another user owns the directory or can write to it. Callers should only
/// log it at DEBUG level.
pub fn write_cache(
    user_dir: &Path,
    name: &str,
    bytes: &[u8],
    who: Identity,
    make_dir: bool,
) -> io::Result<()> {
    if !is_entry(name) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("invalid cache entry name {name:?}"),
        ));
    }
    let user = Directory::open(user_dir, who).map_err(to_io)?.ok_or(Errno::NOENT)?;
    let parent = user.stat;
    let dir = open_cache(&user.open, &parent, who, make_dir)?;
    let mut temporary = Temporary::create(&dir, OsStr::new(PREFIX), 0o600)?;
    let file = temporary.file.as_fd();
    meta::set_mode(file, 0o600).and_then(|()| meta::hand_over(file, &parent, who)).map_err(to_io)?;
    temporary.file.write_all(bytes)?;
    temporary.rename(OsStr::new(name))?;
    sweep(&dir, &fstat(&temporary.file)?);
    Ok(())
}

fn to_io(failure: crate::error::Failure) -> io::Error {
    io::Error::other(failure.message())
}

fn is_entry(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn open_cache(user: &OwnedFd, parent: &Stat, who: Identity, make: bool) -> io::Result<OwnedFd> {
    if make {
        match directory::make(user, parent, OsStr::new(DIRECTORY_NAME), 0o700, who) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let dir = openat(user, DIRECTORY_NAME, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    let stat = fstat(&dir)?;
    let owned = stat.st_uid == who.uid || (who.is_root() && stat.st_uid == parent.st_uid);
    if !owned || stat.st_mode & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{DIRECTORY_NAME}: owner uid {}, mode {:04o}", stat.st_uid, stat.st_mode & 0o7777),
        ));
    }
    Ok(dir)
}

/// Removes temporary files that killed writers left behind. There is no lock here, so their age decides. It is
/// measured against the mtime of the file just written, which comes from the filesystem's own clock.
fn sweep(dir: &OwnedFd, written: &Stat) {
    let Ok(listed) = directory::readable(dir).and_then(Dir::new) else { return };
    for entry in listed.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let old = |found: Stat| found.st_mtime.saturating_add_unsigned(LEFT_BEHIND) < written.st_mtime;
        if is_temporary(name, OsStr::new(PREFIX))
            && statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(old)
        {
            let _ = unlinkat(dir, name, AtFlags::empty());
        }
    }
}
