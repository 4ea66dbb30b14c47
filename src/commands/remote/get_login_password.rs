//! `remote get-login-password`

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::{Keep, failure, host_of};
use crate::error::{Failure, Result};
use crate::services::endpoint::account;
use crate::services::endpoint::policy::Freshness;
use crate::uri::shown;
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[];

/// Print the registry password of the logged-in user
///
/// Asks the default remote's library for your registry password and prints it. On failure nothing is printed
/// to standard output.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote get-login-password |
      docker login -u ada --password-stdin registry.example.com")]
pub(crate) struct Options {
    /// Also trust the PEM certificates in FILE
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let layers = session.load()?;
    let remote = layers.find(session, None)?;
    let name = &remote.name;
    session.say_notes(&layers.effective, Some(name));
    let log_in = session.remote("login").arg(name);
    if remote.is_cloud_apptainer() {
        return Err(Failure::new(format!(
            "{name} ({}) has no library and therefore no registry password",
            shown(&remote.uri)
        ))
        .hint(session.remote("use NAME").because("to choose a remote that has a library")));
    }
    let Some(token) = session.token_for(&layers, remote)? else {
        return Err(layers
            .held_back(session, remote)
            .unwrap_or_else(|| Failure::new(format!("not logged in to {name}")).hint(log_in)));
    };
    let access =
        session.open(remote, options.ca_file.clone(), Freshness::PreferCache, Keep::WhereThereIsOne)?;
    let Some(library) = access.service("library") else {
        return Err(Failure::new(format!("{name} has no library and therefore no registry password"))
            .hint(session.remote("status").arg(name)));
    };
    access.may_get_token(library)?;
    let account = session
        .wait_for(
            &host_of(&access.address),
            account::identity(&access.http, &library.uri, &access.address, Some(&token)),
        )?
        .map_err(|error| {
            let (refused, lacks) = (matches!(error.status(), Some(401 | 403)), error.status() == Some(404));
            if lacks {
                let note = "this library does not offer registry passwords";
                return failure(error.noting(note)).context("while looking up your user name");
            }
            let failure = failure(error).context("while looking up your user name");
            failure.hint(if refused { log_in.clone() } else { session.remote("status").arg(name) })
        })?;
    let Some(secret) = account.oci_secret else {
        let who = if account.username.is_empty() { "you" } else { account.username.as_str() };
        return Err(Failure::new(format!("{name} has no registry password for {who}")));
    };
    if secret.expose().contains(char::is_control) {
        return Err(Failure::new(format!("the registry password from {name} contains control characters")));
    }
    let line = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
    session.ctx.print(&line)
}
