//! Passes commands that this program does not have to the next program of the same name in PATH.
//!
//! So this program can be installed in front of a real Apptainer and only takes over its own commands. It
//! searches after the *last* PATH entry that contains this file, so that two copies never call each other in a
//! loop.

use crate::environment::Env;
use crate::executable::{path_entries, runnable};
use std::cell::LazyCell;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The program for commands that this one does not have. `None` if there is none, if
/// `APPTAINER_REMOTE_PASSTHROUGH=0` disables it, or if this program does not know its own path.
pub(crate) fn next_program(env: &Env, exe: &Path, uid: u32, argv0: &OsStr) -> Option<PathBuf> {
    if env.get("APPTAINER_REMOTE_PASSTHROUGH").is_some_and(|value| value == "0") {
        return None;
    }
    if exe.as_os_str().is_empty() {
        // Without its own path, two copies of this program could call each other in a loop.
        return None;
    }
    let name = Path::new(argv0).file_name()?;
    find(env.get("PATH")?, name, exe, uid)
}

/// The first runnable file called `name` after the last entry of `path` that contains `exe`.
fn find(path: &OsStr, name: &OsStr, exe: &Path, uid: u32) -> Option<PathBuf> {
    let identity = |file: &Path| std::fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino()));
    // Computed only if there is a file to compare it with.
    let own = LazyCell::new(|| identity(exe));
    let other_name = exe.file_name().filter(|file| *file != name);
    let entries: Vec<PathBuf> = path_entries(path).collect();
    // Searches from the end, because entries before the last one that contains this program are irrelevant.
    let mut candidates = Vec::new();
    for entry in entries.into_iter().rev() {
        let file = entry.join(name);
        if file == exe {
            // This program itself: no need to compare the files.
            break;
        }
        let there = identity(&file);
        let other = other_name.and_then(|other| identity(&entry.join(other)));
        if [there, other].iter().any(|one| one.is_some() && *one == *own) {
            break;
        }
        candidates.extend(there.map(|_| file));
    }
    candidates.into_iter().rev().find_map(|file| runnable(&file, uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    const SOMEBODY: u32 = 1000;

    struct World(tempfile::TempDir);
    impl World {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn program(&self, directory: &str, mode: u32) -> PathBuf {
            let file = self.0.path().join(directory).join("apptainer");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            file
        }
        fn find(&self, path: &[&str], exe: &Path) -> Option<PathBuf> {
            let joined = std::env::join_paths(path.iter().map(|entry| self.0.path().join(entry))).unwrap();
            find(&joined, OsStr::new("apptainer"), exe, SOMEBODY)
        }
    }

    #[test]
    fn the_search_starts_after_the_last_entry_of_this_program() {
        let world = World::new();
        let us = world.program("us", 0o755);
        let real = world.program("real", 0o755);
        fs::create_dir(world.0.path().join("link")).unwrap();
        symlink(&us, world.0.path().join("link/apptainer")).unwrap();
        assert_eq!(world.find(&["us", "real"], &us), Some(real.clone()));
        assert_eq!(world.find(&["us", "real", "us"], &us), None, "us again at the end: a circle otherwise");
        assert_eq!(world.find(&["us", "link", "real"], &us), Some(real.clone()));
        assert_eq!(world.find(&["real", "link"], &us), None);
        assert_eq!(world.find(&["real"], &us), Some(real), "called by path: the whole PATH");
    }

    #[test]
    fn files_that_cannot_be_run_are_skipped() {
        let world = World::new();
        let us = world.program("us", 0o755);
        world.program("plain", 0o644);
        let real = world.program("real", 0o755);
        assert_eq!(world.find(&["us", "plain", "missing", "real"], &us), Some(real));
        assert_eq!(find(OsStr::new("::.:real"), OsStr::new("apptainer"), &us, SOMEBODY), None);
    }

    #[test]
    fn root_runs_only_trusted_files() {
        let world = World::new();
        let real = world.program("real", 0o775);
        assert_eq!(runnable(&real, SOMEBODY), Some(real.clone()));
        assert_eq!(runnable(&real, 0), None, "its group can write it");
    }
}
