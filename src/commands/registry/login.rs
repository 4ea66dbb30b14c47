//! `registry login URI`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login::{self, LoginOptions};
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Registry];

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
pub(crate) struct Options {
    /// docker://HOST[:PORT] or oras://HOST[:PORT]
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    login: LoginOptions,
    /// The file of registry logins to use
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    session.exclusive(&options.login.secret.given())?;
    let changed = login::login(&options.uri, &options.login, options.authfile.clone(), session)?;
    options.json.changed(session, changed)
}
