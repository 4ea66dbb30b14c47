//! A directory that is opened once: what is made, read, renamed or removed in it goes through that handle,
//! whatever becomes of the path meanwhile. And how a directory is made, with its mode and owner.

use super::place::{self, FILE, Missing, Way};
use super::trust::{self, quoted};
use super::{Identity, meta};
use crate::error::{Failure, Result, ResultExt};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, fstat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

/// As many directories are made on one path at most: more would be a link that keeps moving.
const MOST_MADE: usize = 64;

/// An open directory, whose path was followed and judged once.
#[derive(Debug)]
pub struct Directory {
    pub(super) open: OwnedFd,
    pub(super) stat: Stat,
    pub(super) who: Identity,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory at `path`, relative to the working directory if it is relative. `None`: it, or one
    /// above it, does not exist.
    ///
    /// # Errors
    /// Something on the way is no directory, may not be searched, or is a link that must not be followed.
    pub fn open(path: &Path, who: Identity) -> Result<Option<Self>> {
        match place::directory(path).map_err(|blocked| Failure::new(blocked.sentence()))? {
            Ok(way) => Self::of(way, who).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// As `open`. Makes what is missing, 0700, for the owner of the directory that it is made in.
    ///
    /// # Errors
    /// As `open`, or a directory cannot be made.
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

    /// The directory that `path` leads to after its links were judged by the caller.
    pub(super) fn judged(open: OwnedFd, stat: Stat, path: PathBuf, who: Identity) -> Self {
        Self { open, stat, who, path }
    }

    /// Its path without links, for messages.
    pub fn path(&self) -> PathBuf {
        place::shown(&self.path)
    }

    /// Opens a regular file in it for reading; `None` for everything else. Follows no link.
    pub fn file(&self, name: &OsStr) -> Option<File> {
        let file: File = openat(&self.open, name, FILE, Mode::empty()).ok()?.into();
        file.metadata().ok()?.is_file().then_some(file)
    }
}

/// Makes the first directory that is missing.
fn make_first(missing: &Missing, who: Identity) -> Result<()> {
    let parent = fstat(&missing.parent)?;
    if let Some(distrust) = trust::judge_way(who, &missing.links, &parent, None) {
        return Err(distrust.into_failure());
    }
    match make(&missing.parent, &parent, &missing.leaf, 0o700, who) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno).fail_context(|| {
            format!("making the directory {}", missing.parent_path.join(&missing.leaf).display())
        }),
    }
}

