//! Path resolution: follows every symlink itself and returns an open directory and a file name.
//!
//! The kernel does not follow the symlinks for two reasons. Each one can be checked, and later operations use the
//! directory that was checked, even if something on the path is renamed meanwhile.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, fstat, fstatfs, fstatvfs,
    openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The kernel also follows 40 symlinks before it returns ELOOP.
const MOST_LINKS: usize = 40;

/// Opens a directory as a base for other calls. Needs no read permission.
pub(super) const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a file for reading. Does not follow a symlink and does not block, for instance on a FIFO.
pub(super) const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW);

/// A resolved path: the directory and the name in it. The file need not exist.
#[derive(Debug)]
pub(super) struct Place {
    /// Opened with O_PATH.
    pub dir: OwnedFd,
    /// The path of `dir` without symlinks, for messages. Relative if the given path was.
    pub dir_path: PathBuf,
    /// Was not a symlink when it was resolved, except if `magic` is set.
    pub name: OsString,
    /// Every symlink that was followed, in order.
    pub links: Vec<Link>,
    /// The file, open for reading but not checked yet. Only set if no symlink was followed.
    pub opened: Option<OwnedFd>,
    /// `lstat` of the file, if a symlink was followed or the file was not opened. If this and `opened` are both
    /// `None` and `magic` is false, the file does not exist.
    pub found: Option<Stat>,
    /// The file is a `/proc` magic link, as `/dev/stdin` leads to. Its target cannot be resolved by reading it.
    pub magic: bool,
}

/// A symlink that was followed, and its state at that time.
#[derive(Debug)]
pub(super) struct Link {
    pub path: PathBuf,
    pub stat: Stat,
    /// The directory that contains the symlink. Whoever can write to it can redirect the symlink.
    pub dir_path: PathBuf,
    pub dir: Stat,
    /// That directory is on a read-only mount. Only determined if its mode lets others write, otherwise false.
    pub dir_is_read_only: bool,
    /// The final path component, rather than a directory, was this symlink.
    pub last: bool,
}

/// The result of resolving a path.
#[derive(Debug)]
pub(super) enum Resolved {
    Place(Place),
    /// A directory on the path does not exist.
    Missing(Missing),
}

/// A resolved directory, and the symlinks that led to it.
#[derive(Debug)]
pub(super) struct Way {
    /// Opened with O_PATH.
    pub dir: OwnedFd,
    /// Without symlinks. Relative if the given path was.
    pub dir_path: PathBuf,
    pub links: Vec<Link>,
}

/// How to handle the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Open it for reading right away. In the usual case, without symlinks, this saves a `stat`.
    Open,
    /// Only `stat` it.
    Look,
}

/// The first missing directory on a path.
#[derive(Debug)]
pub(super) struct Missing {
    /// The last directory that exists.
    pub parent: OwnedFd,
    pub parent_path: PathBuf,
    /// The name of the missing directory in `parent`.
    pub leaf: OsString,
    /// More directories below this one are missing.
    pub deeper: bool,
    pub links: Vec<Link>,
}

/// Why a path could not be resolved.
#[derive(Debug)]
pub(super) struct Blocked {
    pub path: PathBuf,
    pub errno: Errno,
}

impl Place {
    /// The path of the file without symlinks.
    pub(super) fn path(&self) -> PathBuf {
        self.dir_path.join(&self.name)
    }

    /// The directory as a user would type it.
    pub(super) fn shown_dir(&self) -> PathBuf {
        shown(&self.dir_path)
    }

    /// Whether both are the same name in the same directory, by device and inode.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same = |a: Stat, b: Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        self.name == other.name
            && matches!((fstat(&self.dir), fstat(&other.dir)), (Ok(a), Ok(b)) if same(a, b))
    }

    /// A hidden name in the same directory: `.<basename><suffix>`.
    pub(super) fn sibling(&self, suffix: &str) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(suffix);
        name
    }
}

/// Shows an empty path, which means the working directory, as `.`.
pub(super) fn shown(dir_path: &Path) -> PathBuf {
    if dir_path.as_os_str().is_empty() { PathBuf::from(".") } else { dir_path.to_path_buf() }
}

