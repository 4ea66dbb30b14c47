//! What a file carries besides its content: owner, group, mode, ACL, extended attributes.

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

/// The kernel's limit for a list of attribute names, and for one value.
const LARGEST_ATTRIBUTE: usize = 64 * 1024;

/// The file that is about to be replaced.
#[derive(Clone, Copy)]
pub(super) struct Old<'a> {
    pub file: BorrowedFd<'a>,
    pub stat: &'a Stat,
}

/// Gives what root has just made in somebody's directory to that directory's owner and group.
pub(super) fn hand_over(made: impl AsFd, dir: &Stat, who: Identity) -> Result<()> {
    if !is_handed_over(dir, who) {
        return Ok(());
    }
    own(made.as_fd(), dir.st_uid, dir.st_gid)
        .fail_context(|| format!("giving what root makes here to the directory's owner, uid {}", dir.st_uid))
}

/// Whether what is made in a directory is given to its owner: root does so with what it makes in somebody's.
/// In a user namespace nothing can be given to an owner that the namespace does not know.
pub(super) fn is_handed_over(dir: &Stat, who: Identity) -> bool {
    who.is_root() && dir.st_uid != 0 && !is_unmapped_root(dir.st_uid)
}

/// Gives `file` to this owner and group.
pub(super) fn own(file: BorrowedFd<'_>, uid: u32, gid: u32) -> rustix::io::Result<()> {
    fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}

/// Gives the new file what the old one has, or what a first file gets: `mode`, and the directory's owner
/// where root makes it. Called before any content is written, so that nobody sees it meanwhile who
/// should not.
///
/// # Errors
/// Where going on would lock somebody out or let somebody in: an owner that root cannot keep, an ACL that
/// cannot be kept, bits that cannot be taken away.
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
    // What the old group could do the new one, by accident ours, may do only if everybody may.
    set_mode(new, if kept_group { mode } else { (mode & 0o707) | ((mode & 0o007) << 3) })
}

/// Whether the group was kept. An ordinary user can only give a file to groups of their own.
fn keep_owner(new: BorrowedFd<'_>, old: &Stat, who: Identity, talk: &Talk) -> Result<bool> {
    let made = fstat(new)?;
    if (made.st_uid, made.st_gid) == (old.st_uid, old.st_gid) {
        return Ok(true);
    }
    if who.is_root() {
        return own(new, old.st_uid, old.st_gid)
            .fail_context(|| format!("keeping the owner, {}:{}", old.st_uid, old.st_gid))
            .map(|()| true);
    }
    if made.st_uid != old.st_uid {
        talk.verbose(format!("the file changes its owner from uid {} to {}", old.st_uid, made.st_uid));
    }
    let kept = made.st_gid == old.st_gid || fchown(new, None, Some(Gid::from_raw(old.st_gid))).is_ok();
    if !kept {
        talk.verbose(format!("the file changes its group from gid {} to {}", old.st_gid, made.st_gid));
    }
    Ok(kept)
}

/// Sets the mode whatever the umask was. A filesystem that cannot is refused only where it leaves more
/// open than wanted.
pub(super) fn set_mode(file: BorrowedFd<'_>, mode: u32) -> Result<()> {
    let now = fstat(file)?.st_mode & 0o7777;
    if now == mode {
        return Ok(());
    }
    match fchmod(file, Mode::from_raw_mode(mode)) {
        Err(_) if now & !mode == 0 => Ok(()),
        done => done.fail_context(|| format!("fchmod to {mode:04o}")),
    }
}

/// Takes an ACL away, an inherited one too.
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
        // Otherwise the directory's default ACL would have been added.
        remove_acl(new)?;
    }
    Ok(())
}

/// Names of the filesystem's own (`lustre.lov`, `btrfs.*`) describe the old file and no other; signatures
/// over the old content would make the new one unreadable.
pub(super) fn is_copied(name: &[u8], role: Role) -> bool {
    const STALE: [&[u8]; 3] = [b"security.ima", b"security.evm", b"security.capability"];
    const ACLS: [&[u8]; 3] = [b"system.posix_acl_access", b"system.nfs4_acl", b"system.richacl"];
    let kept = |prefix: &&[u8]| name.starts_with(prefix);
    let general = [&b"user."[..], b"trusted.", b"security."].iter().any(kept) && !STALE.contains(&name);
    general || (ACLS.contains(&name) && !role.is_private())
}

/// Losing an ACL could let somebody in, and a full disk stops every write; a label that the system sets
/// itself, or a name that only root may set, is worth a line.
pub(super) fn lost(name: &OsStr, errno: Errno, talk: &Talk) -> Result<()> {
    let shown = name.to_string_lossy();
    if name.as_bytes().starts_with(b"system.") || matches!(errno, Errno::NOSPC | Errno::DQUOT) {
        return Err(Failure::from(errno).context(format!("keeping the attribute {shown}")));
    }
    talk.verbose(format!("the attribute {shown} is not kept: {errno}"));
    Ok(())
}
