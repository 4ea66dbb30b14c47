//! Reads a file and decides whether it can be trusted. Never writes.

use super::change::Content;
use super::identity::{Identity, Role};
use super::place::{self, Blocked, FILE, Last, Missing, Place, Resolved};
use super::trust::{self, Distrust, quoted};
use crate::error::{Failure, Result, ResultExt};
use crate::hint::CommandLine;
use crate::secret::keep_memory_private;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The result of [`read`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileState {
    /// The whole content, or `None` if the file does not exist.
    pub bytes: Option<Content>,
    /// The file is untrusted: it was read, but [`super::update`] would refuse to write it.
    pub distrust: Option<Distrust>,
    /// Path and cause if a directory on the path of a user's file is inaccessible, such as an unreadable home or a dead
    /// mount. The file counts as absent, with a WARNING. [`super::update`] fails.
    pub unreachable: Option<String>,
    /// Others can read a user's file. That matters if it holds a secret. The next write removes the permission.
    pub readable: Option<Distrust>,
}

/// Omits the content, which can hold secrets.
impl fmt::Debug for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileState")
            .field("length", &self.bytes.as_ref().map(|bytes| bytes.len()))
            .field("distrust", &self.distrust)
            .field("unreachable", &self.unreachable)
            .field("readable", &self.readable)
            .finish()
    }
}

/// A snapshot of the file at a path.
pub(super) enum Look {
    /// The directory exists. The file may be missing.
    Seen(Box<Seen>),
    /// A directory on the path does not exist.
    NoDirectory(Missing),
    /// A parent directory is inaccessible, and the role treats that as "no file".
    Unreachable(Blocked),
}

/// The resolved path, the file (if any), and whether both can be trusted.
pub(super) struct Seen {
    pub place: Place,
    /// `stat` of the directory.
    pub dir: Stat,
    pub file: Option<Found>,
    pub distrust: Option<Distrust>,
}

/// A regular file, opened for reading.
pub(super) struct Found {
    pub file: File,
    pub stat: Stat,
    pub bytes: Content,
}

/// Reads the file at `path`, up to `limit` bytes, and checks the ownership and modes of the file, its directory and the
/// symlinks on its path. Creates nothing and changes nothing.
///
/// # Errors
/// The file is not a regular file, cannot be read, or is larger than `limit`; or symlinks form a loop. For
/// [`Role::Global`] an inaccessible path is also an error: a hidden file must not be mistaken for a missing one.
pub fn read(path: &Path, role: Role, who: Identity, limit: u64) -> Result<FileState> {
    Ok(match look(path, role, who, limit)? {
        Look::NoDirectory(missing) => {
            let parent = fstat(&missing.parent)?;
            let distrust = trust::judge_links(role, who, &missing.links, &parent);
            FileState { distrust, ..FileState::default() }
        }
        Look::Unreachable(blocked) => {
            FileState { unreachable: Some(blocked.sentence()), ..FileState::default() }
        }
        // A missing file can be untrusted too: another user who can write to the directory may have removed it.
        Look::Seen(seen) => FileState {
            readable: seen.readable(role, who),
            distrust: seen.distrust,
            bytes: seen.file.map(|found| found.bytes),
            unreachable: None,
        },
    })
}

impl Seen {
    fn readable(&self, role: Role, who: Identity) -> Option<Distrust> {
        let stat = self.file.as_ref().map(|found| found.stat).filter(|_| role.is_private())?;
        let mode = stat.st_mode & 0o7777;
        let path = self.place.path();
        (mode & 0o044 != 0).then(|| Distrust {
            reason: format!("is readable by others (mode {mode:04o})"),
            remedy: who.remedy(stat.st_uid, format!("chmod 600 {}", quoted(&path))),
            path,
        })
    }
}

impl Blocked {
    pub(super) fn sentence(&self) -> String {
        format!("{}: {}", self.path.display(), self.errno)
    }

    /// Whether the cause is a directory on the path, and not the text of the path itself.
    fn is_of_the_way(&self) -> bool {
        !matches!(self.errno, Errno::LOOP | Errno::ISDIR | Errno::NAMETOOLONG | Errno::INVAL)
    }
}

