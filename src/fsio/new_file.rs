//! A large file that is written for a while: it takes its name when it is whole, and not before.

use super::directory::{Directory, readable};
use super::meta;
use super::temporary::{Temporary, is_temporary};
use crate::error::{Result, ResultExt};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, linkat, openat, renameat_with, statat,
    unlinkat,
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
    name: OsString,
    path: PathBuf,
    /// Open for reading and writing; empty at first.
    pub file: Arc<File>,
}

impl NewFile {
    /// Begins a file that will be called `name` in this directory, with the mode that the umask leaves of
    /// `mode`. What root makes in somebody's directory belongs to the owner of the directory.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(directory: &Directory, name: &OsStr, mode: u32) -> Result<Self> {
        let shown = directory.path();
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(super::temporary::SUFFIX);
        sweep(&directory.open, &prefix);
        let temporary = Temporary::create(&directory.open, &prefix, mode)
            .fail_context(|| format!("creating a file in {}", shown.display()))?;
        meta::hand_over(&temporary.file, &directory.stat, directory.who)?;
        // Held as long as the file is open: whoever sweeps sees that it is in use.
        let _ = flock(&temporary.file, FlockOperation::NonBlockingLockExclusive);
        let file = Arc::new(temporary.file.try_clone()?);
        Ok(Self { temporary, name: name.to_os_string(), path: shown.join(name), file })
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
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
        let _ = readable(self.temporary.dir()).and_then(rustix::fs::fsync);
        Ok(named)
    }

    /// Takes the name if it is free.
    fn name_once(&mut self) -> rustix::io::Result<bool> {
        let (dir, temporary) = (self.temporary.dir(), self.temporary.name());
        let taken = match renameat_with(dir, temporary, dir, &self.name, RenameFlags::NOREPLACE) {
            // Filesystems of the network know no such renaming, but most know a second name.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(dir, temporary, dir, &self.name, AtFlags::empty())
                    .and_then(|()| unlinkat(dir, temporary, AtFlags::empty()))
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
                if statat(dir, &self.name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
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
    let Ok(listed) = readable(dir).and_then(Dir::new) else { return };
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
