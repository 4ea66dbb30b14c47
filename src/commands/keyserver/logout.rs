//! `keyserver logout URI`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login;
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::KeyserverLogin];

/// Log out of a keyserver
///
/// Removes the stored login from your remote.yaml.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver logout https://keys.example.com")]
pub(crate) struct Options {
    /// Keyserver to log out of
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let changed = login::logout(&options.uri, None, session)?;
    options.json.changed(session, changed)
}
