//! An open directory handle. All operations on its entries use that handle, so they stay in the same directory even
//! if its path changes. Also creates directories with the right mode and owner.

use super::identity::Identity;
use super::meta;
use super::place::{self, FILE, Missing, Way};
use super::temporary::temporary_name;
use super::trust::{self};
use crate::error::{Failure, Result, ResultExt};
use crate::hint::CommandLine;
use crate::signals;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, RenameFlags, Stat, fstat, mkdirat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

/// How many directories are created for one path at most. Only a symlink that keeps changing needs more.
const MOST_MADE: usize = 64;

/// An open directory. Its path was resolved and checked once.
#[derive(Debug)]
pub struct Directory {
    pub(super) open: OwnedFd,
    pub(super) stat: Stat,
    pub(super) who: Identity,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory at `path`. A relative path starts at the working directory. Returns `None` if the directory
    /// or one of its parents does not exist.
    ///
    /// # Errors
    /// Part of the path is not a directory, is not searchable, or is a symlink that must not be followed.
    pub fn open(path: &Path, who: Identity) -> Result<Option<Self>> {
        match place::directory(path).map_err(|blocked| Failure::new(blocked.sentence()))? {
            Ok(way) => Self::of(way, who).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Like `open`, but creates missing directories with mode 0700. Each gets the owner of its parent directory.
    ///
    /// # Errors
    /// Those of `open`, or a directory cannot be created.
    pub fn open_or_make(path: &Path, who: Identity) -> Result<Self> {
        for _ in 0..MOST_MADE {
            match place::directory(path).map_err(|blocked| Failure::new(blocked.sentence()))? {
                Ok(way) => return Self::of(way, who),
                Err(missing) => make_first(&missing, who)?,
            }
        }
        Err(Failure::new(format!("the path {} keeps changing", path.display())))
    }

    fn of(way: Way, who: Identity) -> Result<Self> {
        let stat = fstat(&way.dir)?;
        match trust::judge_way(who, &way.links, &stat, None) {
            Some(distrust) => Err(distrust.into_failure()),
            None => Ok(Self { open: way.dir, stat, who, path: way.dir_path }),
        }
    }

    /// The directory at `path`. The caller has already checked the symlinks that lead to it.
    pub(super) fn judged(open: OwnedFd, stat: Stat, path: PathBuf, who: Identity) -> Self {
        Self { open, stat, who, path }
    }

    /// Its path with symlinks resolved, for messages.
    pub fn path(&self) -> PathBuf {
        place::shown(&self.path)
    }

    /// Opens a regular file in this directory for reading. Returns `None` for anything else. Does not follow symlinks.
    pub fn file(&self, name: &OsStr) -> Option<File> {
        let file: File = openat(&self.open, name, FILE, Mode::empty()).ok()?.into();
        file.metadata().ok()?.is_file().then_some(file)
    }
}

/// Creates the first missing directory of a path.
fn make_first(missing: &Missing, who: Identity) -> Result<()> {
    let parent = fstat(&missing.parent)?;
    if let Some(distrust) = trust::judge_way(who, &missing.links, &parent, None) {
        return Err(distrust.into_failure());
    }
    match make(&missing.parent, &parent, &missing.leaf, 0o700, who) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).fail_context(|| {
            format!("creating the directory {}", missing.parent_path.join(&missing.leaf).display())
        }),
    }
}

