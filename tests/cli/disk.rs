//! Shared by the tests of files: snapshots of everything on disk, processes in unusual environments, other
//! users.

use crate::machine::private_mounts;
use crate::world::{As, Shown, USER, World, can_be_root, finish, is_root, only_root, skipped, words};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A user layer in this program's own format, so that only real changes show.
pub const OLD: &str = "\
Active: lab
Remotes:
    lab:
        URI: lab.example.com
        Token: canary
        System: false
        Exclusive: false
";

/// A world with this user layer.
pub fn lab() -> World {
    let world = World::new();
    world.write_user(OLD);
    world
}

/// The user layer after `use DefaultRemote`.
pub fn changed() -> String {
    OLD.replace("Active: lab", "Active: DefaultRemote")
}

/// A user who is neither root nor the ordinary user of a world.
pub const STRANGER: u32 = 54_322;

/// Larger contents are compared by length only.
const MOST: u64 = 1 << 20;

/// A snapshot of everything below a directory: types, owners, modes, times, contents.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture(BTreeMap<PathBuf, String>);

impl Picture {
    /// A snapshot of the whole world except the program itself.
    pub fn of(world: &World) -> Self {
        let mut entries = BTreeMap::new();
        for root in ["home", "etc"] {
            add(&world.path(root), &mut entries);
        }
        Self(entries)
    }

    /// Asserts that no byte, mode or time changed, and that no file was added or removed.
    #[track_caller]
    pub fn is_still(&self, world: &World, what: &str) {
        let now = Self::of(world);
        let other = |a: &Self, b: &Self| -> Vec<String> {
            let differs = a.0.iter().filter(|(path, entry)| b.0.get(*path) != Some(entry));
            differs.map(|(path, entry)| format!("{}: {entry}", path.display())).collect()
        };
        assert_eq!(*self, now, "{what}: was {:#?}, is {:#?}", other(self, &now), other(&now, self));
    }
}

fn add(path: &Path, entries: &mut BTreeMap<PathBuf, String>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        format!("{:?}", fs::read_link(path).unwrap())
    } else if meta.is_file() && meta.len() < MOST {
        fs::read(path)
            .map_or_else(|error| error.to_string(), |bytes| format!("{:?}", String::from_utf8_lossy(&bytes)))
    } else {
        meta.len().to_string()
    };
    let entry = format!(
        "inode {} mode {:o} owner {}:{} changed {}.{} {content}",
        meta.ino(),
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.mtime(),
        meta.mtime_nsec()
    );
    entries.insert(path.to_path_buf(), entry);
    if meta.is_dir()
        && let Ok(listed) = fs::read_dir(path)
    {
        listed.for_each(|entry| add(&entry.unwrap().path(), entries));
    }
}

/// The names in a directory, sorted.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Files that a writer left next to a file: everything hidden except the lock.
pub fn leftovers(dir: &Path) -> Vec<String> {
    names(dir).into_iter().filter(|name| name.starts_with('.') && !name.ends_with(".lock")).collect()
}

/// The program as a process of `who`, started through `wrapper`. Does not change any owner. `None`, with a
/// message, if this user cannot start such a process.
pub fn behind(world: &World, who: As, wrapper: &[&str]) -> Option<Command> {
    world.install();
    let mut all: Vec<String> = match (who, is_root()) {
        (As::Root, true) | (As::User, false) => Vec::new(),
        (As::User, true) => {
            vec![
                "setpriv".into(),
                format!("--reuid={USER}"),
                format!("--regid={USER}"),
                "--clear-groups".into(),
            ]
        }
        (As::Root, false) if can_be_root() => vec!["unshare".into(), "-r".into()],
        (As::Root, false) => return None,
    };
    all.extend(wrapper.iter().map(ToString::to_string));
    all.push(world.exe().into_os_string().into_string().unwrap());
    let mut command = Command::new(&all[0]);
    command
        .args(&all[1..])
        .env_clear()
        .envs(world.environment().iter())
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command.current_dir(world.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// Runs `remote LINE` as a process of `who`. Does not change any owner.
pub fn process(world: &World, who: As, line: &str) -> Option<Shown> {
    Some(finish(behind(world, who, &[])?.args(words(&format!("remote {line}")))))
}

/// Runs a shell script with private mounts. In the script, `$W` is the world, `user …` runs the program as the
/// ordinary user and prints how it ended, and `$OWN` is that user for chown. `mount` ends the script if the
/// mount is not possible. `None`, with a message, in that case or without mount namespaces.
pub fn with_mounts(world: &World, script: &str) -> Option<Shown> {
    world.install();
    world.give_home_to_user();
    let mut command = Command::new("/usr/bin/unshare");
    command.args(private_mounts()?);
    let user = if is_root() {
        format!("setpriv --reuid={USER} --regid={USER} --clear-groups")
    } else {
        format!("unshare -U --map-user={USER} --map-group={USER}")
    };
    let prelude = format!(
        r#"
user() {{ {user} {:?} "$@"; echo "exit $?"; }}
mount() {{ command mount "$@" || exit 99; }}
"#,
        world.exe()
    );
    command.args(["--propagation", "private", "sh", "-c"]).arg(prelude + script);
    command
        .env_clear()
        .envs(world.environment().iter())
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("W", world.path(""));
    command.env("OWN", if is_root() { format!("{USER}:{USER}") } else { "0:0".into() });
    let shown = finish(command.current_dir("/").stdin(Stdio::null()));
    if shown.code == 99 {
        skipped(&format!("needs a mount: {}", shown.stderr.replace(world.path("").to_str().unwrap(), "")));
        return None;
    }
    Some(shown)
}

/// Whether a tool is installed and works. Otherwise prints that the test is skipped.
pub fn has(tool: &str, arguments: &[&str]) -> bool {
    let works = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        skipped(&format!("needs a tool: {tool} is not installed, or does not work here"));
    }
    works
}

/// Runs a system tool, which must succeed, and returns its output.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(tool: &str, arguments: &[S]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{tool}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Gives a file, or the link itself, to another user. Returns false, with a message, if only root could do
/// that.
pub fn give(path: &Path, uid: u32) -> bool {
    let can = only_root("a file of another user");
    if can {
        std::os::unix::fs::lchown(path, Some(uid), Some(uid)).unwrap();
    }
    can
}

pub fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
