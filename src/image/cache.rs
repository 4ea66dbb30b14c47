//! The images that Apptainer keeps, each in a file `sha256.<hex>`.
//!
//! A name there proves nothing: what is taken from it is hashed on the way.

use crate::digest::Digest;
use crate::error::{Failure, Result};
use crate::fsio::{Directory, Identity, NewFile};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Entries are their owner's alone, like everything in the cache.
const MODE: u32 = 0o700;

/// Where an image with a known hash may lie.
pub(crate) struct Cache {
    path: PathBuf,
    hash: Digest,
    who: Identity,
    /// Opened at the first look, if it was there then.
    directory: Option<Directory>,
}

impl Cache {
    /// The place for an image in the directory `path`, which may lack.
    pub(crate) fn new(path: PathBuf, hash: Digest, who: Identity) -> Self {
        Self { path, hash, who, directory: None }
    }

    /// The entry, for messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.join(self.hash.name())
    }

    /// Opens the entry, if there is one that is a regular file and no link.
    pub(crate) fn open(&mut self) -> Option<File> {
        self.directory = Directory::open(&self.path, self.who).ok()?;
        self.directory.as_ref()?.file(self.hash.name().as_ref())
    }

    /// Keeps a copy of a finished image. The kernel copies, which costs nothing where it can share blocks; but
    /// an image that others could change since it was hashed is hashed once more, since the real program
    /// believes the name of an entry.
    ///
    /// # Errors
    /// The cache cannot be written, or the image is no longer the one that was hashed.
    pub(crate) fn keep(self, image: &File) -> Result<()> {
        let directory = match self.directory {
            Some(directory) => directory,
            None => Directory::open_or_make(&self.path, self.who)?,
        };
        let new = NewFile::create(&directory, self.hash.name().as_ref(), MODE)?;
        let needed = image.metadata()?.len();
        if new.room().is_some_and(|room| room < needed) {
            return Err(Failure::new(format!(
                "{} has no room for {needed} bytes",
                directory.path().display()
            )));
        }
        let (mut from, mut to): (&File, &File) = (image, &new.file);
        from.rewind()?;
        if others_can_write(&image.metadata()?, self.who) {
            let (_, found) = copy_hashed(from, to, Some(needed), &|_| ())?;
            if found != self.hash {
                return Err(Failure::new("somebody changed the image since it was checked"));
            }
        } else {
            // Between two files this is copy_file_range.
            std::io::copy(&mut from, &mut to)?;
            to.flush()?;
        }
        new.keep(true)?;
        Ok(())
    }
}

/// What root makes in a user's directory is that user's from the start; and a umask may leave more open.
fn others_can_write(image: &Metadata, who: Identity) -> bool {
    image.uid() != who.uid || image.mode() & 0o022 != 0
}

/// Copies `from` to `to`, and says how long it was and what its SHA-256 is. Ends early where it is longer
/// than `limit`: it is not what it should be.
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

    /// What the cache holds after an image was kept that is not, or no longer, what its name says.
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
    fn an_image_that_others_could_change_is_kept_only_under_its_own_name() {
        let who = Identity { uid: rustix::process::geteuid().as_raw() };
        for (mode, who) in [(0o777, who), (0o775, who), (0o757, who), (0o755, Identity { uid: who.uid + 1 })]
        {
            assert_eq!(kept(mode, who, "changed"), (false, vec![]), "{mode:o}");
            let (kept, names) = kept(mode, who, "image");
            assert!(kept && names.len() == 1, "{mode:o}");
        }
    }
}