/// Reopens a directory so that it can be listed and synced. O_PATH handles cannot.
pub(super) fn readable(dir: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Creates the directory `leaf` in `parent` with this mode, regardless of the umask. If root creates it in another
/// user's directory, it gets the owner and group of that directory.
pub(super) fn make(
    parent: &OwnedFd,
    parent_stat: &Stat,
    leaf: &OsStr,
    mode: u32,
    who: Identity,
) -> rustix::io::Result<()> {
    if meta::is_handed_over(parent_stat, who) {
        make_for(parent, parent_stat, leaf, mode)?;
    } else {
        mkdirat(parent, leaf, Mode::from_raw_mode(mode))?;
        set_mode(parent, leaf, mode, who)?;
    }
    let _ = readable(parent).and_then(rustix::fs::fsync);
    Ok(())
}

/// Creates the directory for the owner of `parent`. It is created under a temporary name and renamed after its owner
/// is set, so that another process of root cannot put files into it before.
fn make_for(parent: &OwnedFd, owner: &Stat, leaf: &OsStr, mode: u32) -> rustix::io::Result<()> {
    let name = temporary_name(leaf);
    let (held, removed) = (rustix::io::fcntl_dupfd_cloexec(parent, 0)?, name.clone());
    let remove = move || {
        let _ = unlinkat(&held, &removed, AtFlags::REMOVEDIR);
    };
    mkdirat(parent, &name, Mode::from_raw_mode(mode))?;
    let _guard = signals::guard(remove);
    let made = give_away(parent, owner, &name, mode).and_then(|()| take_name(parent, &name, leaf));
    made.inspect_err(|_| {
        let _ = unlinkat(parent, &name, AtFlags::REMOVEDIR);
    })
}

fn take_name(parent: &OwnedFd, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
    match renameat_with(parent, from, parent, to, RenameFlags::NOREPLACE) {
        // Network filesystems lack RENAME_NOREPLACE. A plain rename replaces nothing but an empty directory.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match renameat(parent, from, parent, to) {
            Err(Errno::NOTEMPTY | Errno::NOTDIR) => Err(Errno::EXIST),
            renamed => renamed,
        },
        renamed => renamed,
    }
}

/// Sets mode and owner of a directory that root has just created. The owner of the parent could have replaced it with
/// another directory, so it must be owned by root and be empty. Then nothing of value is given away.
fn give_away(parent: &OwnedFd, owner: &Stat, name: &OsStr, mode: u32) -> rustix::io::Result<()> {
    let dir = openat(parent, name, OPENED, Mode::empty())?;
    let made = fstat(&dir)?;
    if made.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Errno::PERM);
    }
    require_empty(&dir)?;
    if made.st_mode & 0o777 != mode {
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode))?;
    }
    meta::own(dir.as_fd(), owner.st_uid, owner.st_gid)
}

/// Sets the full mode of a new directory, parts of which the umask may have removed. Root first checks that it is
/// empty: a user who can write to the parent could have replaced it with another of root's directories.
fn set_mode(parent: &OwnedFd, leaf: &OsStr, mode: u32, who: Identity) -> rustix::io::Result<()> {
    let bits = Mode::from_raw_mode(mode);
    let dir = match openat(parent, leaf, OPENED, Mode::empty()) {
        // The umask removed our own access. This never happens to root, for whom following a planted symlink here
        // would be dangerous.
        Err(Errno::ACCESS) if !who.is_root() => {
            return rustix::fs::chmodat(parent, leaf, bits, AtFlags::empty());
        }
        opened => opened?,
    };
    if fstat(&dir)?.st_mode & 0o777 == mode {
        return Ok(());
    }
    if who.is_root() {
        require_empty(&dir)?;
    }
    rustix::fs::fchmod(&dir, bits)
}

const OPENED: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn require_empty(dir: &OwnedFd) -> rustix::io::Result<()> {
    let mut entries = Dir::read_from(dir)?.flatten();
    let is_empty = entries.all(|entry| [c".", c".."].contains(&entry.file_name()));
    if is_empty { Ok(()) } else { Err(Errno::NOTEMPTY) }
}

/// The location of an output file: an open directory and a name in it.
#[derive(Debug)]
pub struct Destination {
    /// The directory with symlinks resolved.
    pub directory: Directory,
    /// Was not a symlink when it was checked.
    pub name: std::ffi::OsString,
    /// What exists under that name, if anything.
    pub found: Option<Found>,
}

/// The type of an existing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    File,
    Directory,
    /// Anything else, for messages: `a device`.
    Other(&'static str),
}

