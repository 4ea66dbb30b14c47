//! `keyserver login URI`

use crate::commands::JsonOption;
use crate::commands::service;
use crate::commands::session::Session;
use crate::error::Result;
use crate::secret_source::SecretOptions;
use clap::Args;
use std::path::PathBuf;

/// Log in to a keyserver
///
/// The keyserver must be one that an administrator added to a remote. With a username a password is asked
/// for, without one a token; it is checked with the server, and stored in your own remote.yaml.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver login -u ada https://keys.example.com
  $ {prog} keyserver login --tokenfile ~/token hkps://keys.example.com")]
pub struct Options {
    /// https://HOST[:PORT][/PATH], or the same with hkps, http or hkp
    #[arg(value_name = "URI")]
    uri: String,
    /// Your name at the keyserver
    #[arg(short, long)]
    username: Option<String>,
    #[command(flatten)]
    secret: SecretOptions,
    /// Accepted for compatibility; the keyserver's own setting decides
    #[arg(short, long)]
    insecure: bool,
    /// Trust the certificates in FILE (PEM) too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub fn run(options: Options, session: &mut Session) -> Result<()> {
    let Options { uri, username, secret, insecure, ca_file, json } = options;
    let login = service::Login { uri, username, secret, insecure, authfile: None, ca_file };
    let changed = service::login(&login, session)?;
    json.changed(session, changed)
}
