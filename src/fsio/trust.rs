//! Whom to trust with a file: who owns it, its directory and the links that lead there, and who else can
//! write there.
//!
//! "Others" are everybody but the owner, the group too: what a group shares, each of its members could
//! turn into an address that our tokens are sent to. There is no exception for sticky directories.

use super::place::{Link, Place};
use super::{Identity, Role};
use crate::error::Failure;
use rustix::fs::Stat;
use std::fs;
use std::path::{Path, PathBuf};

/// Why a file is not trusted, and what to type about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// The file, directory or link at fault.
    pub path: PathBuf,
    /// Reads on after the path: `can be written by others (mode 0666)`.
    pub reason: String,
    /// The command to type, with `sudo` where it takes root and the caller is not root.
    pub remedy: String,
}

impl Distrust {
    /// Path and reason in one sentence, for a WARNING.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.path.display(), self.reason)
    }

    /// The failure of a command that may not go on: the sentence, and the remedy as its hint.
    pub fn into_failure(self) -> Failure {
        Failure::new(self.sentence()).hint(self.remedy)
    }
}

/// Judges what `place` leads to. `dir` is the final directory, `file` the file if there is one.
pub(super) fn judge(
    role: Role,
    who: Identity,
    place: &Place,
    dir: &Stat,
    file: Option<&Stat>,
) -> Option<Distrust> {
    let judge = Judge { role, who };
    judge
        .links(&place.links)
        .or_else(|| judge.thing(&place.shown_dir(), dir))
        .or_else(|| file.and_then(|file| judge.thing(&place.path(), file)))
        .or_else(|| judge.strangers_links(&place.links, dir, file))
}

/// Judges the links that led to a directory in which another one is about to be made.
pub(super) fn judge_links(role: Role, who: Identity, links: &[Link], parent: &Stat) -> Option<Distrust> {
    let judge = Judge { role, who };
    judge.links(links).or_else(|| judge.strangers_links(links, parent, None))
}

struct Judge {
    role: Role,
    who: Identity,
}

impl Judge {
    /// A file or directory: its owner, then its mode.
    fn thing(&self, path: &Path, stat: &Stat) -> Option<Distrust> {
        self.owner(path, stat, "").or_else(|| self.mode(path, stat))
    }

    /// The global file: each link on the way, and the directory that holds it. A user's: the directories
    /// that hold the links in the place of the file itself; the way to the home is not the user's to make.
    fn links(&self, links: &[Link]) -> Option<Distrust> {
        let global = matches!(self.role, Role::Global { .. });
        links.iter().filter(|link| global || link.last).find_map(|link| {
            let own = if global { self.owner(&link.path, &link.stat, "-h ") } else { None };
            own.or_else(|| self.thing(&link.dir_path, &link.dir))
        })
    }

    /// Root follows a user's link only to what is that user's as well: otherwise the link would choose
    /// which of root's files is replaced, or where root makes one.
    fn strangers_links(&self, links: &[Link], dir: &Stat, file: Option<&Stat>) -> Option<Distrust> {
        if !self.who.is_root() || matches!(self.role, Role::Global { .. }) {
            return None;
        }
        let stranger = |link: &&Link| {
            let owner = link.stat.st_uid;
            owner != 0 && (dir.st_uid != owner || file.is_some_and(|file| file.st_uid != owner))
        };
        links.iter().find(stranger).map(|link| Distrust {
            path: link.path.clone(),
            reason: format!("is a link of uid {} to what is not theirs", link.stat.st_uid),
            remedy: format!("chown -h root {}", quoted(&link.path)),
        })
    }

    fn owner(&self, path: &Path, stat: &Stat, option: &str) -> Option<Distrust> {
        let owner = stat.st_uid;
        let (trusted, wanted) = match self.role {
            _ if owner == 0 => (true, 0),
            Role::User => (self.who.is_root() || owner == self.who.uid, self.who.uid),
            Role::Global { trusted_owner } => (trusted_owner == Some(owner) || is_unmapped_root(owner), 0),
        };
        (!trusted).then(|| Distrust {
            path: path.to_path_buf(),
            reason: format!("belongs to uid {owner}, who is not trusted with it"),
            remedy: format!("{}chown {option}{wanted} {}", self.sudo(0), quoted(path)),
        })
    }

    fn mode(&self, path: &Path, stat: &Stat) -> Option<Distrust> {
        let mode = stat.st_mode & 0o7777;
        let remedy = if mode & 0o1002 == 0o1002 {
            // chmod would break a directory such as /tmp for everybody else.
            format!("use a directory that only you can write: mkdir -m 700 {}", quoted(&path.join("NAME")))
        } else {
            format!("{}chmod go-w {}", self.sudo(stat.st_uid), quoted(path))
        };
        let reason = format!("can be written by others (mode {mode:04o})");
        (mode & 0o022 != 0).then(|| Distrust { path: path.to_path_buf(), reason, remedy })
    }

    /// What to put before a command that takes `uid`.
    fn sudo(&self, uid: u32) -> &'static str {
        if self.who.is_root() || self.who.uid == uid { "" } else { "sudo " }
    }
}

/// In a user namespace root's files outside belong to nobody in particular: the overflow uid. Asked only
/// about an owner that is not trusted otherwise, so that the ordinary case reads no file.
fn is_unmapped_root(owner: u32) -> bool {
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
