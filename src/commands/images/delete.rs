//! `delete URI`

use super::architecture;
use crate::arch::Arch;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::host_of;
use crate::commands::session::library::{Choice, Chosen, Host, TokenUse, choose};
use crate::error::{Failure, Result};
use crate::services::library::Image;
use crate::uri::LibraryRef;
use clap::Args;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::Nothing];

/// Delete an image from a library
///
/// Deletes the image for one architecture. This cannot be undone.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} delete library://lab/tools/blast:v1")]
#[command(after_long_help = "\
Examples:
  $ {prog} delete library://lab/tools/blast:v1
  $ {prog} delete --arch arm64 --force library://lab/tools/blast:v1")]
pub(crate) struct Options {
    /// Image to delete: library://entity/collection/container:tag
    #[arg(value_name = "URI")]
    uri: String,
    /// Architecture of the image [default: this machine's]
    #[arg(short = 'A', long)]
    arch: Option<String>,
    /// Do not ask for confirmation
    #[arg(short = 'F', long)]
    force: Option<bool>,
    /// Library to use instead of the default remote's
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Use http for a host given in the URI
    #[arg(long)]
    no_https: Option<bool>,
}

impl Options {
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let reference = LibraryRef::parse(&options.uri).map_err(|error| session.usage(error.to_string()))?;
    super::one_tag(&reference, "delete", session)?;
    let arch = architecture(options.arch.as_ref(), "ARCH", session)?;
    let image = reference.image();
    let http = session.ctx.switch(options.no_https, &["NO_HTTPS", "NOHTTPS"])?;
    let host = if http { Host::Http } else { Host::Https };
    let choice = Choice { library: options.library.as_ref(), reference: Some(&reference), host };
    let force = session.ctx.switch(options.force, &["FORCE"])?;
    if !force && !session.ctx.terminals.stdin() {
        let again = session.command("delete --force").arg(&options.uri);
        return Err(Failure::new("cannot ask for confirmation: standard input is not a terminal").hint(again));
    }
    let chosen = choose(&choice, session)?;
    if let TokenUse::None(why) = chosen.login {
        return Err(why.context("cannot delete from the library"));
    }
    if !force {
        say_tags(&chosen, &reference, arch, session)?;
    }
    if !force && !session.confirm(&format!("Are you sure you want to delete {image} ({arch})"))? {
        session.ctx.talk.info("Nothing was deleted.");
        return Ok(());
    }
    let deleted = session.wait_for(&host_of(&chosen.library.base), chosen.library.delete(&image, arch))?;
    if !deleted.map_err(|error| chosen.failure(error).context("unable to delete image from library"))? {
        return Err(missing(&image, arch));
    }
    session.ctx.talk.info(format!("Image {image} ({arch}) deleted."));
    Ok(())
}

/// Warns about other tags that are deleted with the image, before asking for confirmation. A failed lookup is
/// ignored: the deletion itself reports the error.
fn say_tags(chosen: &Chosen, reference: &LibraryRef, arch: Arch, session: &Session) -> Result<()> {
    let image = reference.image();
    let found = session.wait_for(&host_of(&chosen.library.base), chosen.library.image(&image, arch))?;
    let tags = match found {
        Ok(Some(Image { tags: Some(tags), .. })) => tags,
        Ok(None) => return Err(missing(&image, arch)),
        _ => return Ok(()),
    };
    let others = |tag: &&String| !reference.tags().contains(tag);
    let others: Vec<&str> = tags.kept.iter().filter(others).map(String::as_str).collect();
    if !others.is_empty() {
        let more = if tags.more > 0 { format!(" and {} more", tags.more) } else { String::new() };
        session
            .ctx
            .talk
            .warning(format!("this also deletes these tags of {image}: {}{more}", others.join(", ")));
    }
    Ok(())
}

fn missing(image: &str, arch: Arch) -> Failure {
    Failure::new(format!("image does not exist in the library: {image} ({arch})"))
}
