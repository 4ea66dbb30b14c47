//! Temporary files with unpredictable names. They are removed on drop and on a signal.

use crate::signals;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Every temporary name ends with this and sixteen hexadecimal digits.
pub(super) const SUFFIX: &str = ".tmp-";
const DIGITS: usize = 16;

/// A temporary file. It is removed on drop and on a signal unless it was renamed.
pub(super) struct Temporary {
    dir: Arc<OwnedFd>,
    name: OsString,
    renamed: bool,
    pub file: File,
    _guard: signals::Guard,
}

impl Temporary {
    /// Creates `<prefix><16 hex digits>` in `dir`. Never opens an existing file.
    pub(super) fn create(dir: &OwnedFd, prefix: &OsStr, mode: u32) -> rustix::io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = Arc::new(rustix::io::fcntl_dupfd_cloexec(dir, 0)?);
        loop {
            let mut name = prefix.to_os_string();
            name.push(format!("{:0DIGITS$x}", random()));
            // Register the cleanup first, so that a signal can never leave the file behind.
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

    pub(super) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// The temporary name.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Records that the caller has renamed the file itself, so that it is not removed.
    pub(super) fn renamed(&mut self) {
        self.renamed = true;
    }

    /// Renames the file to `name` in its directory and replaces an existing file.
    pub(super) fn rename(&mut self, name: &OsStr) -> rustix::io::Result<()> {
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

/// A hidden, unpredictable name derived from `name`.
pub(super) fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!("{SUFFIX}{:0DIGITS$x}", random()));
    temporary
}

/// An unpredictable number. It comes from the random seed of the standard library's hash maps.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Whether `name` is `prefix` followed by sixteen hexadecimal digits.
pub(super) fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
    rest.is_some_and(|rest| rest.len() == DIGITS && rest.iter().all(u8::is_ascii_hexdigit))
}
