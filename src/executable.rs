//! Programs in PATH, and which of them may be run.

use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories of PATH; empty and relative entries, which mean wherever the caller happens to stand,
/// are passed over.
pub fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|entry| entry.is_absolute())
}

/// A regular file that this user may run; for root also one, in a directory, that nobody else could have
/// put there.
pub fn fits(file: &Path, uid: u32) -> bool {
    let Ok(meta) = std::fs::metadata(file) else { return false };
    if !meta.is_file() || access(file, Access::EXEC_OK).is_err() {
        return false;
    }
    let only_roots = |meta: &std::fs::Metadata| meta.uid() == 0 && meta.mode() & 0o022 == 0;
    uid != 0 || only_roots(&meta) && holders(file).is_some_and(|holders| holders.iter().all(only_roots))
}

/// The directory of PATH that names `file`, and the one that really holds it.
fn holders(file: &Path) -> Option<[std::fs::Metadata; 2]> {
    let real = std::fs::canonicalize(file).ok()?;
    Some([std::fs::metadata(file.parent()?).ok()?, std::fs::metadata(real.parent()?).ok()?])
}
