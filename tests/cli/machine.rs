//! What this machine and this user allow, and a temporary directory that can always be removed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

pub use crate::skip::{can_mount, can_unshare_with, skipped};

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether an ordinary user can be root in a user namespace.
pub fn can_unshare() -> bool {
    can_unshare_with(&["-r"])
}

/// The same. If not, prints that the root half of the test is skipped.
pub fn can_be_root() -> bool {
    let can = is_root() || can_unshare();
    if !can {
        skipped("needs a user namespace: the part that runs as root");
    }
    can
}

/// Whether this is root. Otherwise prints that `what` is skipped.
pub fn only_root(what: &str) -> bool {
    if !is_root() {
        skipped(&format!("needs root: {what}"));
    }
    is_root()
}

/// The options of `unshare` for root with private mounts. Prints a message if that is not possible.
pub fn private_mounts() -> Option<&'static [&'static str]> {
    let options: &[&str] = if is_root() { &["-m"] } else { &["-r", "-m"] };
    if can_mount(options) {
        return Some(options);
    }
    skipped("needs private mounts: a separate filesystem");
    None
}

/// A temporary directory that is removed at the end whatever modes tests set in it: an ordinary user cannot
/// empty a directory of mode 0500.
pub struct Tree(pub TempDir);

impl Drop for Tree {
    fn drop(&mut self) {
        allow(self.0.path());
    }
}

fn allow(directory: &Path) {
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        allow(&entry.path());
    }
}

#[test]
fn a_tree_with_read_only_directories_is_removed() {
    let tree = Tree(tempfile::tempdir().unwrap());
    let root = tree.0.path().to_path_buf();
    fs::create_dir_all(root.join("closed/inside")).unwrap();
    fs::write(root.join("closed/inside/file"), "x").unwrap();
    for (directory, mode) in [("closed/inside", 0o500), ("closed", 0o0)] {
        fs::set_permissions(root.join(directory), fs::Permissions::from_mode(mode)).unwrap();
    }
    drop(tree);
    assert!(!root.exists());
}
