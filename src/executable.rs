//! Programs in PATH, and which of them may be run.

use rustix::fs::{Access, access};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directories of PATH; empty and relative entries, which mean wherever the caller happens to stand,
/// are passed over.
pub(crate) fn path_entries(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|entry| entry.is_absolute())
}

/// What to run for this file of PATH: a regular file that this user may run. For root it is the file itself,
/// links resolved, and neither it nor a directory on the way to it is anybody else's to change: so that what
/// was looked at is what is run, however much time passes in between.
pub(crate) fn runnable(file: &Path, uid: u32) -> Option<PathBuf> {
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

/// Where sudo looks by itself: the `secure_path` of Debian and Ubuntu.
const SECURE_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Whether sudo runs this very file for `name`.
pub(crate) fn sudo_finds(file: &Path, name: &str) -> bool {
    finds_in(&SECURE_PATH.map(Path::new), file, name)
}

fn finds_in(directories: &[&Path], file: &Path, name: &str) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    let first = directories.iter().map(|directory| directory.join(name)).find(|found| found.is_file());
    first.is_some_and(|first| identity(&first) == identity(file))
}

/// Whether nobody but root can change this file, or put another one in its place.
pub(crate) fn only_roots_path(file: &Path) -> bool {
    std::fs::canonicalize(file).is_ok_and(|real| only_roots_way(&real))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const STRANGER: u32 = 54_321;

    /// A tree whose directories and files are root's; `None` for others, which is printed.
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

    /// Makes `DIRECTORY/program`, the directory with this mode.
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
    fn only_a_regular_file_that_is_executable_is_runnable() {
        let tree = tempfile::tempdir().unwrap();
        let file = program(&tree, "bin", 0o755);
        assert_eq!(runnable(&file, 1), Some(file.clone()));
        assert_eq!(runnable(file.parent().unwrap(), 1), None, "a directory");
        assert_eq!(runnable(&tree.path().join("absent"), 1), None);
        set(&file, 0o644);
        assert_eq!(runnable(&file, 1), None, "not executable");
    }

    #[test]
    fn what_only_root_can_change_is_runnable_for_root_by_its_real_name() {
        let Some(tree) = roots_tree() else { return };
        let file = program(&tree, "bin", 0o755);
        let link = tree.path().join("link");
        symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(runnable(path, 0), Some(fs::canonicalize(&file).unwrap()));
        }
        // As in /tmp: nobody can move what is root's there.
        let deep = program(&tree, "sticky/bin", 0o755);
        set(&tree.path().join("sticky"), 0o1777);
        assert!(runnable(&deep, 0).is_some());
    }

    #[test]
    fn what_others_could_change_is_not_runnable_for_root() {
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
            // By its own name, and behind a link in a directory that is root's.
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
    fn sudo_takes_the_first_file_of_the_name() {
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
    fn a_link_that_others_could_replace_is_not_runnable_for_root() {
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
