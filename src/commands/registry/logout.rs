//! `registry logout URI`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login;
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Registry];

/// Log out of an OCI registry
///
/// Removes the login from the auth file and credential helper, and verifies that it is gone.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry logout docker://ghcr.io")]
pub(crate) struct Options {
    /// Registry: docker://HOST[:PORT] or oras://HOST[:PORT], with a path for a login to part of it
    #[arg(value_name = "URI")]
    uri: String,
    /// Registry auth file [default: ~/.docker/config.json]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let changed = login::logout(&options.uri, options.authfile.clone(), session)?;
    options.json.changed(session, changed)
}
