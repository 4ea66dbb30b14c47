//! `push IMAGE URI`

use super::min_rate;
use crate::arch::Arch;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::library::{Choice, Host, TokenUse, choose};
use crate::commands::session::wait::wait;
use crate::digest::Digest;
use crate::error::{Failure, Result, ResultExt};
use crate::image::sif::{self, Sif};
use crate::image::transfer::{Progress, Speed, Storage, TransferError, hash_file};
use crate::message::{Level, escape};
use crate::services::library::Library;
use crate::services::library::send::Upload;
use crate::services::library::upload::{FinishedUpload, UploadQuota};
use crate::uri::{LibraryRef, may_be_repeated};
use clap::Args;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use url::Url;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::File, Completes::Nothing];

/// Push an image to a library
///
/// Uploads a signed image and tags it. An image that the library already has is only tagged.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} push blast.sif library://lab/tools/blast:v1")]
#[command(after_long_help = "\
Other destinations (oras://, …) and options that are not listed here are passed to the real {prog}.

Examples:
  $ {prog} push blast.sif library://lab/tools/blast:v1
  $ {prog} push -U -D 'BLAST 2.15' blast.sif library://lab/tools/blast:v1")]
pub(crate) struct Options {
    /// Image file
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Destination: library://entity/collection/container[:tag,…]
    #[arg(value_name = "URI")]
    uri: String,
    /// Description of the image
    #[arg(short = 'D', long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Allow unsigned images
    #[arg(short = 'U', long)]
    allow_unsigned: Option<bool>,
    /// Allow a plain http upload if an https library redirects to one
    #[arg(long)]
    allow_http_storage: bool,
    /// Library to use instead of the default remote's
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Ignored (an Apptainer option)
    #[arg(long, hide = true)]
    no_https: bool,
}

impl Options {
    /// Whether IMAGE and URI were given in the wrong order.
    pub(crate) fn is_turned_round(&self) -> bool {
        self.image.to_str().is_some_and(LibraryRef::is_one) && !self.uri.contains("://")
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

/// An opened image file. It is opened only once.
struct Payload<'a> {
    path: &'a Path,
    file: Arc<File>,
    before: Metadata,
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    if options.is_turned_round() {
        let again = session.command("push").arg(&options.uri);
        let is_safe = options.image.to_str().is_some_and(may_be_repeated);
        let again = if is_safe { again.arg(options.image.display()) } else { again.words("URI") };
        return Err(session.usage("the image file comes before the URI").hint(again));
    }
    let reference = LibraryRef::parse(&options.uri).map_err(|error| session.usage(error.to_string()))?;
    let names = reference.full().map_err(Failure::from)?;
    let min_rate = min_rate(session)?;
    let payload = Payload::open(&options.image)?;
    let sif = sif::read(&mut &*payload.file).map_err(|error| payload.failure(error.into()))?;
    let Some(arch) = sif.arch else {
        return Err(Failure::new(format!("cannot tell the architecture of {}", options.image.display())));
    };
    require_signature(&sif, options, session)?;
    let choice = Choice { library: options.library.as_ref(), reference: Some(&reference), host: Host::Check };
    let mut chosen = choose(&choice, session)?;
    chosen.library.http_storage = options.allow_http_storage;
    if let TokenUse::None(why) = chosen.login {
        return Err(why.context("cannot push image to library"));
    }
    let hash = payload.hash(session)?;
    let push =
        Push { library: &chosen.library, reference: &reference, payload: &payload, arch, hash, min_rate };
    let finished = wait(push.run(names, &options.description, session))?.map_err(|error| {
        chosen.transfer_failure(error, &options.image).context("unable to push image to library")
    })?;
    let page = chosen.page.filter(|_| options.library.is_none());
    print_finished(finished.as_ref(), page.as_ref(), session)
}

impl<'a> Payload<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let opening = || format!("unable to open {}", path.display());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file: File = openat(CWD, path, flags, Mode::empty()).fail_context(opening)?.into();
        let before = file.metadata().fail_context(opening)?;
        if !before.is_file() {
            return Err(Failure::new(format!("{} is not a regular file", path.display())));
        }
        Ok(Self { path, file: Arc::new(file), before })
    }

    fn failure(&self, failure: Failure) -> Failure {
        failure.context(self.path.display().to_string())
    }

    /// The SHA-256 of the whole file.
    fn hash(&self, session: &Session) -> Result<Digest> {
        let progress = progress(self.before.len(), "SHA-256 ", session);
        let each = &mut |block: &[u8]| progress.add(block.len() as u64);
        let hash =
            hash_file(&self.file, 0, self.before.len(), each).map_err(|error| self.failure(error.into()));
        progress.finish();
        hash
    }

    /// Whether the file is unchanged since it was hashed.
    fn is_unchanged(&self) -> bool {
        let state = |found: &Metadata| (found.len(), found.mtime(), found.mtime_nsec());
        self.file.metadata().is_ok_and(|now| state(&now) == state(&self.before))
    }
}