/// The same directory, for listing and syncing it.
pub(super) fn readable(dir: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Makes the directory `leaf` in `parent` with this mode whatever the umask; what root makes in
/// somebody's directory gets that directory's owner and group.
pub(super) fn make(
    parent: &OwnedFd,
    parent_stat: &Stat,
    leaf: &OsStr,
    mode: u32,
    who: Identity,
) -> rustix::io::Result<()> {
    mkdirat(parent, leaf, Mode::from_raw_mode(mode))?;
    finish(parent, parent_stat, leaf, mode, who)?;
    let _ = readable(parent).and_then(rustix::fs::fsync);
    Ok(())
}

/// Gives a directory that was just made its mode and owner.
fn finish(
    parent: &OwnedFd,
    parent_stat: &Stat,
    leaf: &OsStr,
    mode: u32,
    who: Identity,
) -> rustix::io::Result<()> {
    let bits = Mode::from_raw_mode(mode);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match openat(parent, leaf, flags, Mode::empty()) {
        // A umask that shut ourselves out. Never root's case, whom a link put in its place could mislead.
        Err(Errno::ACCESS) if !who.is_root() => {
            rustix::fs::chmodat(parent, leaf, bits, AtFlags::empty())?;
            openat(parent, leaf, flags, Mode::empty())?
        }
        opened => opened?,
    };
    let made = fstat(&dir)?;
    let handed_over = meta::is_handed_over(parent_stat, who);
    if who.is_root() {
        require_new(&dir, &made, handed_over)?;
    }
    if made.st_mode & 0o7777 != mode {
        rustix::fs::fchmod(&dir, bits)?;
    }
    if handed_over {
        meta::own(dir.as_fd(), parent_stat.st_uid, parent_stat.st_gid).inspect_err(|_| {
            let _ = unlinkat(parent, leaf, AtFlags::REMOVEDIR);
        })?;
    }
    Ok(())
}

/// Whoever can write the parent could have put another of root's directories here since this one was made.
/// An empty one is no loss. What is given away must be root's: a user could not have made it otherwise.
fn require_new(dir: &OwnedFd, made: &Stat, handed_over: bool) -> rustix::io::Result<()> {
    if handed_over && made.st_uid != 0 {
        return Err(Errno::PERM);
    }
    let mut entries = Dir::read_from(dir)?.flatten();
    if entries.all(|entry| [c".", c".."].contains(&entry.file_name())) {
        return Ok(());
    }
    Err(Errno::NOTEMPTY)
}

/// Where a file can be placed: an open directory, and a name in it.
#[derive(Debug)]
pub struct Destination {
    /// Links followed.
    pub directory: Directory,
    /// Never a link that was there when it was looked at.
    pub name: std::ffi::OsString,
    /// What has that name now.
    pub found: Option<Found>,
}

/// What is in the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Something else: `a device`.
    Other(&'static str),
}

impl Destination {
    /// Follows `path`, and opens the directory that the file is in, or would be in.
    ///
    /// # Errors
    /// There is no such directory; or a link on the way must not be followed, or leads to nothing.
    pub fn find(path: &Path, who: Identity) -> Result<Self> {
        let shown = path.display();
        let place = match place::resolve(path, place::Last::Look) {
            Ok(place::Resolved::Place(place)) => place,
            Ok(place::Resolved::Missing(missing)) => return Err(no_directory(path, &missing)),
            Err(place::Blocked { errno: Errno::ISDIR, .. }) => {
                return Err(Failure::new(format!("{shown} is a directory")));
            }
            Err(blocked) => {
                return Err(Failure::new(blocked.sentence()).context(format!("looking at {shown}")));
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
            _ => Self::Other("of an unknown kind"),
        }
    }
}

fn leads_to_nothing(path: &Path) -> Failure {
    Failure::new(format!("{} is a link to what does not exist", path.display()))
}

fn no_directory(path: &Path, missing: &Missing) -> Failure {
    if missing.links.last().is_some_and(|link| link.last) {
        return leads_to_nothing(path);
    }
    let directory = missing.parent_path.join(&missing.leaf);
    let wanted = path.parent().unwrap_or(path);
    Failure::new(format!("the directory {} does not exist", directory.display()))
        .hint(format!("mkdir -p {}", quoted(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    /// As if the directory that was just made had been exchanged for another one.
    fn finished(found: &Path, who: Identity) -> rustix::io::Result<()> {
        let (parent, leaf) = (found.parent().unwrap(), found.file_name().unwrap());
        let parent = Directory::open(parent, who).unwrap().unwrap();
        finish(&parent.open, &parent.stat, leaf, 0o700, who)
    }

    #[test]
    fn root_gives_away_only_an_empty_directory_of_its_own() {
        let who = Identity { uid: rustix::process::geteuid().as_raw() };
        let world = tempfile::tempdir().unwrap();
        let home = world.path().join("home");
        if !who.is_root() || chown(world.path(), Some(54_321), Some(54_321)).is_err() {
            return crate::skip::skipped("needs root: a directory of another user");
        }
        let of = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.mode() & 0o777)
        };
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(home.join("file"), "x").unwrap();
        assert_eq!((finished(&home, who), of(&home)), (Err(Errno::NOTEMPTY), (0, 0o755)));
        fs::remove_file(home.join("file")).unwrap();
        chown(&home, Some(54_322), None).unwrap();
        assert_eq!((finished(&home, who), of(&home)), (Err(Errno::PERM), (54_322, 0o755)));
        chown(&home, Some(0), None).unwrap();
        assert_eq!((finished(&home, who), of(&home)), (Ok(()), (54_321, 0o700)));
    }
}
