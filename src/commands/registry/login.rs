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
/// Prompts for the password (or reads it from a pipe), verifies it with the registry, and stores it in the
/// auth file or with the credential helper configured there.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry login -u ada docker://ghcr.io
  $ pass ghcr | {prog} registry login -u ada --password-stdin ghcr.io
  $ {prog} registry login --authfile auth.json oras://lab.example.com:5000")]
pub(crate) struct Options {
    /// Registry: docker://HOST[:PORT] or oras://HOST[:PORT]
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    login: LoginOptions,
    /// Registry auth file [default: ~/.docker/config.json]
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
