//! The images that Apptainer keeps: `<CACHEDIR, else the user's directory>/cache/library/<hash>`.
//!
//! A name there proves nothing: what is taken from it is hashed on the way.

use crate::commands::session::Session;
use crate::error::{Failure, Result};
use crate::fsio::{Directory, Identity, NewFile};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

/// Entries are their owner's alone, like everything in the cache.
const MODE: u32 = 0o700;

/// Where an image with a known hash may lie.
pub struct Cache {
    path: PathBuf,
    /// `sha256.<hex>`.
    name: String,
    who: Identity,
    /// Opened at the first look, if it was there then.
    directory: Option<Directory>,
}

impl Cache {
    /// The place for an image; `None` where there is no cache: it is switched off, there is no home for it,
    /// or making one would hide the `~/.singularity` that still stands in for `~/.apptainer`.
    pub fn of(hash: &str, session: &Session) -> Option<Self> {
        let parent = match session.ctx.variable("CACHEDIR") {
            Some(found) => PathBuf::from(found.value),
            None if session.paths.legacy_dir().is_some() => return None,
            None => session.paths.user_dir.clone().ok()?,
        };
        let path = parent.join("cache/library");
        Some(Self { path, name: hash.to_string(), who: session.identity(), directory: None })
    }

    /// The entry, for messages.
    pub fn path(&self) -> PathBuf {
        self.path.join(&self.name)
    }

    /// Opens the entry, if there is one that is a regular file and no link.
    pub fn open(&mut self) -> Option<File> {
        self.directory = Directory::open(&self.path, self.who).ok()?;
        self.directory.as_ref()?.file(self.name.as_ref())
    }

    /// Keeps a copy of a finished image. The kernel copies, which costs nothing where it can share blocks.
    ///
    /// # Errors
    /// The cache cannot be written.
    pub fn keep(self, image: &File) -> Result<()> {
        let directory = match self.directory {
            Some(directory) => directory,
            None => Directory::open_or_make(&self.path, self.who)?,
        };
        let new = NewFile::create(&directory, self.name.as_ref(), MODE)?;
        let needed = image.metadata()?.len();
        if new.room().is_some_and(|room| room < needed) {
            return Err(Failure::new(format!(
                "{} has no room for {needed} bytes",
                directory.path().display()
            )));
        }
        let (mut from, mut to): (&File, &File) = (image, &new.file);
        from.rewind()?;
        // Between two files this is copy_file_range.
        std::io::copy(&mut from, &mut to)?;
        to.flush()?;
        new.keep(true)?;
        Ok(())
    }
}

/// Copies `from` to `to`, and says how long it was and what its SHA-256 is. Ends early where it is longer
/// than `limit`: it is not what it should be.
pub fn copy_hashed(
    mut from: &File,
    mut to: &File,
    limit: Option<u64>,
    moved: &dyn Fn(u64),
) -> std::io::Result<(u64, [u8; 32])> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut block = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = from.read(&mut block)?;
        length += read as u64;
        if read == 0 || limit.is_some_and(|limit| length > limit) {
            let hash = context.finish().as_ref().try_into().expect("32 bytes");
            return Ok((length, hash));
        }
        context.update(&block[..read]);
        to.write_all(&block[..read])?;
        moved(read as u64);
    }
}