fn require_signature(sif: &Sif, options: &Options, session: &Session) -> Result<()> {
    let allow_unsigned = session.ctx.switch(options.allow_unsigned, &["ALLOW_UNSIGNED"])?;
    if !sif.signatures.is_empty() {
        return Ok(());
    }
    if allow_unsigned {
        session.ctx.talk.warning("the image is not signed");
        return Ok(());
    }
    let file = options.image.display();
    Err(Failure::new(format!("unable to upload container: {file} is not signed"))
        .hint(session.command("sign").arg(&file))
        .hint(session.command("push -U").arg(&file).arg(&options.uri).because("to push it unsigned")))
}

/// A push that is ready to start.
struct Push<'a> {
    library: &'a Library,
    reference: &'a LibraryRef,
    payload: &'a Payload<'a>,
    arch: Arch,
    hash: Digest,
    min_rate: u64,
}

impl Push<'_> {
    async fn run(
        &self,
        names: [&str; 3],
        description: &str,
        session: &Session<'_>,
    ) -> std::result::Result<Option<FinishedUpload>, TransferError> {
        let talk = &session.ctx.talk;
        let made = |path: &str| talk.verbose(format!("created {path} in the library"));
        let container = self.library.container(names, &made).await?;
        let arch = self.arch;
        let path = self.reference.path();
        let (image, there) =
            self.library.image_by_hash(&path, self.hash, arch, &container, description).await?;
        let abilities = self.library.abilities().await;
        let finished = if there {
            let tags = self.reference.tags().join(", ");
            talk.info(format!(
                "The library already has this image (sha256:{}); only setting the tags {tags}",
                self.hash
            ));
            None
        } else {
            self.upload(&image, abilities.v2_upload, session).await?
        };
        let tags = self.reference.tags();
        for (at, tag) in tags.iter().enumerate() {
            let set = self.library.tag(&container, &image, tag, abilities.arch_tags.then_some(arch)).await;
            set.map_err(|error| error.noting(not_set(&tags[at..])))?;
            talk.verbose(format!("tagged {path}:{tag}"));
        }
        Ok(finished)
    }

    async fn upload(
        &self,
        image: &str,
        v2: bool,
        session: &Session<'_>,
    ) -> std::result::Result<Option<FinishedUpload>, TransferError> {
        let talk = &session.ctx.talk;
        let (length, begun) = (self.payload.before.len(), Instant::now());
        let progress = progress(length, "", session);
        let upload = Upload {
            library: self.library,
            image,
            file: &self.payload.file,
            length,
            sha256: self.hash,
            v2,
            speed: Speed::new(self.min_rate, self.library.http.limits().pace),
            progress: &progress,
            talk,
            storage: Storage::default(),
        };
        let result = upload.run().await;
        progress.finish();
        if !self.payload.is_unchanged() {
            let text = "the file changed during the upload";
            return Err(TransferError::File(std::io::Error::other(text)));
        }
        let finished = result?;
        if !session.ctx.terminals.stderr() {
            talk.info(format!("Uploaded {length} bytes in {:.3} s", begun.elapsed().as_secs_f64()));
        }
        Ok(finished)
    }
}

/// Describes a failed tag call: the first of `tags` failed, and the others were not tried.
fn not_set(tags: &[String]) -> String {
    let (s, were) = if tags.len() == 1 { ("", "was") } else { ("s", "were") };
    let names: Vec<String> = tags.iter().map(|tag| format!("{tag:?}")).collect();
    format!("the image is in the library, but the tag{s} {} {were} not set", names.join(", "))
}

/// Prints what the library reported after the upload: the quota and the page of the container.
fn print_finished(
    finished: Option<&FinishedUpload>,
    page: Option<&Url>,
    session: &mut Session,
) -> Result<()> {
    let Some(finished) = finished else { return Ok(()) };
    let mut text = String::new();
    if let Some(quota) = finished.quota {
        text.push_str(&format!("\nLibrary storage: using {}\n", used(quota)));
    }
    if let (Some(path), Some(page)) =
        (finished.container_url.as_deref().filter(|path| !path.is_empty()), page)
    {
        let page = page.as_str().trim_end_matches('/');
        text.push_str(&format!("Container URL: {page}/{}\n", escape(path.trim_start_matches('/'))));
    }
    session.ctx.print(&text)
}

fn used(UploadQuota { total, used }: UploadQuota) -> String {
    if total == 0 {
        return format!("{} out of unlimited quota", size(used));
    }
    format!("{} out of {} quota ({:.1}% used)", size(used), size(total), used as f64 / total as f64 * 100.0)
}

/// Apptainer's format for quotas: two decimals, in units of 1024 from KiB up.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.2} {unit}")
}

/// A progress bar on a terminal, unless messages are silenced.
fn progress(total: u64, what: &'static str, session: &Session) -> Progress {
    Progress::new(Some(total), what, session.ctx.terminals.stderr() && session.ctx.talk.shows(Level::Info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas() {
        let quota = |used, total| super::used(UploadQuota { total, used });
        assert_eq!(quota(1 << 20, 0), "1.00 MiB out of unlimited quota");
        assert_eq!(quota(512, 10 << 30), "0.50 KiB out of 10.00 GiB quota (0.0% used)");
        assert_eq!(quota(3 << 40, 6 << 40), "3.00 TiB out of 6.00 TiB quota (50.0% used)");
    }
}
