//! `remote get-login-password`

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::{Keep, failure, wait};
use crate::error::{Failure, Result};
use crate::services::endpoint::account;
use crate::services::endpoint::policy::Freshness;
use crate::uri::shown;
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[];

/// Print the registry password of the logged-in user
///
/// The library of the default remote tells the secret with which its user logs in to its registry. It
/// goes to standard output with a newline; every failure leaves that empty.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote get-login-password | docker login -u ada --password-stdin registry.example.com")]
pub(crate) struct Options {
    /// Trust the certificates in FILE (PEM) too
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
            "{name} ({}) has no library, so no registry password either",
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
        return Err(Failure::new(format!("{name} has no library, so no registry password either"))
            .hint(session.remote("status").arg(name)));
    };
    access.may_get_token(library)?;
    let account = wait(account::identity(&access.http, &library.uri, &access.address, Some(&token)))?
        .map_err(|error| {
            let (refused, lacks) = (matches!(error.status(), Some(401 | 403)), error.status() == Some(404));
            if lacks {
                let note = "the library has no such call, so it tells no registry password";
                return failure(error.noting(note)).context("while asking who you are");
            }
            let failure = failure(error).context("while asking who you are");
            failure.hint(if refused { log_in.clone() } else { session.remote("status").arg(name) })
        })?;
    let Some(secret) = account.oci_secret else {
        let who = if account.username.is_empty() { "you" } else { account.username.as_str() };
        return Err(Failure::new(format!("the library of {name} tells no registry password for {who}")));
    };
    if secret.expose().contains(char::is_control) {
        return Err(Failure::new(format!(
            "the registry password that the library of {name} tells has control characters in it, which no program would read as one line"
        )));
    }
    let line = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
    session.ctx.print(&line)
}
