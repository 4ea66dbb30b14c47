//! Tests of this module on real directories. Tests that need root (another uid, a mount) run in their own thread with
//! its own uid or mount namespace, and are skipped for ordinary users.

mod links;
mod meta;
mod mounts;
mod odd;
mod reading;
mod trust;
mod writing;

use super::{Change, Identity, Target, Trusted, update};
use crate::error::Result;
use crate::message::Talk;
use crate::message::sink::Sink;
use crate::skip::{can_mount, skipped};
use rustix::fs::{Gid, Mode, Uid};
use rustix::thread::UnshareFlags;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

const LIMIT: u64 = 1 << 20;

/// A uid that is not in the passwd file.
const SOMEBODY: u32 = 54321;
const STRANGER: u32 = 54322;

/// Trusts this owner of the executable.
fn owner_trusted(uid: u32) -> Trusted {
    Trusted { owner: Some(uid), group: None }
}

fn me() -> Identity {
    Identity { uid: rustix::process::geteuid().as_raw() }
}

/// Whether tests that need root can run. Root must be able to use every uid. Otherwise reports a skipped test.
fn root() -> bool {
    let every_uid = || fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295"));
    let root = me().is_root() && every_uid();
    if !root {
        skipped("needs root: a file of another user, or a mount");
    }
    root
}

/// Whether root can create mounts that other tests do not see. Otherwise reports a skipped test.
fn mounts() -> bool {
    let root = root();
    let can = root && can_mount(&[]);
    if root && !can {
        skipped("needs private mounts: a separate filesystem");
    }
    can
}

/// A directory for one test. `tempfile` creates it with mode 0700.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        // The parent directories get the usual modes, regardless of the umask of the user who runs the tests.
        rustix::process::umask(Mode::from_raw_mode(0o022));
        Self(tempfile::tempdir().unwrap())
    }

    /// A directory owned by `uid`.
    fn of(uid: u32) -> Self {
        let world = Self::new();
        std::os::unix::fs::chown(world.path(""), Some(uid), Some(uid)).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.path().to_path_buf() } else { self.0.path().join(name) }
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        chmod(&path, mode);
        path
    }

    /// The names in a directory, sorted.
    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(dir)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Runs `body` and returns its messages of all levels.
fn said<T>(body: impl FnOnce(&Talk) -> T) -> (T, String) {
    let sink = Sink::default();
    let done = body(&Talk::new(Box::new(sink.clone()), 5, false));
    (done, sink.text())
}

/// A change that replaces any content with `text`.
fn to(text: &str) -> impl FnMut(Option<&[u8]>) -> Result<Option<Vec<u8>>> {
    let text = text.as_bytes().to_vec();
    move |_| Ok(Some(text.clone()))
}

fn apply(target: &Target<'_>, who: Identity, change: Change<'_>) -> Result<bool> {
    said(|talk| update(target, who, talk, change)).0
}

/// Writes `text` to a user's file as the current user.
fn set(path: &Path, text: &str) -> Result<bool> {
    apply(&Target::user(path, LIMIT), me(), &mut to(text))
}

/// The message and hints of an error.
fn told<T: std::fmt::Debug>(result: Result<T>) -> String {
    let failure = result.unwrap_err();
    format!(
        "{}\n{}",
        failure.message(),
        failure.hints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    )
}

/// Runs `body` in a thread with its own umask.
fn with_umask<T: Send>(mask: u32, body: impl FnOnce() -> T + Send) -> T {
    alone(UnshareFlags::FS, || {
        rustix::process::umask(Mode::from_raw_mode(mask));
        body()
    })
}

/// Runs `body` in a thread as `uid`. Needs root.
fn as_uid<T: Send>(uid: u32, body: impl FnOnce(Identity) -> T + Send) -> T {
    alone(UnshareFlags::FS, || {
        let (id, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(id, id, id).unwrap();
        body(Identity { uid })
    })
}

/// Runs `body` in a thread with its own mount namespace. Needs root.
fn with_mounts<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    alone(UnshareFlags::FS | UnshareFlags::NEWNS, || {
        run("mount", &["--make-rprivate", "/"]);
        body()
    })
}

#[expect(deprecated, reason = "unsafe only for file descriptors, which stay shared here")]
fn alone<T: Send>(flags: UnshareFlags, body: impl FnOnce() -> T + Send) -> T {
    let thread = move || {
        rustix::thread::unshare(flags).unwrap();
        body()
    };
    std::thread::scope(|scope| scope.spawn(thread).join()).unwrap()
}

/// Runs a system tool with the mounts and uid of this thread.
fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

fn str(path: &Path) -> &str {
    path.to_str().unwrap()
}
