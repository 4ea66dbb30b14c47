//! Temporary files: names that nobody can guess, and that go with their owner.

use crate::signals;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The last part of every temporary's name is this and sixteen hexadecimal digits.
pub(super) const SUFFIX: &str = ".tmp-";
const DIGITS: usize = 16;

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
    pub(super) fn create(dir: &OwnedFd, prefix: &OsStr, mode: u32) -> rustix::io::Result<Self> {
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
    pub(super) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// What it is called until then.
    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// It has got another name by other means: nothing is left to be removed.
    pub(super) fn renamed(&mut self) {
        self.renamed = true;
    }

    /// Renames it over `name` in its directory.
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

/// Whether `name` is `prefix` and the digits of a temporary.
pub(super) fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(prefix.as_bytes());
    rest.is_some_and(|rest| rest.len() == DIGITS && rest.iter().all(u8::is_ascii_hexdigit))
}
