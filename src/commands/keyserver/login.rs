//! `keyserver login URI`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login::{self, LoginOptions};
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Keyserver];

/// Log in to a keyserver
///
/// Works for keyservers that an administrator has added to a remote. Prompts for a password, or for a token
/// if you give no username, checks it with the server, and stores it in your remote.yaml.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver login -u ada https://keys.example.com
  $ {prog} keyserver login --tokenfile ~/token hkps://keys.example.com")]
pub(crate) struct Options {
    /// Keyserver: https://HOST[:PORT][/PATH] (or hkps, http, hkp)
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    login: LoginOptions,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    session.exclusive(&options.login.secret.given())?;
    let changed = login::login(&options.uri, &options.login, None, session)?;
    options.json.changed(session, changed)
}
