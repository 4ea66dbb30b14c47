//! Programs in PATH, and which of them may be run.

use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories of PATH. Empty and relative entries are skipped, because they depend on the current directory.
pub(crate) fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|entry| entry.is_absolute())
}

/// The program to run for a file in PATH, if it is a regular file that this user may execute. For root, this is
/// the path with symlinks resolved, and only root may be able to change the file and the directories above it.
/// The program that was checked is then the program that is run, even if time passes in between.
pub(crate) fn runnable(file: &Path, uid: u32) -> Option<PathBuf> {
    let meta = std::fs::metadata(file).ok()?;
    if !meta.is_file() || access(file, Access::EXEC_OK).is_err() {
        return None;
    }
    if uid != 0 {
        return Some(file.to_path_buf());
    }
    let real = std::fs::canonicalize(file).ok()?;
    // Checks the directory in PATH too, because whoever can write there decides which file is found.
    let named = std::fs::metadata(file.parent()?).ok()?;
    (only_roots(&named) && only_roots_way(&real)).then_some(real)
}

/// The directories that sudo searches by default: `secure_path` on Debian and Ubuntu.
const SECURE_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Whether sudo runs exactly this file when `name` is called.
pub(crate) fn sudo_finds(file: &Path, name: &str) -> bool {
    finds_in(&SECURE_PATH.map(Path::new), file, name)
}

fn finds_in(directories: &[&Path], file: &Path, name: &str) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let first = directories.iter().map(|directory| directory.join(name)).find(|found| found.is_file());
    first.is_some_and(|first| identity(&first) == identity(file))
}

/// Whether only root can change or replace this file.
pub(crate) fn only_roots_path(file: &Path) -> bool {
    std::fs::canonicalize(file).is_ok_and(|real| only_roots_way(&real))
}

/// Whether only root can write to the file, its directory and all directories above. Higher directories may also
/// be sticky directories owned by root, such as /tmp, because other users cannot move root's files there.
fn only_roots_way(real: &Path) -> bool {
    real.ancestors().enumerate().all(|(at, path)| {
        let Ok(meta) = std::fs::symlink_metadata(path) else { return false };
        only_roots(&meta) || at > 1 && meta.uid() == 0 && meta.mode() & 0o1000 != 0
    })
}