pub(super) fn look(path: &Path, role: Role, who: Identity, limit: u64) -> Result<Look> {
    let mut place = match place::resolve(path, Last::Open) {
        Ok(Resolved::Place(place)) => place,
        Ok(Resolved::Missing(missing)) => return Ok(Look::NoDirectory(missing)),
        Err(blocked) if role.is_private() && blocked.is_of_the_way() => {
            return Ok(Look::Unreachable(blocked));
        }
        Err(blocked) => {
            return Err(Failure::new(blocked.sentence()).context(format!("reading {}", path.display())));
        }
    };
    let dir = fstat(&place.dir)?;
    let opened = match place.opened.take() {
        Some(file) => Some(file.into()),
        None => open(&place, role, who)?,
    };
    let file = opened.map(|file| found(file, &place, role, limit)).transpose()?;
    let distrust =
        trust::judge(role, who, &place, &dir, file.as_ref().map(|found| (&found.stat, found.file.as_fd())));
    Ok(Look::Seen(Box::new(Seen { place, dir, file, distrust })))
}

/// Opens a file that was not opened during resolution. Checks its type first, because opening some devices has side
/// effects.
fn open(place: &Place, role: Role, who: Identity) -> Result<Option<File>> {
    let path = place.path();
    let found = match (place.found, place.magic) {
        (Some(found), _) => found,
        (None, false) => return Ok(None),
        (None, true) => match statat(&place.dir, &place.name, AtFlags::empty()) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno).fail_context(|| reading(&path)),
        },
    };
    regular(&found, &path)?;
    let flags = if place.magic { FILE.difference(OFlags::NOFOLLOW) } else { FILE };
    match openat(&place.dir, &place.name, flags, Mode::empty()) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(unreadable(&path, &found, role, who, errno)),
    }
}

fn found(file: File, place: &Place, role: Role, limit: u64) -> Result<Found> {
    if role.is_private() {
        // A user's file can hold secrets.
        keep_memory_private();
    }
    let (bytes, stat) = content(&file, &place.path(), limit)?;
    Ok(Found { file, stat, bytes })
}

fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

fn unreadable(path: &Path, stat: &Stat, role: Role, who: Identity, errno: Errno) -> Failure {
    let failure = Failure::from(errno).context(reading(path));
    if errno != Errno::ACCESS {
        return failure;
    }
    let command = |words: &str| CommandLine::new(words).arg(path.display());
    let remedy = match role {
        Role::Global { .. } => who.remedy(0, command("chmod a+r")),
        Role::User if stat.st_uid == who.uid => who.remedy(who.uid, command("chmod u+rw")),
        Role::User => who.remedy(0, command(&format!("chown {}", who.uid))),
    };
    failure.hint(remedy)
}

fn regular(stat: &Stat, path: &Path) -> Result<()> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::Symlink => "a symlink that was just created",
        _ => "a device",
    };
    Err(Failure::new(format!("{} is {kind}, not a regular file", path.display())).hint(
        CommandLine::new("ls -ld").arg(path.display()).because("to see what it is before you move it away"),
    ))
}

/// The whole content of an open file, and its `fstat`.
pub(super) fn content(file: &File, path: &Path, limit: u64) -> Result<(Content, Stat)> {
    let stat = fstat(file)?;
    regular(&stat, path)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > limit {
        return Err(too_large(path, limit));
    }
    // One byte more than the file's size, so that the end is found without growing the buffer.
    let mut bytes = Content::new(vec![0; usize::try_from(size)? + 1]);
    let mut length = 0;
    loop {
        match file.read_at(&mut bytes[length..], length as u64) {
            Ok(0) => break,
            // The first read stopped one byte short of the buffer, at the end of the file. No second read is needed.
            Ok(read) if length == 0 && read + 1 == bytes.len() => {
                length = read;
                break;
            }
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).fail_context(|| reading(path)),
        }
        if length as u64 > limit {
            return Err(too_large(path, limit));
        }
        if length == bytes.len() {
            grow(&mut bytes);
        }
    }
    bytes.truncate(length);
    Ok((bytes, stat))
}

/// Doubles the buffer and wipes the old one.
fn grow(bytes: &mut Content) {
    let mut longer = Content::new(vec![0; bytes.len() * 2]);
    longer[..bytes.len()].copy_from_slice(bytes);
    *bytes = longer;
}

fn too_large(path: &Path, limit: u64) -> Failure {
    Failure::new(format!("{} is larger than {limit} bytes", path.display()))
}
