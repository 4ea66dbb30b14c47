//! Where a path really leads: every symbolic link on the way followed by hand, into an open directory.
//!
//! Links are followed here and not by the kernel for two reasons: each one can be judged, and what is
//! done later is done relative to the directory that was looked at, whatever is renamed meanwhile.

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

/// As many links as the kernel follows before it says ELOOP.
const MOST_LINKS: usize = 40;

/// A directory that is only a place to start from: no read permission needed.
pub(super) const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A file for reading: no link, and nothing that is waited for.
pub(super) const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW);

/// The final directory and the name in it; the file itself may not exist.
#[derive(Debug)]
pub(super) struct Place {
    /// Opened with O_PATH.
    pub dir: OwnedFd,
    /// Without links, for messages. Relative if the path was.
    pub dir_path: PathBuf,
    /// Never a link that was there when we looked, except in `/proc`.
    pub name: OsString,
    /// Every link that was crossed, in order.
    pub links: Vec<Link>,
    /// The file, where only the path itself led to it, and no link: open for reading, not looked at yet.
    pub opened: Option<OwnedFd>,
    /// What stands there, where a link led to it, or where it cannot be opened. Nothing is there without one
    /// of the two, but for what is `magic`.
    pub found: Option<Stat>,
    /// A link of `/proc` such as `/dev/stdin` leads to: no text that could be followed.
    pub magic: bool,
}

/// A symbolic link that was followed, as it was then.
#[derive(Debug)]
pub(super) struct Link {
    pub path: PathBuf,
    pub stat: Stat,
    /// The directory that holds the link: who can write there can turn it elsewhere.
    pub dir_path: PathBuf,
    pub dir: Stat,
    /// That directory is on a read-only mount. Only asked where its mode lets others write.
    pub dir_is_read_only: bool,
    /// The link took the place of the file, not of a directory on the way.
    pub last: bool,
}

/// What a path leads to.
#[derive(Debug)]
pub(super) enum Resolved {
    /// A directory and a name in it.
    Place(Place),
    /// A directory on the way does not exist.
    Missing(Missing),
}

/// A directory that a path names, and how it was reached.
#[derive(Debug)]
pub(super) struct Way {
    /// Opened with O_PATH.
    pub dir: OwnedFd,
    /// Without links. Relative if the path was.
    pub dir_path: PathBuf,
    pub links: Vec<Link>,
}

/// What to do with the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// It is opened at once for reading, which saves the usual case a look.
    Open,
    /// It is only looked at.
    Look,
}

/// The first directory on the way that is missing.
#[derive(Debug)]
pub(super) struct Missing {
    /// The last directory that exists.
    pub parent: OwnedFd,
    pub parent_path: PathBuf,
    /// The one that does not.
    pub leaf: OsString,
    /// More than this one is missing.
    pub deeper: bool,
    pub links: Vec<Link>,
}

/// Why a path could not be followed to its end.
#[derive(Debug)]
pub(super) struct Blocked {
    pub path: PathBuf,
    pub errno: Errno,
}

impl Place {
    /// The path of the file, without links.
    pub(super) fn path(&self) -> PathBuf {
        self.dir_path.join(&self.name)
    }

    /// The directory as a user would type it.
    pub(super) fn shown_dir(&self) -> PathBuf {
        shown(&self.dir_path)
    }

    /// Whether both are the same name in the same directory.
    pub(super) fn is(&self, other: &Self) -> bool {
        let same = |a: Stat, b: Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        self.name == other.name
            && matches!((fstat(&self.dir), fstat(&other.dir)), (Ok(a), Ok(b)) if same(a, b))
    }

    /// A name beside the file, hidden: `.<basename><suffix>`.
    pub(super) fn sibling(&self, suffix: &str) -> OsString {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(suffix);
        name
    }
}

/// An empty relative path is the working directory.
pub(super) fn shown(dir_path: &Path) -> PathBuf {
    if dir_path.as_os_str().is_empty() { PathBuf::from(".") } else { dir_path.to_path_buf() }
}

/// Follows `path` to a file, which may be missing. Permissions are the kernel's: every directory on the way
/// must be searchable.
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
    // `/`, `..` or a link to one of them.
    Err(Blocked { path: shown(&walk.dir_path), errno: Errno::ISDIR })
}

/// Follows `path` to a directory. The inner error: it, or one above it, is missing.
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

/// Opens the directory in one call of the system, if the path is absolute and no link lies on it: the usual
/// case. Whatever is in the way is found again, and named, by the walk step by step.
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

    /// The whole way at once, up to the name of the file.
    fn straight(path: &Path) -> Option<Self> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        let dir = no_links(parent)?;
        let pending = VecDeque::from([name.to_os_string()]);
        // Without the double slashes and dots that it may have been written with.
        Some(Self { dir: Some(dir), dir_path: parent.components().collect(), pending, links: Vec::new() })
    }

    fn go_to(&mut self, start: &str, dir_path: PathBuf) -> Result<(), Blocked> {
        let opened = openat(CWD, start, DIRECTORY, Mode::empty());
        self.dir = Some(opened.map_err(|errno| Blocked { path: start.into(), errno })?);
        self.dir_path = dir_path;
        Ok(())
    }

    /// Puts the components of `path` in front of what is still to be walked.
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

    /// The name of the file itself, or a link in its place.
    fn last(&mut self, name: OsString, last: Last) -> Step {
        if self.links.is_empty() && last == Last::Open {
            match openat(self.dir(), &name, FILE, Mode::empty()) {
                Ok(file) => return Ok(self.place(name, Some(file), None, false)),
                Err(Errno::NOENT) => return Ok(self.place(name, None, None, false)),
                // A link, or what cannot be opened: to be looked at.
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
            // It was a link a moment ago.
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

    /// A directory on the way, or a link to one. O_DIRECTORY also wakes an automount.
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

/// `dir_path` has no links in it, so that `..` takes its last name away.
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

/// Whether nobody can write here because of how it is mounted.
pub(super) fn is_read_only(file: impl AsFd) -> bool {
    fstatvfs(file).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn in_proc(dir: impl AsFd) -> bool {
    fstatfs(dir).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC)
}
