//! The last resort: writes new content into the existing file when the file cannot be replaced.
//!
//! A power failure during the write can leave a mix of old and new content. All other risks are reduced: the file
//! itself is locked, space is allocated before any old byte is overwritten, signals are held back during the write,
//! and the old content is restored if the write fails.

use super::change::{Change, Draft};
use super::identity::{Identity, Role};
use super::place::Place;
use super::{lock, meta};
use crate::error::{Failure, Result, ResultExt};
use crate::message::Talk;
use crate::signals;
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, fstat, openat};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Opens the file for writing, locks it, and applies the change to its current content. Returns `false` if the current
/// content needs no change.
pub(super) fn write(
    place: &Place,
    draft: Draft,
    change: Change<'_>,
    (role, who): (Role, Identity),
    (limit, patience): (u64, Duration),
    talk: &Talk,
) -> Result<bool> {
    let path = place.path();
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: File = openat(&place.dir, &place.name, flags, Mode::empty())
        .fail_context(|| format!("opening {} for writing", path.display()))?
        .into();
    wait(&file, &path, role, patience, talk)?;
    let (now, stat) = super::read::content(&file, &path, limit)?;
    let Some(draft) = draft.again(Some(now), change)? else { return Ok(false) };
    if role.is_private() && (who.is_root() || stat.st_uid == who.uid) {
        meta::remove_acl(file.as_fd())?;
        meta::set_mode(file.as_fd(), role.allowed(fstat(&file)?.st_mode & 0o777))?;
    }
    overwrite(&file, draft.from.as_ref().map_or(&[], |bytes| bytes.as_slice()), &draft.to)
        .map_err(|failure| failure.context(format!("writing {} in place", path.display())))?;
    Ok(true)
}

/// Waits for the lock. Any user who can read the global file can lock it, so root writes even without the lock.
fn wait(file: &File, path: &Path, role: Role, patience: Duration, talk: &Talk) -> Result<()> {
    match lock::wait(file, path, patience, talk) {
        Err(taken) if !role.is_private() => {
            talk.warning(format!("{}; writing without the lock", taken.message()));
            Ok(())
        }
        waited => waited.map(drop),
    }
}

/// Overwrites the content `old` with `new`.
fn overwrite(file: &File, old: &[u8], new: &[u8]) -> Result<()> {
    let busy = Arc::new(Mutex::new(()));
    let held = Arc::clone(&busy);
    let _guard = signals::guard(move || drop(held.lock().unwrap_or_else(PoisonError::into_inner)));
    // Must be declared after the guard so that it is dropped first. The signal thread waits for this lock while it
    // holds the guard registry, and dropping the guard needs that registry.
    let _writing = busy.lock().unwrap_or_else(PoisonError::into_inner);
    let done = grow(file, old.len(), new).or_else(|error| {
        // The old content is still intact here.
        file.set_len(old.len() as u64)?;
        Err(error)
    });
    done.fail_context(|| "nothing was changed")?;
    fill(file, old.len().min(new.len()), new).map_err(|error| {
        let restored = fill(file, old.len(), old);
        let state = match restored {
            Ok(()) => "the old content was restored",
            Err(_) => "the old content could not be restored; the file is damaged",
        };
        Failure::from(error).context(state)
    })
}

/// Writes the part beyond the old end and syncs it, so that a full disk or quota fails before old bytes are changed.
fn grow(file: &File, old: usize, new: &[u8]) -> io::Result<()> {
    let Some(tail) = new.get(old..).filter(|tail| !tail.is_empty()) else { return Ok(()) };
    file.write_all_at(tail, old as u64)?;
    file.sync_all()
}

/// Writes the first `length` bytes of `content` and sets the file's length to that of `content`.
fn fill(file: &File, length: usize, content: &[u8]) -> io::Result<()> {
    file.write_all_at(&content[..length], 0)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn content_grows_shrinks_and_stays_the_same_length() {
        for (old, new) in
            [("old", "longer than it was"), ("longer than it was", "new"), ("one", "two"), ("x", "")]
        {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(old.as_bytes()).unwrap();
            overwrite(&file, old.as_bytes(), new.as_bytes()).unwrap();
            let (bytes, _) = super::super::read::content(&file, "x".as_ref(), 100).unwrap();
            assert_eq!(*bytes, new.as_bytes());
        }
    }
}