fn only_roots(meta: &Metadata) -> bool {
    meta.uid() == 0 && meta.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const STRANGER: u32 = 54_321;

    /// A temporary tree that belongs to root. If the user is not root, prints a note and returns `None`.
    fn roots_tree() -> Option<tempfile::TempDir> {
        if !rustix::process::geteuid().is_root() {
            let _ = writeln!(std::io::stderr(), "skipped: programs of root: only root can make them");
            return None;
        }
        let tree = tempfile::tempdir().unwrap();
        set(tree.path(), 0o755);
        Some(tree)
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Creates `DIRECTORY/program`, and gives the directory this mode.
    fn program(tree: &tempfile::TempDir, directory: &str, mode: u32) -> PathBuf {
        let directory = tree.path().join(directory);
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("program");
        fs::write(&file, "").unwrap();
        set(&file, 0o755);
        set(&directory, mode);
        file
    }

    #[test]
    fn relative_and_empty_entries_of_path_are_skipped() {
        let entries: Vec<PathBuf> = path_entries(OsStr::new(":.:/a:b:/c:")).collect();
        assert_eq!(entries, [Path::new("/a"), Path::new("/c")]);
    }

    #[test]
    fn only_regular_executable_files_are_runnable() {
        let tree = tempfile::tempdir().unwrap();
        let file = program(&tree, "bin", 0o755);
        assert_eq!(runnable(&file, 1), Some(file.clone()));
        assert_eq!(runnable(file.parent().unwrap(), 1), None, "a directory");
        assert_eq!(runnable(&tree.path().join("absent"), 1), None);
        set(&file, 0o644);
        assert_eq!(runnable(&file, 1), None, "not executable");
    }

    #[test]
    fn root_runs_files_that_only_root_can_change_by_their_real_path() {
        let Some(tree) = roots_tree() else { return };
        let file = program(&tree, "bin", 0o755);
        let link = tree.path().join("link");
        symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(runnable(path, 0), Some(fs::canonicalize(&file).unwrap()));
        }
        // Like in /tmp: other users cannot move root's files there.
        let deep = program(&tree, "sticky/bin", 0o755);
        set(&tree.path().join("sticky"), 0o1777);
        assert!(runnable(&deep, 0).is_some());
    }

    #[test]
    fn root_does_not_run_files_that_others_can_change() {
        let Some(tree) = roots_tree() else { return };
        let mut cases = vec![
            ("in a sticky directory", program(&tree, "sticky", 0o1777)),
            ("in a directory of a group", program(&tree, "group", 0o775)),
            ("in a directory of all", program(&tree, "others", 0o757)),
            ("writable for a group", program(&tree, "writable", 0o755)),
            ("of a stranger", program(&tree, "given", 0o755)),
            ("in a stranger's directory", program(&tree, "strangers", 0o755)),
        ];
        set(&cases[3].1, 0o775);
        chown(&cases[4].1, Some(STRANGER), None).unwrap();
        chown(cases[5].1.parent().unwrap(), Some(STRANGER), None).unwrap();
        for (what, mode, owner) in [
            ("below a directory of all", 0o777, 0),
            ("below a stranger's directory", 0o755, STRANGER),
            ("below a stranger's sticky directory", 0o1777, STRANGER),
        ] {
            let above = tree.path().join(what);
            cases.push((what, program(&tree, &format!("{what}/bin"), 0o755)));
            set(&above, mode);
            chown(above, Some(owner), None).unwrap();
        }
        let mut wrong = Vec::new();
        for (at, (what, file)) in cases.iter().enumerate() {
            // Both directly and through a symlink in a directory of root.
            let link = tree.path().join(format!("link{at}"));
            symlink(file, &link).unwrap();
            for path in [file, &link] {
                if runnable(path, 0).is_some() || runnable(path, 1).is_none() {
                    wrong.push(format!("{what}: {}", path.display()));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn sudo_runs_the_first_file_of_that_name() {
        let tree = tempfile::tempdir().unwrap();
        let (first, second) = (program(&tree, "first", 0o755), program(&tree, "second", 0o755));
        let link = tree.path().join("link");
        fs::create_dir(&link).unwrap();
        symlink(&first, link.join("program")).unwrap();
        let [one, two] = [&first, &second].map(|file| file.parent().unwrap());
        let absent = tree.path().join("absent");
        for (directories, file, expected) in [
            (&[one, two][..], &first, true),
            (&[absent.as_path(), link.as_path()], &first, true),
            (&[one, two], &second, false),
            (&[absent.as_path()], &first, false),
        ] {
            assert_eq!(
                finds_in(directories, file, "program"),
                expected,
                "{directories:?} {}",
                file.display()
            );
        }
    }

    #[test]
    fn only_root_can_change_a_file_below_directories_of_root() {
        let Some(tree) = roots_tree() else { return };
        let file = program(&tree, "bin", 0o755);
        assert!(only_roots_path(&file) && !only_roots_path(&tree.path().join("absent")));
        chown(&file, Some(STRANGER), None).unwrap();
        assert!(!only_roots_path(&file));
    }

    #[test]
    fn root_does_not_run_links_that_others_can_replace() {
        let Some(tree) = roots_tree() else { return };
        let good = program(&tree, "good", 0o755);
        let open = tree.path().join("open");
        fs::create_dir(&open).unwrap();
        symlink(&good, open.join("program")).unwrap();
        for mode in [0o777, 0o1777, 0o775] {
            set(&open, mode);
            assert_eq!(runnable(&open.join("program"), 0), None, "{mode:o}");
        }
        set(&open, 0o755);
        chown(&open, Some(STRANGER), None).unwrap();
        assert_eq!(runnable(&open.join("program"), 0), None);
    }
}
