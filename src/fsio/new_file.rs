//! A large file that takes a while to write. It gets its final name only once it is complete.

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

/// A temporary file younger than this is not removed, because its writer may not have locked it yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A file that is being written. It is removed on drop and on a signal. If the process is killed, the file stays until
/// the next file of the same name is created.
pub struct NewFile {
    temporary: Temporary,
    name: OsString,
    path: PathBuf,
    /// Open for reading and writing, initially empty.
    pub file: Arc<File>,
}

impl NewFile {
    /// Creates a temporary file that will be renamed to `name` in this directory. The umask applies to `mode`. If root
    /// creates it in another user's directory, it gets the owner of the directory.
    ///
    /// # Errors
    /// The file cannot be created, or its owner cannot be set.
    pub fn create(directory: &Directory, name: &OsStr, mode: u32) -> Result<Self> {
        let shown = directory.path();
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(super::temporary::SUFFIX);
        sweep(&directory.open, &prefix);
        let temporary = Temporary::create(&directory.open, &prefix, mode)
            .fail_context(|| format!("creating a file in {}", shown.display()))?;
        meta::hand_over(&temporary.file, &directory.stat, directory.who)?;
        // Held as long as the file is open. It shows `sweep` in other processes that the file is in use.
        let _ = flock(&temporary.file, FlockOperation::NonBlockingLockExclusive);
        let file = Arc::new(temporary.file.try_clone()?);
        Ok(Self { temporary, name: name.to_os_string(), path: shown.join(name), file })
    }

    /// The final path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are free for this user on the file's filesystem, or `None` if unknown.
    pub fn room(&self) -> Option<u64> {
        let found = rustix::fs::fstatvfs(&*self.file).ok()?;
        found.f_bavail.checked_mul(found.f_frsize)
    }

    /// Syncs the file and renames it to its final name. If a file of that name exists, it is replaced if `replace` is
    /// set. Otherwise it stays, this file is removed, and the result is `false`.
    ///
    /// # Errors
    /// The file cannot be synced or renamed.
    pub fn keep(mut self, replace: bool) -> Result<bool> {
        self.file.sync_all().fail_context(|| format!("writing {}", self.path.display()))?;
        let named = if replace { self.temporary.rename(&self.name).map(|()| true) } else { self.name_once() };
        let named =
            named.fail_context(|| format!("renaming the finished file to {}", self.path.display()))?;
        let _ = readable(self.temporary.dir()).and_then(rustix::fs::fsync);
        Ok(named)
    }

    /// Renames the file unless the name is taken. Returns whether it did.
    fn name_once(&mut self) -> rustix::io::Result<bool> {
        let (dir, temporary) = (self.temporary.dir(), self.temporary.name());
        let taken = match renameat_with(dir, temporary, dir, &self.name, RenameFlags::NOREPLACE) {
            // Network filesystems lack RENAME_NOREPLACE, but most support hard links.
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

/// Removes temporary files of the same name that killed writers left behind. A locked one is still in use.
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
