//! Whom to trust with a file: who owns it, its directory and the links that lead there, and who else can
//! write there.
//!
//! "Others" are everybody but the owner, the group too: what a group shares, each of its members could
//! turn into an address that our tokens are sent to. There is no exception for sticky directories.

use super::identity::{Identity, Role};
use super::place::{Link, Place, is_read_only};
use crate::error::Failure;
use crate::hint::{CommandLine, Hint};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::Stat;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a file is not trusted, and what to type about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// The file, directory or link at fault.
    pub path: PathBuf,
    /// Reads on after the path: `can be written by others (mode 0666)`.
    pub reason: String,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What to do about something that is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A command that the caller can type.
    Run(String),
    /// A command that takes root.
    AsRoot(String),
    /// Something else: `use a directory that only you can write`.
    Do(String),
}

impl Remedy {
    /// At the end of a WARNING.
    pub fn advice(&self) -> String {
        match self {
            Self::Run(command) => format!("run: {command}"),
            other => Hint::from(other.clone()).to_string(),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Run(one), Self::Run(other)) => Self::Run(format!("{one} && {other}")),
            (Self::Run(one) | Self::AsRoot(one), Self::Run(other) | Self::AsRoot(other)) => {
                Self::AsRoot(format!("{one} && {other}"))
            }
            (one, other) => Self::Do(format!("{}; {}", Hint::from(one), other.advice())),
        }
    }
}

/// The command alone, if the caller can type it.
impl From<Remedy> for Hint {
    fn from(remedy: Remedy) -> Self {
        match remedy {
            Remedy::Run(command) => CommandLine::new(&command).into(),
            Remedy::AsRoot(command) => CommandLine::new(&command).because("ask your administrator to run"),
            Remedy::Do(text) => text.into(),
        }
    }
}

impl Distrust {
    /// Path and reason in one sentence, for a WARNING.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.path.display(), self.reason)
    }

    /// Both, so that one hint names all that has to be mended.
    pub fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            reason: format!("{}, and {}", self.reason, other.sentence()),
            remedy: self.remedy.and(other.remedy),
            path: self.path,
        }
    }

    /// The failure of a command that may not go on: the sentence, and the remedy as its hint.
    pub fn into_failure(self) -> Failure {
        Failure::new(self.sentence()).hint(self.remedy)
    }
}

/// A file or directory to be judged.
pub(super) struct Thing<'a> {
    pub path: PathBuf,
    pub stat: &'a Stat,
    pub open: BorrowedFd<'a>,
}

