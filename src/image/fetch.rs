//! From a source into a file: free space, cache, download, a look at what came.

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

/// How an image is to come.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// As many parts side by side.
    pub at_once: usize,
    /// As many bytes in a part.
    pub part_size: u64,
    /// At least so many bytes a second; 0 allows every speed.
    pub min_rate: u64,
}

/// An image that is to become a file.
pub(crate) struct Fetch<'a> {
    /// Where it comes from.
    pub source: &'a Source,
    /// Its name, for messages.
    pub name: &'a str,
    /// The architecture that it has to be for.
    pub arch: Arch,
    /// Where it goes.
    pub output: &'a Output,
    /// Replace a file that is there.
    pub replace: bool,
    /// How it is to come.
    pub how: How,
    /// Hears of what is done.
    pub talk: &'a Talk,
    /// Whether messages go to a terminal.
    pub terminal: bool,
}

/// Why an image did not become a file.
pub(crate) enum FetchError {
    /// The server, or the way to it.
    Transfer(TransferError),
    /// Something on this side, or an image that is not what was asked for.
    Here(Failure),
}

impl From<Failure> for FetchError {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

impl Fetch<'_> {
    /// Makes the file, from the `cache` if the image is there, which else gets a copy. Returns what the image says
    /// of itself.
    ///
    /// # Errors
    /// Whatever keeps it from being done; nothing is left behind then.
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
            self.talk.verbose(format!("the image is not kept in the cache: {}", failure.message()));
        }
        if !new.keep(self.replace)? {
            return Err(self.output.already_exists().into());
        }
        Ok(sif)
    }

    fn require_room(&self, new: &NewFile) -> Result<()> {
        match (self.source.size, new.room()) {
            (Some(needed), Some(room)) if needed > room => Err(Failure::new(format!(
                "{}: the image has {needed} bytes, and there is room for {room}",
                self.output.shown.display()
            ))
            .hint("to pull into another directory: --dir DIRECTORY")),
            _ => Ok(()),
        }
    }

    /// Takes the image from the cache, if what lies there is it. Else gives the file back, empty.
    fn take_cached(&self, cache: Option<&mut Cache>, new: NewFile) -> Result<(NewFile, bool)> {
        let Some((cache, entry)) = cache.and_then(|cache| cache.open().map(|entry| (cache, entry))) else {
            return Ok((new, false));
        };
        let length = entry.metadata()?.len();
        // Whoever can write the cache could fill the disk with an entry of any length.
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
        self.talk.warning(format!("{} is not what its name says, and is replaced", path.display()));
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
            return Err(Failure::new(format!(
                "what came is not the image: its SHA-256 is {found}, the {server}'s word is {sha256}"
            ))
            .into());
        }
        Ok(())
    }

    /// Looks whether it is an image for the architecture that was asked for.
    fn inspect(&self, new: &NewFile) -> Result<Sif> {
        let (name, wanted) = (self.name, self.arch);
        let sif = sif::read(&mut &*new.file)
            .map_err(|error| Failure::from(error).context(format!("{name} cannot be used")))?;
        match sif.arch {
            Some(arch) if arch != wanted => Err(Failure::new(format!(
                "{name} is an image for {arch}, and one for {wanted} was asked for"
            ))
            .hint(format!("to pull it nevertheless: --arch {arch}"))),
            _ => Ok(sif),
        }
    }

    /// A bar, where somebody sees it and wants it.
    fn progress(&self, total: Option<u64>) -> Progress {
        Progress::new(total, "", self.terminal && self.talk.shows(Level::Info))
    }
}

/// Makes sure that there is memory for a transfer before its file is begun: what cannot be had later ends the
/// program without a chance to remove it.
fn require_memory(at_once: usize) -> Result<()> {
    /// For the stacks of threads and the buffers of connections, in bytes; and twice 64 MiB of addresses, which
    /// glibc takes for the allocations of a thread, if it gets them: one thread hashes, one looks up names.
    const BASE: usize = (16 + 2 * 64) << 20;
    const EACH: usize = 1 << 20;
    let mut memory: Vec<u8> = Vec::new();
    let reserved = memory.try_reserve_exact(BASE + at_once * EACH);
    // Else the compiler may leave the allocation out.
    std::hint::black_box(&memory);
    reserved.fail_context(|| "there is not enough memory for a download")
}
