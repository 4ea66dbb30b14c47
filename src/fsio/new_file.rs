//! A large file that is written for a while: it takes its name when it is whole, and not before.

use super::directory;
use super::replace::{Temporary, is_temporary};
use super::{Identity, meta};
use crate::error::{Failure, Result, ResultExt};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, linkat, openat,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A younger one may be about to be locked.
const YOUNG: Duration = Duration::from_secs(60);

/// The file on its way. Dropped, or ended by a signal, it leaves nothing behind; what one that was killed
/// left goes when the next of its name is made.
pub struct NewFile {
    temporary: Temporary,
    dir: OwnedFd,
    name: OsString,
    path: PathBuf,
    /// Open for reading and writing; empty at first.
    pub file: Arc<File>,
}

impl NewFile {
    /// Begins a file that will be `directory/name`, with the mode that the umask leaves of `mode`.
    ///
    /// # Errors
    /// The directory cannot be opened or written.
    pub fn create(directory: &Path, name: &OsStr, mode: u32) -> Result<Self> {
        let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // A directory that cannot be listed may still be written.
        let dir = openat(CWD, shown, flags, Mode::empty())
            .or_else(|_| openat(CWD, shown, super::place::DIRECTORY, Mode::empty()))
            .fail_context(|| format!("opening the directory {}", shown.display()))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(super::replace::SUFFIX);
        sweep(&dir, &prefix);
        let temporary = Temporary::create(&dir, &prefix, mode)
            .fail_context(|| format!("creating a file in {}", shown.display()))?;
        // Held as long as the file is open: whoever sweeps sees that it is in use.
        let _ = flock(&temporary.file, FlockOperation::NonBlockingLockExclusive);
        let file = Arc::new(temporary.file.try_clone()?);
        Ok(Self { temporary, dir, name: name.to_os_string(), path: directory.join(name), file })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it the owner of its directory, where root makes it in somebody's.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn hand_over(&self, who: Identity) -> Result<()> {
        meta::hand_over(self.file.as_fd(), &fstat(&self.dir)?, who)
    }

    /// How many bytes its filesystem has left for this user; `None` where it does not tell.
    pub fn room(&self) -> Option<u64> {
        let found = rustix::fs::fstatvfs(&*self.file).ok()?;
        found.f_bavail.checked_mul(found.f_frsize)
    }

    /// Makes it last and gives it its name; says whether it did. Another file of that name is replaced if
    /// `replace` says so; otherwise it stays, and this one is gone.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn keep(mut self, replace: bool) -> Result<bool> {
        self.file.sync_all().fail_context(|| format!("writing {}", self.path.display()))?;
        let named = if replace { self.temporary.rename(&self.name).map(|()| true) } else { self.name_once() };
        let named = named.fail_context(|| format!("giving {} its name", self.path.display()))?;
        let _ = rustix::fs::fsync(&self.dir);
        Ok(named)
    }

    /// Takes the name if it is free.
    fn name_once(&mut self) -> rustix::io::Result<bool> {
        let temporary = self.temporary.name().to_os_string();
        let taken = match renameat_with(&self.dir, &temporary, &self.dir, &self.name, RenameFlags::NOREPLACE)
        {
            // Filesystems of the network know no such renaming, but most know a second name.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(&self.dir, &temporary, &self.dir, &self.name, AtFlags::empty())
                    .and_then(|()| unlinkat(&self.dir, &temporary, AtFlags::empty()))
            }
            other => other,
        };
        match taken {
            Ok(()) => {
                self.temporary.renamed();
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
                if statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
                    return Ok(false);
                }
                self.temporary.rename(&self.name).map(|()| true)
            }
            Err(errno) => Err(errno),
        }
    }
}

/// Removes what killed writers of the same name left behind: what is locked belongs to a live one.
fn sweep(dir: &OwnedFd, prefix: &OsStr) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(listed) = openat(dir, ".", flags, Mode::empty()).and_then(Dir::new) else { return };
    for entry in listed.flatten() {
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_temporary(name, prefix) && is_dead(dir, name) {
            let _ = unlinkat(dir, name, AtFlags::empty());
        }
    }
}

fn is_dead(dir: &OwnedFd, name: &OsStr) -> bool {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(file) = openat(dir, name, flags, Mode::empty()).map(File::from) else { return false };
    let Ok(found) = file.metadata() else { return false };
    let age = found.modified().ok().and_then(|time| time.elapsed().ok());
    found.is_file()
        && age.is_some_and(|age| age >= YOUNG)
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Makes `path` and what is missing above it, 0700, in directories of the one who asks.
///
/// # Errors
/// What the filesystem says.
pub fn make_directories(path: &Path, who: Identity) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new(format!("{} is no directory", path.display())));
    };
    make_directories(parent, who)?;
    let opened = openat(CWD, parent, super::place::DIRECTORY, Mode::empty())?;
    match directory::make(&opened, &fstat(&opened)?, name, 0o700, who) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).fail_context(|| format!("making the directory {}", path.display())),
    }
}