/// Resolves `path` to a file, which need not exist. The kernel checks permissions: every directory on the path must be
/// searchable.
pub(super) fn resolve(path: &Path, last: Last) -> Result<Resolved, Blocked> {
    let mut walk = match Walk::straight(path) {
        Some(walk) => walk,
        None => Walk::start(path)?,
    };
    while let Some(name) = walk.pending.pop_front() {
        let outcome =
            if walk.pending.is_empty() && name != ".." { walk.last(name, last) } else { walk.enter(name) };
        if let Some(resolved) = outcome? {
            return Ok(resolved);
        }
    }
    // `/`, `..`, or a symlink to one of them.
    Err(Blocked { path: shown(&walk.dir_path), errno: Errno::ISDIR })
}

/// Resolves `path` to a directory. The inner error means that the directory or one of its parents does not exist.
pub(super) fn directory(path: &Path) -> Result<Result<Way, Missing>, Blocked> {
    if let Some(dir) = no_links(path) {
        return Ok(Ok(Way { dir, dir_path: path.components().collect(), links: Vec::new() }));
    }
    let mut walk = Walk::start(path)?;
    while let Some(name) = walk.pending.pop_front() {
        if let Some(Resolved::Missing(missing)) = walk.enter(name)? {
            return Ok(Err(missing));
        }
    }
    match walk.dir {
        Some(dir) => Ok(Ok(Way { dir, dir_path: walk.dir_path, links: walk.links })),
        None => Err(Blocked { path: path.to_path_buf(), errno: Errno::NOENT }),
    }
}

/// Opens the directory in one system call if the path is absolute and contains no symlinks, which is the usual case.
/// After any error the caller walks the path step by step and reports the error from there.
fn no_links(path: &Path) -> Option<OwnedFd> {
    let plain = |component| matches!(component, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) {
        return None;
    }
    openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()
}

struct Walk {
    /// `None` once the walk is over.
    dir: Option<OwnedFd>,
    dir_path: PathBuf,
    pending: VecDeque<OsString>,
    links: Vec<Link>,
}

type Step = Result<Option<Resolved>, Blocked>;

impl Walk {
    fn start(path: &Path) -> Result<Self, Blocked> {
        let mut walk =
            Self { dir: None, dir_path: PathBuf::new(), pending: VecDeque::new(), links: Vec::new() };
        if !path.is_absolute() {
            walk.go_to(".", PathBuf::new())?;
        }
        walk.push(path)?;
        Ok(walk)
    }

