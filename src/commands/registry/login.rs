//! `registry login URI`

use crate::commands::JsonOption;
use crate::commands::service;
use crate::commands::session::Session;
use crate::error::Result;
use crate::secret_source::SecretOptions;
use clap::Args;
use std::path::PathBuf;

/// Log in to an OCI registry
///
/// The password is asked for without showing it, or read from standard input where that is no terminal. It
/// is checked with the registry, and stored in the auth file, or by the credential helper that the file
/// names.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry login -u ada docker://ghcr.io
  $ pass show ghcr | {prog} registry login -u ada --password-stdin docker://ghcr.io
  $ {prog} registry login -u ada --authfile ./auth.json oras://registry.example.com:5000")]
pub struct Options {
    /// docker://HOST[:PORT] or oras://HOST[:PORT]
    #[arg(value_name = "URI")]
    uri: String,
    /// Your name at the registry
    #[arg(short, long)]
    username: Option<String>,
    #[command(flatten)]
    secret: SecretOptions,
    /// Allow http, and https without verification
    #[arg(short, long)]
    insecure: bool,
    /// The file of registry logins to use
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Trust the certificates in FILE (PEM) too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub fn run(options: Options, session: &mut Session) -> Result<()> {
    let Options { uri, username, secret, insecure, authfile, ca_file, json } = options;
    let login = service::Login { uri, username, secret, insecure, authfile, ca_file };
    let changed = service::login(&login, session)?;
    json.changed(session, changed)
}