/// Judges what `place` leads to. `dir` is the final directory, `file` the file if there is one.
pub(super) fn judge(
    role: Role,
    who: Identity,
    place: &Place,
    dir: &Stat,
    file: Option<(&Stat, BorrowedFd<'_>)>,
) -> Option<Distrust> {
    let judge = Judge { role, who };
    let directory = Thing { path: place.shown_dir(), stat: dir, open: place.dir.as_fd() };
    let of_file = |(stat, open)| judge.thing(&Thing { path: place.path(), stat, open });
    judge
        .links(&place.links)
        .or_else(|| {
            let of_file = file.and_then(of_file);
            match judge.thing(&directory) {
                Some(of_directory) => Some(of_directory.and(of_file)),
                None => of_file,
            }
        })
        .or_else(|| judge.way(&place.links, dir, file.map(|(stat, _)| stat)))
}

/// Judges the links that led to a directory in which another one is about to be made.
pub(super) fn judge_links(role: Role, who: Identity, links: &[Link], parent: &Stat) -> Option<Distrust> {
    let judge = Judge { role, who };
    judge.links(links).or_else(|| judge.way(links, parent, None))
}

/// Judges the links on the way to a directory that holds no layer: a cache, or that of an output. Which
/// directory that may be is the caller's to choose; who else chose, with a link, is judged.
///
/// Root follows a user's link only to what is that user's as well: otherwise the link would choose which of
/// root's files is replaced, or where root makes one. Nobody follows a stranger's link in a directory such as
/// /tmp, where everybody can place one.
pub(super) fn judge_way(who: Identity, links: &[Link], dir: &Stat, file: Option<&Stat>) -> Option<Distrust> {
    links.iter().find_map(|link| {
        let owner = link.stat.st_uid;
        let planted = link.dir.st_mode & 0o1002 == 0o1002 && owner != who.uid && owner != 0;
        let elsewhere = who.is_root() && leads_elsewhere(link, dir, file);
        let reason = match (planted, elsewhere) {
            (_, true) if owner == 0 && link.dir.st_uid == 0 => {
                "is a link that anybody could place here: everybody can write its directory".to_string()
            }
            (_, true) if owner == 0 => {
                format!("is a link that uid {} could place here, to what is not theirs", link.dir.st_uid)
            }
            (_, true) => format!("is a link of uid {owner} to what is not theirs"),
            (true, false) => format!("is a link of uid {owner} in a directory that everybody can write"),
            (false, false) => return None,
        };
        let path = quoted(&link.path);
        // In a user's directory a link of root's counts as that user's, too.
        let helps = link.dir.st_uid == 0 && owner != 0 && !planted;
        let remedy = match who.is_root() && helps {
            true => Remedy::Run(format!("chown -h root {path}")),
            false => Remedy::Do(format!("use the path that it leads to: readlink -f {path}")),
        };
        Some(Distrust { path: link.path.clone(), reason, remedy })
    })
}

/// Whether a user placed this link, and it leads to what is not that user's. Root's link in a user's
/// directory counts as the user's, who can move it there.
fn leads_elsewhere(link: &Link, dir: &Stat, file: Option<&Stat>) -> bool {
    let author = if link.stat.st_uid == 0 { link.dir.st_uid } else { link.stat.st_uid };
    let theirs = dir.st_uid == author && file.is_none_or(|file| file.st_uid == author);
    // Where everybody can rename what is there, root's link was placed by anybody.
    let by_anybody = author == 0 && link.dir.st_mode & 0o1002 == 0o002;
    by_anybody || author != 0 && !theirs && !is_unmapped_root(author)
}

struct Judge {
    role: Role,
    who: Identity,
}

impl Judge {
    /// A file or directory: its owner, then its mode.
    fn thing(&self, thing: &Thing<'_>) -> Option<Distrust> {
        let (path, stat) = (&thing.path, thing.stat);
        self.owner(path, stat, "").or_else(|| self.mode(path, stat, || is_read_only(thing.open)))
    }

    /// The global file: each link on the way, and the directory that holds it. A user's: the directories
    /// that hold the links in the place of the file itself; the way to the home is not the user's to make.
    fn links(&self, links: &[Link]) -> Option<Distrust> {
        let global = matches!(self.role, Role::Global { .. });
        links.iter().filter(|link| global || link.last).find_map(|link| {
            let own = if global { self.owner(&link.path, &link.stat, "-h ") } else { None };
            own.or_else(|| self.owner(&link.dir_path, &link.dir, ""))
                .or_else(|| self.mode(&link.dir_path, &link.dir, || link.dir_is_read_only))
        })
    }

    fn way(&self, links: &[Link], dir: &Stat, file: Option<&Stat>) -> Option<Distrust> {
        match self.role {
            Role::User => judge_way(self.who, links, dir, file),
            Role::Global { .. } => None,
        }
    }

    fn owner(&self, path: &Path, stat: &Stat, option: &str) -> Option<Distrust> {
        let owner = stat.st_uid;
        let (trusted, wanted) = match self.role {
            _ if owner == 0 => (true, 0),
            Role::User => (self.who.is_root() || owner == self.who.uid, self.who.uid),
            Role::Global { trusted } => (trusted.owner == Some(owner) || is_unmapped_root(owner), 0),
        };
        (!trusted).then(|| Distrust {
            path: path.to_path_buf(),
            reason: format!("belongs to uid {owner}, who is not trusted with it"),
            remedy: self.who.remedy(0, format!("chown {option}{wanted} {}", quoted(path))),
        })
    }

    /// Others who can write. On a read-only mount nobody can; and a group that can replace this program
    /// need not be kept from what the program believes.
    fn mode(&self, path: &Path, stat: &Stat, read_only: impl Fn() -> bool) -> Option<Distrust> {
        let mode = stat.st_mode & 0o7777;
        let trusted_group = match self.role {
            Role::Global { trusted } => trusted.group == Some(stat.st_gid),
            Role::User => false,
        };
        let others = if trusted_group { 0o002 } else { 0o022 };
        if mode & others == 0 || read_only() {
            return None;
        }
        let remedy = if mode & 0o1002 == 0o1002 {
            // chmod would break a directory such as /tmp for everybody else.
            let own = quoted(&path.join("NAME"));
            Remedy::Do(format!("use a directory that only you can write: mkdir -m 700 {own}"))
        } else {
            self.who.remedy(stat.st_uid, format!("chmod go-w {}", quoted(path)))
        };
        let reason = format!("can be written by others (mode {mode:04o})");
        Some(Distrust { path: path.to_path_buf(), reason, remedy })
    }
}

/// In a user namespace root's files outside belong to nobody in particular: the overflow uid. Asked only
/// about an owner that is not trusted otherwise, so that the ordinary case reads no file.
pub(super) fn is_unmapped_root(owner: u32) -> bool {
    // Without /proc: no, since that is the stricter answer.
    let inside = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_namespace(&map));
    let overflow = || fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok();
    inside && overflow().unwrap_or(65534) == owner
}

/// Whether the uid map is another than the initial namespace's, which maps every uid to itself. A new
/// namespace has an empty one.
fn is_namespace(uid_map: &str) -> bool {
    !uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    crate::message::quoted(&path.to_string_lossy()).into_owned()
}

impl Identity {
    /// A command that takes this owner, or root: others can only pass it on.
    pub(super) fn remedy(self, owner: u32, command: impl fmt::Display) -> Remedy {
        let command = command.to_string();
        if self.is_root() || self.uid == owner { Remedy::Run(command) } else { Remedy::AsRoot(command) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_namespace_maps_every_uid_to_itself() {
        assert!(!is_namespace("         0          0 4294967295\n"));
        assert!(is_namespace("         0       1000          1\n"));
        assert!(is_namespace(""));
    }

    #[test]
    fn paths_are_quoted_for_the_shell_when_they_must_be() {
        assert_eq!(quoted(Path::new("/home/u/.apptainer/remote.yaml")), "/home/u/.apptainer/remote.yaml");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
        assert_eq!(quoted(Path::new("-rf")), "'-rf'");
    }
}
