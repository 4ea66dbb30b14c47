//! Apptainer's image cache: each image is a file `sha256.<hex>`.
//!
//! The file name proves nothing, so an image is hashed while it is copied from the cache.

use crate::digest::Digest;
use crate::error::{Failure, Result};
use crate::fsio::{Directory, Identity, NewFile};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Entries are accessible only to their owner, like everything in the cache.
const MODE: u32 = 0o700;

/// The cache entry for an image with a known hash.
pub(crate) struct Cache {
    path: PathBuf,
    hash: Digest,
    who: Identity,
    /// Set by [`Cache::open`] if the directory exists.
    directory: Option<Directory>,
}

impl Cache {
    /// The entry for an image in the directory `path`, which need not exist.
    pub(crate) fn new(path: PathBuf, hash: Digest, who: Identity) -> Self {
        Self { path, hash, who, directory: None }
    }

    /// The path of the entry, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.join(self.hash.name())
    }

    /// Opens the entry, if it exists and is a regular file and not a symlink.
    pub(crate) fn open(&mut self) -> Option<File> {
        self.directory = Directory::open(&self.path, self.who).ok()?;
        self.directory.as_ref()?.file(self.hash.name().as_ref())
    }

    /// Stores a copy of a finished image. Normally the kernel makes the copy, which is cheap if the file system can
    /// share blocks. If others could have changed the image after it was hashed, it is hashed again, because the real
    /// program trusts the name of an entry.
    ///
    /// # Errors
    /// The cache is not writable, or the image was changed after it was hashed.
    pub(crate) fn keep(self, image: &File) -> Result<()> {
        let directory = match self.directory {
            Some(directory) => directory,
            None => Directory::open_or_make(&self.path, self.who)?,
        };
        let new = NewFile::create(&directory, self.hash.name().as_ref(), MODE)?;
        let needed = image.metadata()?.len();
        if new.room().is_some_and(|room| room < needed) {
            return Err(Failure::new(format!(
                "not enough space in {} for {needed} bytes",
                directory.path().display()
            )));
        }
        let (mut from, mut to): (&File, &File) = (image, &new.file);
        from.rewind()?;
        if others_can_write(&image.metadata()?, self.who) {
            let (_, found) = copy_hashed(from, to, Some(needed), &|_| ())?;
            if found != self.hash {
                return Err(Failure::new("the image was changed after it was checked"));
            }
        } else {
            // For two files this uses copy_file_range.
            std::io::copy(&mut from, &mut to)?;
            to.flush()?;
        }
        new.keep(true)?;
        Ok(())
    }
}

/// Whether other users can write the image. A file that root creates in a user's directory belongs to that user from
/// the start, and the umask may leave it writable for others.
fn others_can_write(image: &Metadata, who: Identity) -> bool {
    image.uid() != who.uid || image.mode() & 0o022 != 0
}

/// Copies `from` to `to`. Returns the length and the SHA-256. Stops early if the length exceeds `limit`, because then
/// it is not the expected file.
pub(crate) fn copy_hashed(
    mut from: &File,
    mut to: &File,
    limit: Option<u64>,
    moved: &dyn Fn(u64),
) -> std::io::Result<(u64, Digest)> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut block = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = from.read(&mut block)?;
        length += read as u64;
        if read == 0 || limit.is_some_and(|limit| length > limit) {
            return Ok((length, context.finish().into()));
        }
        context.update(&block[..read]);
        to.write_all(&block[..read])?;
        moved(read as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    /// Stores an image with this `content` under the hash of another one, "image". Returns whether that succeeded, and
    /// the names of the files in the cache.
    fn kept(mode: u32, who: Identity, content: &str) -> (bool, Vec<String>) {
        const OF_IMAGE: &str = "sha256.6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d";
        let world = tempfile::tempdir().unwrap();
        let (image, path) = (world.path().join("image"), world.path().join("cache/library"));
        fs::write(&image, content).unwrap();
        fs::set_permissions(&image, Permissions::from_mode(mode)).unwrap();
        let cache = Cache::new(path.clone(), Digest::from_name(OF_IMAGE).unwrap(), who);
        let kept = cache.keep(&File::open(&image).unwrap()).is_ok();
        let entries = fs::read_dir(path).unwrap();
        (kept, entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
    }

    #[test]
    fn an_image_that_others_can_write_is_stored_only_if_its_hash_matches() {
        let who = Identity { uid: rustix::process::geteuid().as_raw() };
        for (mode, who) in [(0o777, who), (0o775, who), (0o757, who), (0o755, Identity { uid: who.uid + 1 })]
        {
            assert_eq!(kept(mode, who, "changed"), (false, vec![]), "{mode:o}");
            let (kept, names) = kept(mode, who, "image");
            assert!(kept && names.len() == 1, "{mode:o}");
        }
    }
}
