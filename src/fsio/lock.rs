//! The lock file next to a file, so that only one process writes at a time.
//!
//! The lock file is never removed. If it were, two writers could each hold a lock on a different file of that name.

use super::identity::Identity;
use super::meta;
use super::place::Place;
use crate::error::{Failure, Result};
use crate::hint::CommandLine;
use crate::message::Talk;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// The first pause between two attempts. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Short enough that the lock is hardly ever idle while two hundred writers wait for it.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How long a lock file may be inaccessible. It is so for a moment while root changes its owner to that of the
/// directory.
const HANDING_OVER: Duration = Duration::from_millis(500);

/// The result of [`beside`].
#[derive(Debug)]
pub(super) enum Lock {
    /// Held until this file is closed.
    Held { _file: File },
    /// The filesystem does not support locks. The caller continues without one.
    Unknown,
    /// This directory does not allow a new lock file.
    Forbidden(Errno),
}

/// A bounded wait with growing pauses.
struct Wait {
    start: Instant,
    pause: Duration,
}

impl Wait {
    fn new() -> Self {
        Self { start: Instant::now(), pause: FIRST_PAUSE }
    }

    /// Sleeps before the next attempt. Returns `false` once `patience` is used up.
    fn again(&mut self, patience: Duration) -> bool {
        let left = patience.saturating_sub(self.start.elapsed());
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        !left.is_zero()
    }
}

/// Takes the lock `.<basename>.lock` next to the file. Waits for at most `patience`.
pub(super) fn beside(
    place: &Place,
    dir: &Stat,
    who: Identity,
    patience: Duration,
    talk: &Talk,
) -> Result<Lock> {
    let name = place.sibling(".lock");
    let path = place.dir_path.join(&name);
    loop {
        let file = match open(place, dir, &name, &path, who)? {
            Ok(file) => File::from(file),
            Err(errno) => return Ok(Lock::Forbidden(errno)),
        };
        if !wait(&file, &path, patience, talk)? {
            return Ok(Lock::Unknown);
        }
        if still_there(place, &name, &file) {
            return Ok(Lock::Held { _file: file });
        }
    }
}

/// Waits for an exclusive lock on `file`. Returns `false` if the filesystem does not support locks.
pub(super) fn wait(file: &File, path: &Path, patience: Duration, talk: &Talk) -> Result<bool> {
    let mut wait = Wait::new();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if wait.again(patience) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(path, patience)),
            Err(TryLockError::Error(error)) => match Errno::from_io_error(&error) {
                Some(Errno::INTR) => {}
                Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    talk.verbose(format!("{}: continuing without a lock: {error}", path.display()));
                    return Ok(false);
                }
                _ => return Err(Failure::from(error).context(format!("locking {}", path.display()))),
            },
        }
    }
}

fn taken(path: &Path, patience: Duration) -> Failure {
    let seconds = patience.as_secs_f32();
    Failure::new(format!("timed out after {seconds} s waiting for the lock {}", path.display()))
        .hint(CommandLine::new("fuser -v").arg(path.display()).because("to see who holds it"))
}

/// Opens or creates the lock file. The inner error means that the directory does not allow new files.
fn open(
    place: &Place,
    dir: &Stat,
    name: &OsStr,
    path: &Path,
    who: Identity,
) -> Result<std::result::Result<OwnedFd, Errno>> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mut wait = Wait::new();
    loop {
        match openat(&place.dir, name, flags, Mode::empty()) {
            Ok(file) => return check(path, &fstat(&file)?, dir, who).map(|()| Ok(file)),
            Err(Errno::NOENT) => {}
            Err(Errno::ACCESS) if wait.again(HANDING_OVER) => continue,
            Err(errno) => return refused(place, dir, name, path, who, errno).map(Err),
        }
        match openat(&place.dir, name, flags | OFlags::CREATE | OFlags::EXCL, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return make(place, dir, name, &file, who).map(|()| Ok(file)),
            Err(Errno::EXIST) => {}
            Err(errno @ (Errno::ACCESS | Errno::PERM | Errno::ROFS)) => return Ok(Err(errno)),
            Err(errno) => {
                return Err(Failure::from(errno).context(format!("creating {}", path.display())));
            }
        }
    }
}

/// Sets up a new lock file: mode 0600 regardless of the umask, and the owner of the directory if root created it. If
/// that fails, the file is removed, because it would lock out that owner for good.
fn make(place: &Place, dir: &Stat, name: &OsStr, file: &OwnedFd, who: Identity) -> Result<()> {
    let made = meta::set_mode(file.as_fd(), 0o600);
    made.and_then(|()| meta::hand_over(file, dir, who)).inspect_err(|_| {
        let _ = unlinkat(&place.dir, name, AtFlags::empty());
    })
}

fn check(path: &Path, lock: &Stat, dir: &Stat, who: Identity) -> Result<()> {
    if FileType::from_raw_mode(lock.st_mode) != FileType::RegularFile {
        return Err(Failure::new(format!("the lock {} is not a regular file", path.display())).hint(
            CommandLine::new("ls -ld").arg(path.display()).because("to see what it is before you remove it"),
        ));
    }
    if lock.st_uid != who.uid && lock.st_uid != dir.st_uid {
        let remove = CommandLine::new("rm").arg(path.display());
        return Err(Failure::new(format!("the lock {} is owned by uid {}", path.display(), lock.st_uid))
            .hint(who.remedy(dir.st_uid, remove)));
    }
    Ok(())
}

/// Finds out why an existing lock file cannot be opened: its type, its owner, its mode, or a read-only filesystem.
/// Returns the error number for a read-only filesystem and fails for all other causes.
fn refused(
    place: &Place,
    dir: &Stat,
    name: &OsStr,
    path: &Path,
    who: Identity,
    errno: Errno,
) -> Result<Errno> {
    if errno == Errno::ROFS {
        return Ok(errno);
    }
    if let Ok(lock) = statat(&place.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        check(path, &lock, dir, who)?;
    }
    Err(Failure::from(errno)
        .context(format!("opening the lock {}", path.display()))
        .hint(CommandLine::new("chmod 600").arg(path.display()).because("to make it accessible again")))
}

/// Whether the locked file still has its name. Another process may have removed it after we opened it.
fn still_there(place: &Place, name: &OsStr, file: &File) -> bool {
    let named = statat(&place.dir, name, AtFlags::SYMLINK_NOFOLLOW);
    matches!((named, fstat(file)), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
