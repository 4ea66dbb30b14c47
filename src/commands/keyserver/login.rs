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
/// The keyserver must be one that an administrator added to a remote. With a username a password is asked
/// for, without one a token; it is checked with the server, and stored in your own remote.yaml.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver login -u ada https://keys.example.com
  $ {prog} keyserver login --tokenfile ~/token hkps://keys.example.com")]
pub(crate) struct Options {
    /// https://HOST[:PORT][/PATH], or the same with hkps, http or hkp
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
