//! `pull [OUTPUT] URI`

use super::target::{Choice, Chosen, Host, choose};
use super::{architecture, min_rate, number, one_tag};
use crate::commands::endpoint::wait;
use crate::commands::session::Session;
use crate::digest::Digest;
use crate::error::{Failure, Result, ResultExt};
use crate::fsio::NewFile;
use crate::image::cache::{Cache, copy_hashed};
use crate::image::output::Output;
use crate::image::sif::{self, Sif};
use crate::image::transfer::download::Download;
use crate::image::transfer::{Progress, Speed, Storage};
use crate::message::{Level, quoted};
use crate::services::library::Image;
use crate::uri::LibraryRef;
use clap::Args;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

/// As many parts side by side, unless the environment says otherwise.
const AT_ONCE: u64 = 3;
/// As many bytes in a part.
const PART_SIZE: u64 = 5 << 20;

/// Pull an image from a library
///
/// Downloads an image into a file: OUTPUT, or NAME_TAG.sif where none is named. The file is there when it
/// is whole and its hash is the library's, and not before.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} pull library://alpine")]
#[command(after_long_help = "\
Images from elsewhere (docker://, oras://, …), and options that are not above, are the business of the real
{prog}, to which this program hands them.

Examples:
  $ {prog} pull library://alpine
  $ {prog} pull --arch arm64 blast.sif library://lab/tools/blast:v1
  $ {prog} pull --dir images --force library://library.example.com/lab/tools/blast")]
#[allow(clippy::struct_excessive_bools)]
pub struct Options {
    /// The file to make [default: NAME_TAG.sif]
    #[arg(value_name = "OUTPUT")]
    output: Option<OsString>,
    /// The image: library://[host/][entity/collection/]container[:tag|@sha256:DIGEST]
    #[arg(value_name = "URI")]
    uri: Option<OsString>,
    /// The image for this architecture [default: this machine's]
    #[arg(long)]
    arch: Option<String>,
    /// Make the file in this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Make the file under this name, even if OUTPUT is another
    #[arg(long, value_name = "FILE")]
    name: Option<OsString>,
    /// Replace a file that is there
    #[arg(short = 'F', long)]
    force: Option<bool>,
    /// Use the library at URL instead
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Neither look into the cache nor put the image there
    #[arg(long)]
    disable_cache: Option<bool>,
    /// Ask the host that the URI names over http
    #[arg(long)]
    no_https: Option<bool>,
    /// Download the image over http if an https library chooses an http address for it
    #[arg(long)]
    allow_http_storage: bool,
    /// Say nothing about an image without a signature
    #[arg(short = 'U', long)]
    allow_unsigned: Option<bool>,
    /// The same
    #[arg(long, hide = true)]
    allow_unauthenticated: Option<bool>,
    /// Accepted for compatibility; has no effect here
    #[arg(long, value_name = "DIR", hide = true)]
    tmpdir: Option<PathBuf>,
    /// Accepted for compatibility; has no effect here
    #[arg(long, value_name = "FILE", hide = true)]
    authfile: Option<PathBuf>,
}

impl Options {
    /// What is to be pulled.
    pub fn uri(&self) -> Option<&OsString> {
        self.uri.as_ref().or(self.output.as_ref())
    }

    /// OUTPUT, which stands first only where there are two.
    fn output(&self) -> Option<&OsString> {
        self.output.as_ref().filter(|_| self.uri.is_some())
    }
}

/// A pull that has been thought through.
struct Pull {
    reference: LibraryRef,
    arch: String,
    output: Output,
    force: bool,
    chosen: Chosen,
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps it from being done; nothing is left behind then.
pub fn run(options: &Options, session: &mut Session) -> Result<()> {
    let missing = || Failure::usage(&["pull"], "the required argument <URI> was not provided");
    let uri = options
        .uri()
        .ok_or_else(missing)?
        .to_str()
        .ok_or_else(|| Failure::new("the reference is not valid text"))?;
    let reference = LibraryRef::parse(uri).map_err(Failure::from)?;
    one_tag(&reference, "pull", session)?;
    let arch = architecture(options.arch.as_ref(), "PULL_ARCH", session)?;
    let (at_once, part_size) = parts(session)?;
    let min_rate = min_rate(session)?;
    let force = session.ctx.switch(options.force, &["FORCE"])?;
    let output = output(options, &reference, force, session)?;
    let http = session.ctx.switch(options.no_https, &["NO_HTTPS", "NOHTTPS"])?;
    let host = if http { Host::Http } else { Host::Https };
    let use_cache = !session.ctx.switch(options.disable_cache, &["DISABLE_CACHE"])?;
    let unsigned = session.ctx.switch(options.allow_unsigned, &["ALLOW_UNSIGNED"])?
        | session.ctx.switch(options.allow_unauthenticated, &["ALLOW_UNAUTHENTICATED"])?;
    let choice =
        Choice { command: "pull", library: options.library.as_ref(), reference: Some(&reference), host };
    let mut chosen = choose(&choice, session)?;
    chosen.library.http_storage = options.allow_http_storage;
    let pull = Pull { reference, arch, output, force, chosen };
    let image = pull.describe()?;
    let hash = pull.hash(&image)?;
    let mut cache = use_cache.then(|| cache(hash, session)).flatten();
    require_memory(at_once)?;
    let new = pull.output.begin()?;
    pull.require_room(&new, &image)?;
    // As for the download: a size of 0 is none.
    let size = image.size.filter(|size| *size > 0);
    let (new, cached) = match pull.take_cached(cache.as_mut(), new, (hash, size), session)? {
        Ok(new) => (new, true),
        Err(new) => {
            let how = How { at_once, part_size, min_rate };
            pull.download(&new, &image, hash, &how, session)?;
            (new, false)
        }
    };
    let sif = pull.inspect(&new)?;
    if let Some(cache) = cache.filter(|_| !cached)
        && let Err(failure) = cache.keep(&new.file)
    {
        session.ctx.talk.verbose(format!("the image is not kept in the cache: {}", failure.message()));
    }
    if !new.keep(pull.force)? {
        return Err(pull.output.already_exists());
    }
    pull.say_signatures(&sif, unsigned, session);
    Ok(())
}

/// How an image is to come.
struct How {
    at_once: usize,
    part_size: u64,
    min_rate: u64,
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

/// How many parts side by side, and how many bytes in each.
fn parts(session: &Session) -> Result<(usize, u64)> {
    let at_once = number("DOWNLOAD_CONCURRENCY", AT_ONCE, 1..=64, session)?;
    let part_size = number("DOWNLOAD_PART_SIZE", PART_SIZE, 1..=1 << 40, session)?;
    Ok((at_once as usize, part_size.max(64 << 10)))
}

/// `--name`, else OUTPUT, else NAME_TAG.sif; in `--dir`.
fn output(options: &Options, reference: &LibraryRef, force: bool, session: &Session) -> Result<Output> {
    let variable = |names: &[&str]| names.iter().find_map(|name| session.ctx.variable(name));
    let name = match (options.name.as_ref().or(options.output()), variable(&["PULL_NAME"])) {
        (Some(name), _) => PathBuf::from(name),
        (None, Some(found)) => PathBuf::from(found.value),
        (None, None) => PathBuf::from(reference.file_name()),
    };
    let dir =
        options.dir.clone().or_else(|| variable(&["PULLDIR", "PULLFOLDER"]).map(|found| found.value.into()));
    let path = dir.map_or_else(|| name.clone(), |dir| dir.join(&name));
    Output::find(&path, force, session.identity())
}

impl Pull {
    /// What the library says of the image.
    fn describe(&self) -> Result<Image> {
        let image = self.reference.image();
        let found = wait(self.chosen.library.image(&image, &self.arch))?
            .map_err(|error| self.chosen.failure(error).context("while asking the library for the image"))?;
        found.ok_or_else(|| {
            Failure::new(format!("image does not exist in the library: {image} ({})", self.arch))
        })
    }

    /// The SHA-256 that the library tells.
    fn hash(&self, image: &Image) -> Result<Digest> {
        let told = image.hash.as_deref().unwrap_or_default();
        match Digest::from_name(told) {
            Some(hash) => self.as_asked(hash),
            None => Err(Failure::new(format!(
                "the library tells no SHA-256 of {} that what comes could be compared with",
                self.reference.image()
            ))),
        }
    }

    /// A reference by digest allows no other image, whatever the library says.
    fn as_asked(&self, hash: Digest) -> Result<Digest> {
        match self.reference.sha256() {
            Some(asked) if asked != hash => Err(Failure::new(format!(
                "the library has another image for {}: the SHA-256 of that one is {hash}",
                self.reference.image()
            ))),
            _ => Ok(hash),
        }
    }

    fn require_room(&self, new: &NewFile, image: &Image) -> Result<()> {
        match (image.size, new.room()) {
            (Some(needed), Some(room)) if needed > room => Err(Failure::new(format!(
                "{}: the image has {needed} bytes, and there is room for {room}",
                self.output.shown.display()
            ))
            .hint("to pull into another directory: --dir DIRECTORY")),
            _ => Ok(()),
        }
    }

    /// Takes the image from the cache, if what lies there is it. Else gives the file back, empty.
    fn take_cached(
        &self,
        cache: Option<&mut Cache>,
        new: NewFile,
        (hash, size): (Digest, Option<u64>),
        session: &Session,
    ) -> Result<std::result::Result<NewFile, NewFile>> {
        let Some((cache, entry)) = cache.and_then(|cache| cache.open().map(|entry| (cache, entry))) else {
            return Ok(Err(new));
        };
        let length = entry.metadata()?.len();
        // Whoever can write the cache could fill the disk with an entry of any length.
        let fits = new.room().is_none_or(|room| length <= room);
        if fits && size.is_none_or(|size| size == length) {
            let progress = progress(length, session);
            let copied = copy_hashed(&entry, &new.file, Some(length), &|bytes| progress.add(bytes));
            progress.finish();
            let (_, found) = copied.fail_context(|| self.output.shown.display().to_string())?;
            if found == hash {
                session.ctx.talk.info("Using cached image");
                return Ok(Ok(new));
            }
        }
        let path = cache.path();
        session.ctx.talk.warning(format!("{} is not what its name says, and is replaced", path.display()));
        drop(new);
        self.output.begin().map(Err)
    }

    fn download(
        &self,
        new: &NewFile,
        image: &Image,
        hash: Digest,
        how: &How,
        session: &Session,
    ) -> Result<()> {
        let talk = &session.ctx.talk;
        talk.info("Downloading library image");
        let begun = Instant::now();
        let progress = progress(image.size.unwrap_or_default(), session);
        let library = &self.chosen.library;
        let download = Download {
            library,
            url: library.file_url(&self.reference.image(), &self.arch),
            size: image.size.filter(|size| *size > 0),
            part_size: how.part_size,
            at_once: how.at_once,
            speed: Speed::new(how.min_rate, library.http.limits().pace),
            room: new.room(),
            file: &new.file,
            progress: &progress,
            talk,
            storage: Storage::default(),
        };
        let result = wait(download.run());
        progress.finish();
        let (length, found) = result?.map_err(|error| {
            self.chosen.transfer_failure(error, &self.output.shown).context("while downloading the image")
        })?;
        if !session.ctx.terminals.stderr() {
            talk.info(format!("Downloaded {length} bytes in {:.3} s", begun.elapsed().as_secs_f64()));
        }
        if found != hash {
            return Err(Failure::new(format!(
                "what came is not the image: its SHA-256 is {found}, the library's word is {hash}"
            )));
        }
        Ok(())
    }

    /// Looks whether it is an image for the architecture that was asked for.
    fn inspect(&self, new: &NewFile) -> Result<Sif> {
        let image = self.reference.image();
        let sif = sif::read(&mut &*new.file)
            .map_err(|error| Failure::from(error).context(format!("{image} cannot be used")))?;
        match sif.arch {
            Some(arch) if arch != self.arch => Err(Failure::new(format!(
                "{image} is an image for {arch}, and one for {} was asked for",
                self.arch
            ))
            .hint(format!("to pull it nevertheless: --arch {arch}"))),
            _ => Ok(sif),
        }
    }

    /// Says who signed, and that nobody looked whether the signature is good.
    fn say_signatures(&self, sif: &Sif, unsigned_is_fine: bool, session: &Session) {
        let talk = &session.ctx.talk;
        let file = self.output.shown.to_string_lossy();
        if sif.signatures.is_empty() {
            if !unsigned_is_fine {
                talk.warning(format!("{file} holds no signature"));
            }
            return;
        }
        let keys: BTreeSet<&str> = sif
            .signatures
            .iter()
            .map(|one| one.fingerprint.as_deref().unwrap_or("a key that is not named"))
            .collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let (count, verify) = (sif.signatures.len(), session.line(&format!("verify {}", quoted(&file))));
        let plural = if count == 1 { "a signature" } else { "signatures" };
        talk.info(format!("{file} holds {plural} by {}, not checked here; run: {verify}", keys.join(", ")));
    }
}

/// The place for an image in `<CACHEDIR, else the user's directory>/cache/library`; `None` where there is no cache:
/// there is no home for it, or making one would hide the `~/.singularity` that still stands in for `~/.apptainer`.
fn cache(hash: Digest, session: &Session) -> Option<Cache> {
    let parent = match session.ctx.variable("CACHEDIR") {
        Some(found) => PathBuf::from(found.value),
        None if session.paths.legacy_dir().is_some() => return None,
        None => session.paths.user_dir.clone().ok()?,
    };
    Some(Cache::new(parent.join("cache/library"), hash, session.identity()))
}

/// A bar, where somebody sees it and wants it.
fn progress(total: u64, session: &Session) -> Progress {
    Progress::new(total, "", session.ctx.terminals.stderr() && session.ctx.talk.shows(Level::Info))
}
