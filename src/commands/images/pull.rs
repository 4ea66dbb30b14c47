//! `pull [OUTPUT] URI`

use super::{architecture, four_parts, min_rate, number, one_tag};
use crate::arch::Arch;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::host_of;
use crate::commands::session::library::{Choice, Chosen, Host, choose};
use crate::digest::Digest;
use crate::error::{Failure, Result};
use crate::image::cache::Cache;
use crate::image::fetch::{Fetch, FetchError, How};
use crate::image::output::Output;
use crate::image::sif::Sif;
use crate::services::library::Image;
use crate::uri::{LibraryRef, may_be_repeated};
use clap::Args;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

/// Number of parts downloaded in parallel, unless the environment sets another number.
const AT_ONCE: u64 = 3;
/// Bytes per part.
const PART_SIZE: u64 = 5 << 20;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::File, Completes::Nothing];

/// Pull an image from a library
///
/// Downloads an image to OUTPUT, or to NAME_TAG.sif. The file appears only once it is complete and its
/// SHA-256 matches the library's.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} pull library://alpine")]
#[command(after_long_help = "\
Other sources (docker://, oras://, …) and options that are not listed here are passed to the real {prog}.

Examples:
  $ {prog} pull library://alpine
  $ {prog} pull --arch arm64 blast.sif library://lab/tools/blast:v1
  $ {prog} pull --dir images -F library://lab.example.com/lab/tools/blast")]
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct Options {
    /// Output file [default: NAME_TAG.sif]
    #[arg(value_name = "OUTPUT")]
    output: Option<OsString>,
    /// Image: library://[host/][entity/collection/]container[:tag|@sha256:DIGEST]
    #[arg(value_name = "URI")]
    uri: Option<OsString>,
    /// Architecture to pull [default: this machine's]
    #[arg(long)]
    arch: Option<String>,
    /// Directory for the output file
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Name of the output file (overrides OUTPUT)
    #[arg(long, value_name = "FILE")]
    name: Option<OsString>,
    /// Overwrite an existing file
    #[arg(short = 'F', long)]
    force: Option<bool>,
    /// Library to use instead of the default remote's
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Do not use the image cache
    #[arg(long)]
    disable_cache: Option<bool>,
    /// Use http for a host given in the URI
    #[arg(long)]
    no_https: Option<bool>,
    /// Allow a plain http download if an https library redirects to one
    #[arg(long)]
    allow_http_storage: bool,
    /// Do not warn about unsigned images
    #[arg(short = 'U', long)]
    allow_unsigned: Option<bool>,
    /// Alias of --allow-unsigned
    #[arg(long, hide = true)]
    allow_unauthenticated: Option<bool>,
    /// Ignored (an Apptainer option)
    #[arg(long, value_name = "DIR", hide = true)]
    tmpdir: Option<PathBuf>,
    /// Ignored (an Apptainer option)
    #[arg(long, value_name = "FILE", hide = true)]
    authfile: Option<PathBuf>,
}

impl Options {
    pub(crate) fn uri(&self) -> Option<&OsString> {
        self.uri.as_ref().or(self.output.as_ref())
    }

    /// Whether URI and OUTPUT were given in the wrong order.
    pub(crate) fn is_turned_round(&self) -> bool {
        let is_library = |word: &OsString| word.to_str().is_some_and(LibraryRef::is_one);
        let scheme = |word: &OsString| word.to_str().is_some_and(|word| word.contains("://"));
        match (&self.output, &self.uri) {
            (Some(output), Some(uri)) => is_library(output) && !scheme(uri),
            _ => false,
        }
    }

    /// OUTPUT. A single argument is the URI.
    fn output(&self) -> Option<&OsString> {
        self.output.as_ref().filter(|_| self.uri.is_some())
    }
}

/// Everything that a pull needs before the download starts.
struct Pull {
    reference: LibraryRef,
    arch: Arch,
    output: Output,
    chosen: Chosen,
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    if let (true, Some(uri), Some(output)) = (options.is_turned_round(), &options.output, &options.uri) {
        let again = session.command("pull").arg(output.display());
        let is_safe = uri.to_str().is_some_and(may_be_repeated);
        let again = if is_safe { again.arg(uri.display()) } else { again.words("URI") };
        return Err(session.usage("the output file comes before the URI").hint(again));
    }
    let missing = || session.usage("the required argument <URI> was not provided");
    let uri = options
        .uri()
        .ok_or_else(missing)?
        .to_str()
        .ok_or_else(|| Failure::new("the reference is not valid text"))?;
    let reference = LibraryRef::parse(uri).map_err(|error| session.usage(error.to_string()))?;
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
    let image = pull.describe(session)?;
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

/// How many parts to download in parallel, and how many bytes each has.
fn parts(session: &Session) -> Result<(usize, u64)> {
    let at_once = number("DOWNLOAD_CONCURRENCY", AT_ONCE, 1..=64, session)?;
    let part_size = number("DOWNLOAD_PART_SIZE", PART_SIZE, 1..=1 << 40, session)?;
    Ok((at_once as usize, part_size.max(64 << 10)))
}

/// The output file: `--name`, else OUTPUT, else NAME_TAG.sif; in `--dir` if given.
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
    /// Fetches the image's metadata from the library.
    fn describe(&self, session: &Session) -> Result<Image> {
        let image = self.reference.image();
        let found = session
            .wait_for(&host_of(&self.chosen.library.base), self.chosen.library.image(&image, self.arch))?
            .map_err(|error| {
                let four = four_parts(&self.reference, &error);
                let failure = self.chosen.failure(error).context("while looking up the image");
                four.into_iter().fold(failure, Failure::hint)
            })?;
        found.ok_or_else(|| {
            Failure::new(format!("image does not exist in the library: {image} ({})", self.arch))
        })
    }

    /// The SHA-256 that the library reports.
    fn hash(&self, image: &Image) -> Result<Digest> {
        let told = image.hash.as_deref().unwrap_or_default();
        match Digest::from_name(told) {
            Some(hash) => self.as_asked(hash),
            None => Err(Failure::new(format!(
                "the library gives no SHA-256 for {}, so the download could not be verified",
                self.reference.image()
            ))),
        }
    }

    /// Checks that the library's hash equals the digest in the reference, if it has one.
    fn as_asked(&self, hash: Digest) -> Result<Digest> {
        match self.reference.sha256() {
            Some(asked) if asked != hash => Err(Failure::new(format!(
                "the library returned another image for {}, with SHA-256 {hash}",
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

    /// Reports which keys signed the image. The signatures are not verified.
    fn say_signatures(&self, sif: &Sif, unsigned_is_fine: bool, session: &Session) {
        let talk = &session.ctx.talk;
        let file = self.output.shown.to_string_lossy();
        if sif.signatures.is_empty() {
            if !unsigned_is_fine {
                talk.warning(format!("{file} is not signed"));
            }
            return;
        }
        let keys: BTreeSet<&str> =
            sif.signatures.iter().map(|one| one.fingerprint.as_deref().unwrap_or("an unknown key")).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let verify = session.command("verify").arg(&file);
        talk.info(format!("{file} is signed by {} (not verified). To verify: {verify}", keys.join(", ")));
    }
}

/// The cache entry for an image, in `cache/library` below CACHEDIR or the user's directory. `None` if there is no
/// cache: either there is no home, or creating the directory would hide a `~/.singularity` that is still used in
/// place of `~/.apptainer`.
fn cache(hash: Digest, session: &Session) -> Option<Cache> {
    let parent = match session.ctx.variable("CACHEDIR") {
        Some(found) => PathBuf::from(found.value),
        None if session.paths.legacy_dir().is_some() => return None,
        None => session.paths.user_dir.clone().ok()?,
    };
    Some(Cache::new(parent.join("cache/library"), hash, session.identity()))
}
