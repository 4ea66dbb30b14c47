//! Decides whether a file can be trusted. Checks the owners and modes of the file, its directory, and the symlinks that
//! lead to it.
//!
//! "Others" means everybody except the owner, including the group: any member of the group could enter an address that
//! our tokens are then sent to. Sticky directories are no exception.

use super::identity::{Identity, Role};
use super::place::{Link, Place, is_read_only};
use crate::error::Failure;
use crate::hint::{CommandLine, Hint};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::Stat;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a file is not trusted, and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// The file, directory or symlink at fault.
    pub path: PathBuf,
    /// Continues the sentence that starts with the path: `is writable by others (mode 0666)`.
    pub reason: String,
    pub remedy: Remedy,
}

/// How to make a file trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A command that the caller can run.
    Run(String),
    /// A command that needs root.
    AsRoot(String),
    /// Other advice: `use a directory that only you can write to`.
    Do(String),
}

impl Remedy {
    /// The text at the end of a WARNING.
    pub fn advice(&self) -> String {
        match self {
            Self::Run(command) => format!("to fix: {command}"),
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

/// Just the command, if the caller can run it.
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
    /// Path and reason as one sentence.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.path.display(), self.reason)
    }

    /// Combines two findings, so that one hint names everything to fix.
    pub fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            reason: format!("{}, and {}", self.reason, other.sentence()),
            remedy: self.remedy.and(other.remedy),
            path: self.path,
        }
    }

    /// An error for a command that must stop: the sentence, with the remedy as its hint.
    pub fn into_failure(self) -> Failure {
        Failure::new(self.sentence()).hint(self.remedy)
    }
}

/// A file or directory to check.
pub(super) struct Thing<'a> {
    pub path: PathBuf,
    pub stat: &'a Stat,
    pub open: BorrowedFd<'a>,
}

/// Checks the symlinks, the directory `dir` and the `file`, if it exists, that `place` was resolved to.
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

/// Checks the symlinks that led to `parent`, in which a directory is about to be created.
pub(super) fn judge_links(role: Role, who: Identity, links: &[Link], parent: &Stat) -> Option<Distrust> {
    let judge = Judge { role, who };
    judge.links(links).or_else(|| judge.way(links, parent, None))
}

/// Checks the symlinks on the path to `dir`. Used alone for a cache or an output directory, which do not contain a
/// `remote.yaml`: the caller may choose any directory, but no other user may redirect the path with a symlink.
///
/// Root follows a user's symlink only to a target that the same user owns. Otherwise the symlink could choose which of
/// root's files is replaced, or where root creates one. Nobody follows another user's symlink in a sticky
/// world-writable directory such as /tmp.
pub(super) fn judge_way(who: Identity, links: &[Link], dir: &Stat, file: Option<&Stat>) -> Option<Distrust> {
    links.iter().find_map(|link| {
        let owner = link.stat.st_uid;
        let planted = link.dir.st_mode & 0o1002 == 0o1002 && owner != who.uid && owner != 0;
        let elsewhere = who.is_root() && leads_elsewhere(link, dir, file);
        let reason = match (planted, elsewhere) {
            (_, true) if owner == 0 && link.dir.st_uid == 0 => {
                "is a symlink that anybody could have created, because its directory is world-writable"
                    .to_string()
            }
            (_, true) if owner == 0 => {
                format!(
                    "is a symlink that uid {} could have created, but its target belongs to another user",
                    link.dir.st_uid
                )
            }
            (_, true) => format!("is a symlink of uid {owner}, but its target belongs to another user"),
            (true, false) => format!("is a symlink of uid {owner} in a world-writable directory"),
            (false, false) => return None,
        };
        let path = quoted(&link.path);
        // A symlink owned by root in a user's directory would still count as that user's.
        let helps = link.dir.st_uid == 0 && owner != 0 && !planted;
        let remedy = match who.is_root() && helps {
            true => Remedy::Run(format!("chown -h root {path}")),
            false => Remedy::Do(format!("use the path of the target: readlink -f {path}")),
        };
        Some(Distrust { path: link.path.clone(), reason, remedy })
    })
}

/// Whether a user could have created this symlink, and its target belongs to someone else. A symlink owned by root in a
/// user's directory counts as that user's, because the user could have moved it there.
fn leads_elsewhere(link: &Link, dir: &Stat, file: Option<&Stat>) -> bool {
    let author = if link.stat.st_uid == 0 { link.dir.st_uid } else { link.stat.st_uid };
    let theirs = dir.st_uid == author && file.is_none_or(|file| file.st_uid == author);
    // In a world-writable directory without the sticky bit, anybody could have moved a symlink of root there.
    let by_anybody = author == 0 && link.dir.st_mode & 0o1002 == 0o002;
    by_anybody || author != 0 && !theirs && !is_unmapped_root(author)
}

struct Judge {
    role: Role,
    who: Identity,
}

impl Judge {
    /// Checks the owner, then the mode.
    fn thing(&self, thing: &Thing<'_>) -> Option<Distrust> {
        let (path, stat) = (&thing.path, thing.stat);
        self.owner(path, stat, "").or_else(|| self.mode(path, stat, || is_read_only(thing.open)))
    }

    /// Checks the symlinks on the path. For the global file: each symlink and the directory that contains it. For a
    /// user's file: only the directories that contain symlinks to the file itself, because users do not control the
    /// path to their home directory.
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
            reason: format!("is owned by uid {owner}"),
            remedy: self.who.remedy(0, format!("chown {option}{wanted} {}", quoted(path))),
        })
    }

    /// Checks that others cannot write. On a read-only mount nobody can. A group that can replace this program may also
    /// write to its global file.
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
            Remedy::Do(format!("use a directory that only you can write to: mkdir -m 700 {own}"))
        } else {
            self.who.remedy(stat.st_uid, format!("chmod go-w {}", quoted(path)))
        };
        let reason = format!("is writable by others (mode {mode:04o})");
        Some(Distrust { path: path.to_path_buf(), reason, remedy })
    }
}

/// Whether this owner can be the real root, seen from inside a user namespace, where unmapped uids appear as the
/// overflow uid. Only called for an owner that is not trusted otherwise, so that the usual case reads no file.
pub(super) fn is_unmapped_root(owner: u32) -> bool {
    // Without /proc, assume that this is not a user namespace. That is the stricter choice.
    let inside = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_namespace(&map));
    let overflow = || fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok();
    inside && overflow().unwrap_or(65534) == owner
}

/// Whether this uid map belongs to a user namespace other than the initial one, which maps every uid to itself. The map
/// of a new namespace is empty.
fn is_namespace(uid_map: &str) -> bool {
    !uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// A path quoted for the shell.
pub(super) fn quoted(path: &Path) -> String {
    crate::message::quoted(&path.to_string_lossy()).into_owned()
}

impl Identity {
    /// A command that only this owner or root can run. Anybody else has to ask an administrator.
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
    fn paths_are_quoted_for_the_shell_if_needed() {
        assert_eq!(quoted(Path::new("/home/u/.apptainer/remote.yaml")), "/home/u/.apptainer/remote.yaml");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
        assert_eq!(quoted(Path::new("-rf")), "'-rf'");
    }
}
