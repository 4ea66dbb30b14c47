//! Making a directory with its mode and owner.

use super::{Identity, meta};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;

/// Makes the directory `leaf` in `parent` with this mode whatever the umask; what root makes in
/// somebody's directory gets that directory's owner and group.
pub(super) fn make(
    parent: &OwnedFd,
    parent_stat: &Stat,
    leaf: &OsStr,
    mode: u32,
    who: Identity,
) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(mode);
    mkdirat(parent, leaf, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match openat(parent, leaf, flags, Mode::empty()) {
        // A umask that shut ourselves out. Never root's case, whom a link put in its place could mislead.
        Err(Errno::ACCESS) if !who.is_root() => {
            rustix::fs::chmodat(parent, leaf, mode, AtFlags::empty())?;
            openat(parent, leaf, flags, Mode::empty())?
        }
        opened => opened?,
    };
    rustix::fs::fchmod(&dir, mode)?;
    if who.is_root() && parent_stat.st_uid != 0 {
        // Whoever owns the parent could have put another of root's directories here. An empty one is no loss.
        let empty = Dir::read_from(&dir)?.flatten().all(|entry| [c".", c".."].contains(&entry.file_name()));
        if !empty {
            return Err(Errno::NOTEMPTY);
        }
        meta::own(dir.as_fd(), parent_stat.st_uid, parent_stat.st_gid).inspect_err(|_| {
            let _ = unlinkat(parent, leaf, AtFlags::REMOVEDIR);
        })?;
    }
    let _ = openat(parent, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(rustix::fs::fsync);
    Ok(())
}
