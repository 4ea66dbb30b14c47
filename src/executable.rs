//! Programs in PATH, and which of them may be run.

use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories of PATH; empty and relative entries, which mean wherever the caller happens to stand,
/// are passed over.
pub fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|entry| entry.is_absolute())
}

/// What to run for this file of PATH: a regular file that this user may run. For root it is the file itself,
/// links resolved, and neither it nor a directory on the way to it is anybody else's to change: so that what
/// was looked at is what is run, however much time passes in between.
pub fn runnable(file: &Path, uid: u32) -> Option<PathBuf> {
    let meta = std::fs::metadata(file).ok()?;
    if !meta.is_file() || access(file, Access::EXEC_OK).is_err() {
        return None;
    }
    if uid != 0 {
        return Some(file.to_path_buf());
    }
    let real = std::fs::canonicalize(file).ok()?;
    // The directory that PATH names, too: who can write there chooses what is found.
    let named = std::fs::metadata(file.parent()?).ok()?;
    (only_roots(&named) && only_roots_way(&real)).then_some(real)
}

/// Whether the file and its directory are root's alone, and every directory above it is, too, or one such as
/// /tmp, in which nobody can move what is root's.
fn only_roots_way(real: &Path) -> bool {
    real.ancestors().enumerate().all(|(at, path)| {
        let Ok(meta) = std::fs::symlink_metadata(path) else { return false };
        only_roots(&meta) || at > 1 && meta.uid() == 0 && meta.mode() & 0o1000 != 0
    })
}

fn only_roots(meta: &Metadata) -> bool {
    meta.uid() == 0 && meta.mode() & 0o022 == 0
}
