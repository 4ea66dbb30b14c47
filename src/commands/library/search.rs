//! `search QUERY`

use super::target::{Choice, Host, choose};
use super::{architecture, switch};
use crate::commands::endpoint::wait;
use crate::commands::session::Session;
use crate::error::{Failure, Result};
use crate::message::{escape, json_line};
use crate::services::library::Image;
use clap::Args;
use serde::Serialize;
use std::fmt::Write;

/// Shorter queries are not asked, as libraries refuse them.
const SHORTEST: usize = 3;
/// What older pushes wrote where there was no description.
const NO_DESCRIPTION: &str = "no description";

/// Search a library for images
///
/// Asks the library of the default remote for images whose names hold QUERY, of this machine's
/// architecture unless another one is named.
#[derive(Args)]
#[command(after_help = "\
Examples:
  $ {prog} search alpine")]
#[command(after_long_help = "\
Examples:
  $ {prog} search alpine
  $ {prog} search --arch arm64 --signed lolcow
  $ {prog} search --json alpine | jq -r '.images[].uri'")]
pub struct Options {
    /// At least three characters of a name
    #[arg(value_name = "QUERY")]
    query: String,
    /// Images of this architecture [default: this machine's]
    #[arg(long)]
    arch: Option<String>,
    /// Only signed images
    #[arg(long)]
    signed: bool,
    /// Ask the library at URL instead
    #[arg(long, value_name = "URL")]
    library: Option<String>,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct Listing<'a> {
    version: u8,
    query: &'a str,
    arch: &'a str,
    images: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    uri: String,
    entity: &'a str,
    collection: &'a str,
    container: &'a str,
    tags: Vec<&'a str>,
    hash: Option<&'a str>,
    size: Option<u64>,
    arch: Option<&'a str>,
    description: Option<&'a str>,
    signed: Option<bool>,
    fingerprints: Vec<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps it from being done; nothing is left behind then.
pub fn run(options: &Options, session: &mut Session) -> Result<()> {
    let query = options.query.as_str();
    if query.contains("://") {
        return Err(Failure::new(format!("{query:?} is an address: a search takes a part of a name")));
    }
    if query.len() < SHORTEST {
        return Err(Failure::new(format!("bad query {query:?}: at least {SHORTEST} characters are needed")));
    }
    let arch = architecture(options.arch.as_ref(), "SEARCH_ARCH", session)?;
    let signed = switch(options.signed, &["SEARCH_SIGNED"], session);
    let choice =
        Choice { command: "search", library: options.library.as_ref(), reference: None, host: Host::Https };
    let chosen = choose(&choice, session)?;
    let images = wait(chosen.library.search(query, &arch, signed))?
        .map_err(|error| chosen.failure(error).context("while searching the library"))?;
    let mut rows: Vec<Row> = images.iter().map(row).collect();
    rows.sort_by(|a, b| (&a.uri, a.hash).cmp(&(&b.uri, b.hash)));
    let text = if options.json {
        json_line(&Listing { version: 1, query, arch: &arch, images: rows })
    } else {
        page(&rows, query, &arch)
    };
    session.ctx.print(&text)
}

fn row(image: &Image) -> Row<'_> {
    let part = |part: &'_ Option<String>| part.as_deref().unwrap_or_default().to_string();
    let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let mut tags: Vec<&str> = image.tags.iter().flatten().map(String::as_str).collect();
    tags.sort_unstable();
    let spec = if tags.is_empty() { part(&image.hash) } else { tags.join(",") };
    let [entity, collection, container] = [&image.entity_name, &image.collection_name, &image.container_name]
        .map(|name| name.as_deref().unwrap_or_default());
    let description = image.description.as_deref();
    Row {
        uri: format!("library://{entity}/{collection}/{container}:{spec}"),
        entity,
        collection,
        container,
        tags,
        hash: image.hash.as_deref().filter(|_| text(&image.hash)),
        size: image.size,
        arch: image.arch.as_deref(),
        description: description
            .filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case(NO_DESCRIPTION)),
        signed: image.signed,
        fingerprints: image.fingerprints.iter().flatten().map(String::as_str).collect(),
    }
}

fn page(rows: &[Row], query: &str, arch: &str) -> String {
    let query = format!("{query:?}");
    if rows.is_empty() {
        return format!("No container images found for {arch} matching {query}.\n\n");
    }
    let mut page = format!("Found {} container images for {arch} matching {query}:\n\n", rows.len());
    let images = rows.iter().map(|row| {
        let mut lines = format!("\t{}\n", escape(&row.uri));
        if let Some(description) = row.description {
            let _ = writeln!(lines, "\t\t{}", escape(description));
        }
        if !row.fingerprints.is_empty() {
            let _ = writeln!(lines, "\t\tSigned by: {}", escape(&row.fingerprints.join(",")));
        }
        lines
    });
    page.push_str(&images.collect::<Vec<_>>().join("\n"));
    page.push('\n');
    page
}
