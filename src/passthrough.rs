//! A command that is not ours goes to the next program of this name in PATH.
//!
//! So this program stands in front of a real Apptainer and takes over only what it knows. It looks after
//! the *last* PATH entry that holds this very file, so two of it never call each other in a circle.

use crate::environment::Env;
use crate::executable::{path_entries, runnable};
use std::cell::LazyCell;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The program that takes what is not ours; `None` where there is none, or where
/// `APPTAINER_REMOTE_PASSTHROUGH=0` forbids it, or where this program does not know its own file.
pub(crate) fn next_program(env: &Env, exe: &Path, uid: u32, argv0: &OsStr) -> Option<PathBuf> {
    if env.get("APPTAINER_REMOTE_PASSTHROUGH").is_some_and(|value| value == "0") {
        return None;
    }
    if exe.as_os_str().is_empty() {
        // Nothing would stop two of this program from calling each other.
        return None;
    }
    let name = Path::new(argv0).file_name()?;
    find(env.get("PATH")?, name, exe, uid)
}

/// The first fitting file called `name` after the last entry of `path` that holds `exe`.
fn find(path: &OsStr, name: &OsStr, exe: &Path, uid: u32) -> Option<PathBuf> {
    let identity = |file: &Path| std::fs::metadata(file).ok().map(|meta| (meta.dev(), meta.ino()));
    // Asked for once there is something to compare it with.
    let own = LazyCell::new(|| identity(exe));
    let other_name = exe.file_name().filter(|file| *file != name);
    let entries: Vec<PathBuf> = path_entries(path).collect();
    // From the end: what stands before the last entry that is us is nobody's business.
    let mut candidates = Vec::new();
    for entry in entries.into_iter().rev() {
        let file = entry.join(name);
        if file == exe {
            // Us, without a look.
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
    fn the_next_after_the_last_that_is_us() {
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
    fn what_cannot_be_run_is_passed_over() {
        let world = World::new();
        let us = world.program("us", 0o755);
        world.program("plain", 0o644);
        let real = world.program("real", 0o755);
        assert_eq!(world.find(&["us", "plain", "missing", "real"], &us), Some(real));
        assert_eq!(find(OsStr::new("::.:real"), OsStr::new("apptainer"), &us, SOMEBODY), None);
    }

    #[test]
    fn root_runs_only_what_root_can_trust() {
        let world = World::new();
        let real = world.program("real", 0o775);
        assert_eq!(runnable(&real, SOMEBODY), Some(real.clone()));
        assert_eq!(runnable(&real, 0), None, "its group can write it");
    }
}
