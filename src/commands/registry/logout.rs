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
/// Forgets the login wherever it is kept, looks again, and says what was removed from where.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry logout docker://ghcr.io")]
pub(crate) struct Options {
    /// docker://HOST[:PORT] or oras://HOST[:PORT], with a path for a login to a part of it
    #[arg(value_name = "URI")]
    uri: String,
    /// The file of registry logins to use
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let changed = login::logout(&options.uri, options.authfile.clone(), session)?;
    options.json.changed(session, changed)
}
