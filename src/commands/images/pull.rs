//! `pull [OUTPUT] URI`

use super::{architecture, min_rate, number, one_tag};
use crate::arch::Arch;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::wait;
use crate::commands::session::library::{Choice, Chosen, Host, choose};
use crate::digest::Digest;
use crate::error::{Failure, Result};
use crate::image::cache::Cache;
use crate::image::fetch::{Fetch, FetchError, How};
use crate::image::output::Output;
use crate::image::sif::Sif;
use crate::services::library::Image;
use crate::uri::LibraryRef;
use clap::Args;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// As many parts side by side, unless the environment says otherwise.
const AT_ONCE: u64 = 3;
/// As many bytes in a part.
const PART_SIZE: u64 = 5 << 20;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::File, Completes::Nothing];

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
pub(crate) struct Options {
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
    pub(crate) fn uri(&self) -> Option<&OsString> {
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
    arch: Arch,
    output: Output,
    chosen: Chosen,
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps it from being done; nothing is left behind then.
pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let missing = || session.usage("the required argument <URI> was not provided");
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
    let choice = Choice { library: options.library.as_ref(), reference: Some(&reference), host };
    let mut chosen = choose(&choice, session)?;
    chosen.library.http_storage = options.allow_http_storage;
    let pull = Pull { reference, arch, output, chosen };
    let image = pull.describe()?;
    let hash = pull.hash(&image)?;
    let cache = use_cache.then(|| cache(hash, session)).flatten();
    let (talk, terminal) = (&session.ctx.talk, session.ctx.terminals.stderr());
    let name = pull.reference.image();
    let source = pull.chosen.library.source(&name, pull.arch, hash, image.size);
    let how = How { at_once, part_size, min_rate };
    let fetch = Fetch {
        source: &source,
        name: &name,
        arch: pull.arch,
        output: &pull.output,
        replace: force,
        how,
        talk,
        terminal,
    };
    let sif = fetch.run(cache).map_err(|error| pull.failure(error))?;
    pull.say_signatures(&sif, unsigned, session);
    Ok(())
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
        let found = wait(self.chosen.library.image(&image, self.arch))?
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

    fn failure(&self, error: FetchError) -> Failure {
        match error {
            FetchError::Here(failure) => failure,
            FetchError::Transfer(error) => {
                self.chosen.transfer_failure(error, &self.output.shown).context("while downloading the image")
            }
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
        let (count, verify) = (sif.signatures.len(), session.command("verify").arg(&file));
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
