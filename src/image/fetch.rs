//! Fetches an image into a file: checks the free space, uses the cache or downloads, and inspects the result.

use super::cache::{Cache, copy_hashed};
use super::output::Output;
use super::sif::{self, Sif};
use super::source::Source;
use super::transfer::download::Download;
use super::transfer::{Progress, Speed, Storage, TransferError};
use crate::arch::Arch;
use crate::error::{Failure, Result, ResultExt};
use crate::fsio::NewFile;
use crate::message::{Level, Talk};
use crate::runtime::block_on;
use std::time::Instant;

/// Settings for a download.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// The number of parts that are downloaded concurrently.
    pub at_once: usize,
    /// In bytes.
    pub part_size: u64,
    /// The minimum speed in bytes per second; 0 allows any speed.
    pub min_rate: u64,
}

/// An image to fetch into a file.
pub(crate) struct Fetch<'a> {
    pub source: &'a Source,
    /// The name of the image, for messages.
    pub name: &'a str,
    /// The required architecture.
    pub arch: Arch,
    pub output: &'a Output,
    /// Replace an existing file.
    pub replace: bool,
    pub how: How,
    pub talk: &'a Talk,
    /// Whether messages go to a terminal.
    pub terminal: bool,
}

/// Why an image could not be fetched.
pub(crate) enum FetchError {
    Transfer(TransferError),
    /// A local problem, or an image that is not the requested one.
    Here(Failure),
}

impl From<Failure> for FetchError {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

impl Fetch<'_> {
    /// Creates the file, from the `cache` if it has the image. Otherwise downloads the image and stores a copy in the
    /// cache. Returns the metadata of the image. After an error no file is left behind.
    pub(crate) fn run(&self, mut cache: Option<Cache>) -> std::result::Result<Sif, FetchError> {
        require_memory(self.how.at_once)?;
        let new = self.output.begin()?;
        self.require_room(&new)?;
        let (new, cached) = self.take_cached(cache.as_mut(), new)?;
        if !cached {
            self.download(&new)?;
        }
        let sif = self.inspect(&new)?;
        if let Some(cache) = cache.filter(|_| !cached)
            && let Err(failure) = cache.keep(&new.file)
        {
            self.talk.verbose(format!("the image was not cached: {}", failure.message()));
        }
        if !new.keep(self.replace)? {
            return Err(self.output.already_exists().into());
        }
        Ok(sif)
    }

    fn require_room(&self, new: &NewFile) -> Result<()> {
        match (self.source.size, new.room()) {
            (Some(needed), Some(room)) if needed > room => Err(Failure::new(format!(
                "{}: not enough space: the image has {needed} bytes, but only {room} are free",
                self.output.shown.display()
            ))
            .hint("to pull into another directory: --dir DIRECTORY")),
            _ => Ok(()),
        }
    }

    /// Copies the image from the cache, if its entry has the right hash. Otherwise returns an empty file.
    fn take_cached(&self, cache: Option<&mut Cache>, new: NewFile) -> Result<(NewFile, bool)> {
        let Some((cache, entry)) = cache.and_then(|cache| cache.open().map(|entry| (cache, entry))) else {
            return Ok((new, false));
        };
        let length = entry.metadata()?.len();
        // Check the length, because anyone who can write the cache could fill the disk with a huge entry.
        let fits = new.room().is_none_or(|room| length <= room);
        if fits && self.source.size.is_none_or(|size| size == length) {
            let progress = self.progress(Some(length));
            let copied = copy_hashed(&entry, &new.file, Some(length), &|bytes| progress.add(bytes));
            progress.finish();
            let (_, found) = copied.fail_context(|| self.output.shown.display().to_string())?;
            if found == self.source.sha256 {
                self.talk.info("Using cached image");
                return Ok((new, true));
            }
        }
        let path = cache.path();
        self.talk.warning(format!("cached file {} is corrupt; replacing it", path.display()));
        drop(new);
        Ok((self.output.begin()?, false))
    }

    fn download(&self, new: &NewFile) -> std::result::Result<(), FetchError> {
        let Source { server, sha256, size, pace, .. } = self.source;
        self.talk.info(format!("Downloading {server} image"));
        let begun = Instant::now();
        let progress = self.progress(*size);
        let download = Download {
            source: self.source,
            part_size: self.how.part_size,
            at_once: self.how.at_once,
            speed: Speed::new(self.how.min_rate, *pace),
            room: new.room(),
            file: &new.file,
            progress: &progress,
            talk: self.talk,
            storage: Storage::default(),
        };
        let result = block_on(download.run()).fail_context(|| "while preparing requests");
        progress.finish();
        let (length, found) = result?.map_err(FetchError::Transfer)?;
        if !self.terminal {
            self.talk.info(format!("Downloaded {length} bytes in {:.3} s", begun.elapsed().as_secs_f64()));
        }
        if found != *sha256 {
            return Err(Failure::new(format!("checksum mismatch: got {found}, expected {sha256}")).into());
        }
        Ok(())
    }

    /// Checks that the file is an image for the required architecture.
    fn inspect(&self, new: &NewFile) -> Result<Sif> {
        let (name, wanted) = (self.name, self.arch);
        let sif = sif::read(&mut &*new.file)
            .map_err(|error| Failure::from(error).context(format!("{name} cannot be used")))?;
        match sif.arch {
            Some(arch) if arch != wanted => {
                Err(Failure::new(format!("{name} is an image for {arch}, but {wanted} was requested"))
                    .hint(format!("to pull it anyway: --arch {arch}")))
            }
            _ => Ok(sif),
        }
    }

    /// A progress bar, which is drawn only on a terminal and if messages are not suppressed.
    fn progress(&self, total: Option<u64>) -> Progress {
        Progress::new(total, "", self.terminal && self.talk.shows(Level::Info))
    }
}

/// Checks that there is enough memory for a transfer before its file is created. If an allocation failed later, the
/// program would abort and could not remove the file.
fn require_memory(at_once: usize) -> Result<()> {
    /// In bytes: 16 MiB for thread stacks and connection buffers, plus twice the 64 MiB of address space that glibc
    /// reserves, if possible, for the allocations of a thread. One thread computes the hash, one resolves host names.
    const BASE: usize = (16 + 2 * 64) << 20;
    const EACH: usize = 1 << 20;
    let mut memory: Vec<u8> = Vec::new();
    let reserved = memory.try_reserve_exact(BASE + at_once * EACH);
    // Without this, the compiler may remove the allocation.
    std::hint::black_box(&memory);
    reserved.fail_context(|| "not enough memory for a download")
}