    /// Starts in the parent directory of `path` if that can be opened in one call.
    fn straight(path: &Path) -> Option<Self> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        let dir = no_links(parent)?;
        let pending = VecDeque::from([name.to_os_string()]);
        // `components` drops double slashes and single dots.
        Some(Self { dir: Some(dir), dir_path: parent.components().collect(), pending, links: Vec::new() })
    }

    fn go_to(&mut self, start: &str, dir_path: PathBuf) -> Result<(), Blocked> {
        let opened = openat(CWD, start, DIRECTORY, Mode::empty());
        self.dir = Some(opened.map_err(|errno| Blocked { path: start.into(), errno })?);
        self.dir_path = dir_path;
        Ok(())
    }

    /// Inserts the components of `path` before the pending ones.
    fn push(&mut self, path: &Path) -> Result<(), Blocked> {
        if path.is_absolute() {
            self.go_to("/", PathBuf::from("/"))?;
        }
        for component in path.components().rev() {
            match component {
                Component::Normal(name) => self.pending.push_front(name.to_os_string()),
                Component::ParentDir => self.pending.push_front("..".into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn dir(&self) -> rustix::fd::BorrowedFd<'_> {
        self.dir.as_ref().map_or(CWD, AsFd::as_fd)
    }

    fn blocked(&self, name: &OsStr, errno: Errno) -> Blocked {
        Blocked { path: self.dir_path.join(name), errno }
    }

    /// Handles the last component: the file itself, or a symlink.
    fn last(&mut self, name: OsString, last: Last) -> Step {
        if self.links.is_empty() && last == Last::Open {
            match openat(self.dir(), &name, FILE, Mode::empty()) {
                Ok(file) => return Ok(self.place(name, Some(file), None, false)),
                Err(Errno::NOENT) => return Ok(self.place(name, None, None, false)),
                // A symlink, or a file that cannot be opened: `stat` it.
                Err(_) => {}
            }
        }
        let found = match statat(self.dir(), &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(self.place(name, None, None, false)),
            Err(errno) => return Err(self.blocked(&name, errno)),
        };
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            return Ok(self.place(name, None, Some(found), false));
        }
        match readlinkat(self.dir(), &name, Vec::new()) {
            Ok(_) if in_proc(self.dir()) => Ok(self.place(name, None, None, true)),
            Ok(text) => self.cross(&name, &text.into_bytes()),
            // The symlink was removed meanwhile.
            Err(Errno::NOENT) => Ok(self.place(name, None, None, false)),
            Err(Errno::INVAL) => self.last(name, last),
            Err(errno) => Err(self.blocked(&name, errno)),
        }
    }

    fn place(
        &mut self,
        name: OsString,
        opened: Option<OwnedFd>,
        found: Option<Stat>,
        magic: bool,
    ) -> Option<Resolved> {
        let dir = self.dir.take()?;
        let (dir_path, links) = (std::mem::take(&mut self.dir_path), std::mem::take(&mut self.links));
        Some(Resolved::Place(Place { dir, dir_path, name, links, opened, found, magic }))
    }

    /// Enters a directory on the path, or follows a symlink to one. O_DIRECTORY also triggers an automount.
    fn enter(&mut self, name: OsString) -> Step {
        match openat(self.dir(), &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(dir) => {
                self.dir = Some(dir);
                step_path(&mut self.dir_path, &name);
                Ok(None)
            }
            Err(Errno::NOENT) => Ok(self.missing(name)),
            Err(Errno::NOTDIR | Errno::LOOP) => match readlinkat(self.dir(), &name, Vec::new()) {
                Ok(text) => self.cross(&name, &text.into_bytes()),
                Err(Errno::INVAL) => Err(self.blocked(&name, Errno::NOTDIR)),
                Err(errno) => Err(self.blocked(&name, errno)),
            },
            Err(errno) => Err(self.blocked(&name, errno)),
        }
    }

    fn missing(&mut self, leaf: OsString) -> Option<Resolved> {
        let parent = self.dir.take()?;
        let (parent_path, links) = (std::mem::take(&mut self.dir_path), std::mem::take(&mut self.links));
        Some(Resolved::Missing(Missing { parent, parent_path, leaf, deeper: self.pending.len() > 1, links }))
    }

    fn cross(&mut self, name: &OsStr, text: &[u8]) -> Step {
        if self.links.len() == MOST_LINKS {
            return Err(self.blocked(name, Errno::LOOP));
        }
        let stats = statat(self.dir(), name, AtFlags::SYMLINK_NOFOLLOW)
            .and_then(|link| Ok((link, fstat(self.dir())?)))
            .map_err(|errno| self.blocked(name, errno))?;
        self.links.push(Link {
            path: self.dir_path.join(name),
            stat: stats.0,
            dir_path: shown(&self.dir_path),
            dir: stats.1,
            dir_is_read_only: stats.1.st_mode & 0o022 != 0 && is_read_only(self.dir()),
            last: self.pending.is_empty(),
        });
        self.push(Path::new(OsStr::from_bytes(text)))?;
        Ok(None)
    }
}

/// Appends `name`. `dir_path` contains no symlinks, so `..` can simply remove its last component.
fn step_path(dir_path: &mut PathBuf, name: &OsStr) {
    let named = matches!(dir_path.components().next_back(), Some(Component::Normal(_)));
    if name != ".." {
        dir_path.push(name);
    } else if named {
        dir_path.pop();
    } else if dir_path != Path::new("/") {
        dir_path.push("..");
    }
}

/// Whether the file is on a read-only mount.
pub(super) fn is_read_only(file: impl AsFd) -> bool {
    fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn in_proc(dir: impl AsFd) -> bool {
    fstatfs(dir).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC)
}
