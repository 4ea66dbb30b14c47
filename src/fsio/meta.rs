//! The metadata of a file: owner, group, mode, ACL, extended attributes.

use super::identity::{Identity, Role};
use super::trust::is_unmapped_root;
use crate::error::{Failure, Result, ResultExt};
use crate::message::Talk;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{Gid, Mode, Stat, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fremovexattr};
use rustix::fs::{fsetxattr, fstat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const ACL: &str = "system.posix_acl_access";

/// The kernel's limit for a list of attribute names and for one value, in bytes.
const LARGEST_ATTRIBUTE: usize = 64 * 1024;

/// The file that is about to be replaced.
#[derive(Clone, Copy)]
pub(super) struct Old<'a> {
    pub file: BorrowedFd<'a>,
    pub stat: &'a Stat,
}

/// Changes the owner and group of something that root has just created in another user's directory to those of the
/// directory. Does nothing in other cases.
pub(super) fn hand_over(made: impl AsFd, dir: &Stat, who: Identity) -> Result<()> {
    if !is_handed_over(dir, who) {
        return Ok(());
    }
    own(made.as_fd(), dir.st_uid, dir.st_gid)
        .fail_context(|| format!("changing the owner to that of the directory, uid {}", dir.st_uid))
}

/// Whether new files in this directory must be given to its owner: only root has to do so, in another user's directory.
/// In a user namespace files cannot be given to an owner whose uid is not mapped.
pub(super) fn is_handed_over(dir: &Stat, who: Identity) -> bool {
    who.is_root() && dir.st_uid != 0 && !is_unmapped_root(dir.st_uid)
}

pub(super) fn own(file: BorrowedFd<'_>, uid: u32, gid: u32) -> rustix::io::Result<()> {
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

/// Copies the metadata of the old file to the new one. Without an old file, the new one gets `mode`, and the owner of
/// the directory if root creates it. Called before any content is written, so that nobody can read it too early.
///
/// # Errors
/// Anything that would lock out a legitimate user or let in another one: root cannot preserve the owner, an ACL cannot
/// be preserved, or mode bits cannot be removed.
pub(super) fn dress(
    new: BorrowedFd<'_>,
    old: Option<Old<'_>>,
    dir: &Stat,
    (role, mode): (Role, u32),
    who: Identity,
    talk: &Talk,
) -> Result<()> {
    let Some(old) = old else {
        hand_over(new, dir, who)?;
        return set_mode(new, mode);
    };
    let kept_group = keep_owner(new, old.stat, who, talk)?;
    copy_attributes(old.file, new, role, talk)?;
    if role.is_private() {
        remove_acl(new)?;
    }
    let mode = role.allowed(old.stat.st_mode & 0o777);
    // The new group is just our default group. Give it only those permissions that everybody has.
    set_mode(new, if kept_group { mode } else { (mode & 0o707) | ((mode & 0o007) << 3) })
}

/// Preserves owner and group as far as possible. Returns whether the group was preserved: an ordinary user can only
/// use groups they are a member of.
fn keep_owner(new: BorrowedFd<'_>, old: &Stat, who: Identity, talk: &Talk) -> Result<bool> {
    let made = fstat(new)?;
    if (made.st_uid, made.st_gid) == (old.st_uid, old.st_gid) {
        return Ok(true);
    }
    if who.is_root() {
        return own(new, old.st_uid, old.st_gid)
            .fail_context(|| format!("preserving the owner {}:{}", old.st_uid, old.st_gid))
            .map(|()| true);
    }
    if made.st_uid != old.st_uid {
        talk.verbose(format!("the file's owner changes from uid {} to {}", old.st_uid, made.st_uid));
    }
    let kept = made.st_gid == old.st_gid || fchown(new, None, Some(Gid::from_raw(old.st_gid))).is_ok();
    if !kept {
        talk.verbose(format!("the file's group changes from gid {} to {}", old.st_gid, made.st_gid));
    }
    Ok(kept)
}

/// Sets the mode regardless of the umask. If the filesystem cannot do that, it is an error only if the current mode
/// has bits that `mode` does not have.
pub(super) fn set_mode(file: BorrowedFd<'_>, mode: u32) -> Result<()> {
    let now = fstat(file)?.st_mode & 0o7777;
    if now == mode {
        return Ok(());
    }
    match fchmod(file, Mode::from_raw_mode(mode)) {
        Err(_) if now & !mode == 0 => Ok(()),
        done => done.fail_context(|| format!("changing the mode to {mode:04o}")),
    }
}

/// Removes the ACL, including one inherited from the directory.
pub(super) fn remove_acl(file: BorrowedFd<'_>) -> Result<()> {
    match fremovexattr(file, ACL) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(Failure::from(errno).context("removing the ACL")),
    }
}

fn copy_attributes(old: BorrowedFd<'_>, new: BorrowedFd<'_>, role: Role, talk: &Talk) -> Result<()> {
    let mut names = vec![0; LARGEST_ATTRIBUTE];
    let mut value = vec![0; LARGEST_ATTRIBUTE];
    let length = flistxattr(old, &mut names[..]).unwrap_or(0);
    for name in names[..length].split(|&byte| byte == 0).filter(|name| is_copied(name, role)) {
        let name = OsStr::from_bytes(name);
        let copied = fgetxattr(old, name, &mut value[..])
            .and_then(|length| fsetxattr(new, name, &value[..length], XattrFlags::empty()));
        if let Err(errno) = copied {
            lost(name, errno, talk)?;
        }
    }
    if fgetxattr(old, ACL, &mut value[..]) == Err(Errno::NODATA) {
        // The new file may have inherited the directory's default ACL, which the old file did not have.
        remove_acl(new)?;
    }
    Ok(())
}

/// Whether an extended attribute is copied. Attributes of the filesystem itself (`lustre.lov`, `btrfs.*`) describe only
/// the old file. Signatures of the old content would make the new file unreadable.
pub(super) fn is_copied(name: &[u8], role: Role) -> bool {
    const STALE: [&[u8]; 3] = [b"security.ima", b"security.evm", b"security.capability"];
    const ACLS: [&[u8]; 3] = [b"system.posix_acl_access", b"system.nfs4_acl", b"system.richacl"];
    let kept = |prefix: &&[u8]| name.starts_with(prefix);
    let general = [&b"user."[..], b"trusted.", b"security."].iter().any(kept) && !STALE.contains(&name);
    general || (ACLS.contains(&name) && !role.is_private())
}

/// Handles an attribute that could not be copied. A lost ACL could give others access, and a full disk stops every
/// write: both are errors. Labels that the system sets and attributes that only root may set are just logged.
pub(super) fn lost(name: &OsStr, errno: Errno, talk: &Talk) -> Result<()> {
    let shown = name.to_string_lossy();
    if name.as_bytes().starts_with(b"system.") || matches!(errno, Errno::NOSPC | Errno::DQUOT) {
        return Err(Failure::from(errno).context(format!("preserving the attribute {shown}")));
    }
    talk.verbose(format!("the attribute {shown} was not preserved: {errno}"));
    Ok(())
}
