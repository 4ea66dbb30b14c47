//! The lock beside a file: one writer at a time, found again by every program of this name.
//!
//! The lock file stays behind on purpose. Were it removed, two writers could each hold the lock of
//! another file of that name.

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

/// The first pause between two tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Short enough that two hundred waiting writers keep the lock busy.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// For how long a lock file may stay unreadable: the moment in which root gives it to the directory's owner.
const HANDING_OVER: Duration = Duration::from_millis(500);

/// What came of asking for the lock.
#[derive(Debug)]
pub(super) enum Lock {
    /// Ours until this file is closed.
    Held { _file: File },
    /// The filesystem has no locks; the caller goes on without.
    Unknown,
    /// No lock file can be made in this directory.
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

    /// Sleeps, unless `patience` is over.
    fn again(&mut self, patience: Duration) -> bool {
        let left = patience.saturating_sub(self.start.elapsed());
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        !left.is_zero()
    }
}

/// Takes the lock `.<basename>.lock` beside the file, waiting for `patience` at most.
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

/// Waits for an exclusive lock on `file`. False: the filesystem knows no locks.
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
                    talk.verbose(format!("{}: going on without a lock: {error}", path.display()));
                    return Ok(false);
                }
                _ => return Err(Failure::from(error).context(format!("locking {}", path.display()))),
            },
        }
    }
}

fn taken(path: &Path, patience: Duration) -> Failure {
    let seconds = patience.as_secs_f32();
    Failure::new(format!("another program has held the lock {} for more than {seconds} s", path.display()))
        .hint(CommandLine::new("fuser -v").arg(path.display()).because("see who holds it"))
}

/// Opens the lock file, or makes it. The inner error: this directory forbids creation.
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

/// A lock file that was just made: 0600 whatever the umask, and the directory owner's where root made it.
/// One that could not be handed over would shut that owner out for ever.
fn make(place: &Place, dir: &Stat, name: &OsStr, file: &OwnedFd, who: Identity) -> Result<()> {
    let made = meta::set_mode(file.as_fd(), 0o600);
    made.and_then(|()| meta::hand_over(file, dir, who)).inspect_err(|_| {
        let _ = unlinkat(&place.dir, name, AtFlags::empty());
    })
}

fn check(path: &Path, lock: &Stat, dir: &Stat, who: Identity) -> Result<()> {
    if FileType::from_raw_mode(lock.st_mode) != FileType::RegularFile {
        return Err(Failure::new(format!("the lock {} is not a regular file", path.display()))
            .hint(CommandLine::new("ls -ld").arg(path.display()).because("look what it is, and remove it")));
    }
    if lock.st_uid != who.uid && lock.st_uid != dir.st_uid {
        let remove = CommandLine::new("rm").arg(path.display());
        return Err(Failure::new(format!("the lock {} belongs to uid {}", path.display(), lock.st_uid))
            .hint(who.remedy(dir.st_uid, remove)));
    }
    Ok(())
}

/// Why a lock file that exists cannot be opened: what it is, whose it is, or the filesystem.
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
        .hint(CommandLine::new("chmod 600").arg(path.display()).because("make it yours again")))
}

/// Somebody may have removed the lock file between our opening and our locking it.
fn still_there(place: &Place, name: &OsStr, file: &File) -> bool {
    let named = statat(&place.dir, name, AtFlags::SYMLINK_NOFOLLOW);
    matches!((named, fstat(file)), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}
