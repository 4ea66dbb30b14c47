//! `search QUERY`

use super::architecture;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::host_of;
use crate::commands::session::library::{Choice, Host, choose};
use crate::error::Result;
use crate::http::bounded::Names;
use crate::message::escape;
use crate::services::library::{Found, Image};
use crate::uri::may_be_repeated;
use crate::view::{Sink, View};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;

/// Libraries reject shorter queries.
const SHORTEST: usize = 3;
/// The description that older clients push if none was given.
const NO_DESCRIPTION: &str = "no description";

pub(crate) const POSITIONALS: &[Completes] = &[Completes::Nothing];

/// Search a library for images
///
/// Searches the default remote's library for images whose name contains QUERY, for this machine's
/// architecture unless --arch is given.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} search alpine")]
#[command(after_long_help = "\
Examples:
  $ {prog} search alpine
  $ {prog} search --arch arm64 --signed lolcow
  $ {prog} search --json alpine | jq -r '.images[].uri'")]
pub(crate) struct Options {
    /// Part of a name, at least three characters
    #[arg(value_name = "QUERY")]
    query: String,
    /// Architecture of the images [default: this machine's]
    #[arg(long)]
    arch: Option<String>,
    /// Only list signed images
    #[arg(long)]
    signed: Option<bool>,
    /// Library to use instead of the default remote's
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct SearchResult<'a> {
    version: u8,
    query: &'a str,
    arch: &'a str,
    images: Vec<ImageEntry<'a>>,
    /// The number of matching images that are not listed.
    more: u64,
}

#[derive(Serialize)]
struct ImageEntry<'a> {
    uri: String,
    entity: &'a str,
    collection: &'a str,
    container: &'a str,
    tags: Vec<&'a str>,
    more_tags: u64,
    hash: Option<&'a str>,
    size: Option<u64>,
    arch: Option<&'a str>,
    description: Option<&'a str>,
    signed: Option<bool>,
    fingerprints: Vec<&'a str>,
    more_fingerprints: u64,
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let query = options.query.as_str();
    if query.contains("://") {
        let shown = if may_be_repeated(query) { format!("{query:?}") } else { "this".into() };
        return Err(session.usage(format!("{shown} is a URI: search takes part of a name")));
    }
    if query.len() < SHORTEST {
        return Err(session
            .usage(format!("the query {query:?} is too short: at least {SHORTEST} characters are needed")));
    }
    let arch = architecture(options.arch.as_ref(), "SEARCH_ARCH", session)?;
    let signed = session.ctx.switch(options.signed, &["SEARCH_SIGNED"])?;
    let choice = Choice { library: options.library.as_ref(), reference: None, host: Host::Https };
    let chosen = choose(&choice, session)?;
    let Found { kept, more } = session
        .wait_for(&host_of(&chosen.library.base), chosen.library.search(query, arch, signed))?
        .map_err(|error| chosen.failure(error).context("while searching the library"))?;
    let mut images: Vec<ImageEntry> = kept.iter().map(entry).collect();
    images.sort_by(|a, b| (&a.uri, a.hash).cmp(&(&b.uri, b.hash)));
    session.ctx.show(&SearchResult { version: 1, query, arch: arch.name(), images, more }, options.json)
}

fn entry(image: &Image) -> ImageEntry<'_> {
    let part = |part: &'_ Option<String>| part.as_deref().unwrap_or_default().to_string();
    let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let (mut tags, more_tags) = names(image.tags.as_ref());
    tags.sort_unstable();
    let (fingerprints, more_fingerprints) = names(image.fingerprints.as_ref());
    let spec = if tags.is_empty() { part(&image.hash) } else { tags.join(",") };
    let [entity, collection, container] = [&image.entity_name, &image.collection_name, &image.container_name]
        .map(|name| name.as_deref().unwrap_or_default());
    let description = image.description.as_deref();
    ImageEntry {
        uri: format!("library://{entity}/{collection}/{container}:{spec}"),
        entity,
        collection,
        container,
        tags,
        more_tags,
        hash: image.hash.as_deref().filter(|_| text(&image.hash)),
        size: image.size,
        arch: image.arch.as_deref(),
        description: description
            .filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case(NO_DESCRIPTION)),
        signed: image.signed,
        fingerprints,
        more_fingerprints,
    }
}

/// The names, and how many more there are.
fn names(names: Option<&Names>) -> (Vec<&str>, u64) {
    let kept = names.iter().flat_map(|names| &names.kept).map(String::as_str);
    (kept.collect(), names.map_or(0, |names| names.more))
}

impl View for SearchResult<'_> {
    fn document(&self) -> impl Serialize {
        self
    }

    fn text(&self, _: Sink) -> String {
        let (images, more, arch) = (&self.images, self.more, self.arch);
        let query = format!("{:?}", self.query);
        if images.is_empty() {
            return format!("No container images found for {arch} matching {query}.\n\n");
        }
        let count = images.len() as u64 + more;
        let mut page = format!("Found {count} container images for {arch} matching {query}:\n\n");
        for image in images {
            let _ = writeln!(page, "\t{}", escape(&image.uri));
            if image.more_tags > 0 {
                let _ = writeln!(page, "\t\t({} more tags)", image.more_tags);
            }
            if let Some(description) = image.description {
                let _ = writeln!(page, "\t\t{}", escape(description));
            }
            if !image.fingerprints.is_empty() {
                let _ = write!(page, "\t\tSigned by: {}", escape(&image.fingerprints.join(",")));
                let _ = match image.more_fingerprints {
                    0 => writeln!(page),
                    more => writeln!(page, " and {more} more"),
                };
            }
            page.push('\n');
        }
        if more > 0 {
            let _ = writeln!(page, "({more} more images not shown; use a longer query)\n");
        }
        page
    }
}