impl Destination {
    /// Resolves `path` and opens the directory that contains or would contain the file.
    ///
    /// # Errors
    /// The directory does not exist, or a symlink on the path is broken or must not be followed.
    pub fn find(path: &Path, who: Identity) -> Result<Self> {
        let shown = path.display();
        let place = match place::resolve(path, place::Last::Look) {
            Ok(place::Resolved::Place(place)) => place,
            Ok(place::Resolved::Missing(missing)) => return Err(no_directory(path, &missing)),
            Err(place::Blocked { errno: Errno::ISDIR, .. }) => {
                return Err(Failure::new(format!("{shown} is a directory")));
            }
            Err(blocked) => {
                return Err(Failure::new(blocked.sentence()).context(format!("checking {shown}")));
            }
        };
        if place.magic {
            return Err(Failure::new(format!("{shown} cannot be replaced")));
        }
        let stat = fstat(&place.dir)?;
        if let Some(distrust) = trust::judge_way(who, &place.links, &stat, place.found.as_ref()) {
            return Err(distrust.into_failure());
        }
        if place.found.is_none() && place.links.last().is_some_and(|link| link.last) {
            return Err(leads_to_nothing(path));
        }
        let found = place.found.map(|found| Found::of(&found));
        let directory = Directory::judged(place.dir, stat, place.dir_path, who);
        Ok(Self { directory, name: place.name, found })
    }
}

impl Found {
    fn of(stat: &Stat) -> Self {
        use rustix::fs::FileType::{BlockDevice, CharacterDevice, Directory, Fifo, RegularFile, Socket};
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            RegularFile => Self::File,
            Directory => Self::Directory,
            Fifo => Self::Other("a FIFO"),
            Socket => Self::Other("a socket"),
            BlockDevice | CharacterDevice => Self::Other("a device"),
            _ => Self::Other("of an unknown type"),
        }
    }
}

fn leads_to_nothing(path: &Path) -> Failure {
    Failure::new(format!("{} is a broken symlink", path.display()))
}

fn no_directory(path: &Path, missing: &Missing) -> Failure {
    if missing.links.last().is_some_and(|link| link.last) {
        return leads_to_nothing(path);
    }
    let directory = missing.parent_path.join(&missing.leaf);
    let wanted = path.parent().unwrap_or(path);
    Failure::new(format!("the directory {} does not exist", directory.display()))
        .hint(CommandLine::new("mkdir -p").arg(wanted.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    /// Creates a directory that could have replaced a newly created one.
    fn found(world: &Path, mode: u32, file: bool, owner: u32) -> PathBuf {
        let home = world.join(format!("{mode:o}{file}{owner}"));
        fs::create_dir(&home).unwrap();
        if file {
            fs::write(home.join("file"), "x").unwrap();
        }
        chown(&home, Some(owner), None).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
        home
    }

    #[test]
    fn root_changes_and_gives_away_only_an_empty_directory_of_its_own() {
        let who = Identity { uid: rustix::process::geteuid().as_raw() };
        let world = tempfile::tempdir().unwrap();
        if !who.is_root() || chown(world.path(), Some(54_321), Some(54_321)).is_err() {
            return crate::skip::skipped("needs root: a directory of another user");
        }
        let parent = Directory::open(world.path(), who).unwrap().unwrap();
        let given = |path: &Path| give_away(&parent.open, &parent.stat, path.file_name().unwrap(), 0o700);
        let set = |path: &Path| set_mode(&parent.open, path.file_name().unwrap(), 0o700, who);
        let now = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.mode() & 0o777)
        };
        for (file, owner, gives, sets, after) in [
            (true, 0, Err(Errno::NOTEMPTY), Err(Errno::NOTEMPTY), (0, 0o755)),
            (false, 54_322, Err(Errno::PERM), Ok(()), (54_322, 0o755)),
            (false, 0, Ok(()), Ok(()), (54_321, 0o700)),
        ] {
            let home = found(world.path(), 0o755, file, owner);
            assert_eq!((given(&home), now(&home)), (gives, after), "{file} {owner}");
            let home = found(world.path(), 0o750, file, owner);
            assert_eq!(set(&home), sets, "{file} {owner}");
            // A directory with the right mode is not touched.
            assert_eq!(set(&found(world.path(), 0o700, file, owner)), Ok(()), "{file} {owner}");
        }
    }

    #[test]
    fn a_new_directory_does_not_replace_an_existing_one() {
        let world = tempfile::tempdir().unwrap();
        let who = Identity { uid: rustix::process::geteuid().as_raw() };
        let parent = Directory::open(world.path(), who).unwrap().unwrap();
        let taken = world.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("file"), "x").unwrap();
        assert_eq!(make_for(&parent.open, &parent.stat, OsStr::new("taken"), 0o700), Err(Errno::EXIST));
        assert!(taken.join("file").exists() && fs::read_dir(world.path()).unwrap().count() == 1);
    }
}
