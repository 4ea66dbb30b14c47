//! `remote logout [NAME|SERVICE-URI]`

use super::JsonOption;
use crate::commands::session::{Session, no_remote};
use crate::config::Config;
use crate::config::layers::Origin;
use crate::error::{Failure, Result};
use crate::uri::is_service;
use clap::Args;
use std::path::PathBuf;

/// Log out of a remote endpoint
///
/// Forgets the token that is stored for the remote, and says what was removed from where.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote logout
  $ {prog} remote logout mycloud
  $ {prog} remote logout --all")]
pub struct Options {
    /// The remote, if not the default one
    #[arg(value_name = "NAME|SERVICE-URI", conflicts_with = "all")]
    target: Option<String>,
    /// Forget every token and login
    #[arg(long)]
    all: bool,
    /// The file of registry logins to use
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub fn run(options: &Options, session: &mut Session) -> Result<()> {
    if options.authfile.is_some() || options.target.as_deref().is_some_and(is_service) {
        return Err(super::not_yet("logout", session));
    }
    if options.all { logout_all(options, session) } else { logout_one(options, session) }
}

fn logout_one(options: &Options, session: &mut Session) -> Result<()> {
    let layers = session.load()?;
    let name = match options.target.clone().or_else(|| layers.effective.default.clone()) {
        Some(name) => name,
        None => layers.find(session, None)?.0,
    };
    let Some(remote) = layers.effective.remotes.get(&name) else { return Err(no_remote(session, &name)) };
    let is_global = remote.origin == Origin::Global;
    if let Some(distrust) = &layers.user_distrust {
        return Err(distrust.clone().into_failure());
    }
    let global = session.reload_global()?;
    // An own remote behind an exclusive global one of the same name keeps its token: it is another remote.
    let holds = |config: &Config| {
        config.remotes.get(&name).is_some_and(|entry| entry.token.is_some() && (entry.system || !is_global))
    };
    let mut forgotten = false;
    let changed = session.edit_user(&global, &mut |config| {
        forgotten = holds(config) && forget(config, &name, is_global);
        Ok(())
    })?;
    if !forgotten {
        session.ctx.talk.warning(format!("no token is stored for {name}: there was nothing to remove"));
        return options.json.changed(session, false);
    }
    confirm_gone(session, holds)?;
    let file = session.user_file()?.path;
    session.ctx.talk.info(format!("The token for {name} was removed from {}", file.display()));
    session.ctx.talk.info("Logout succeeded");
    options.json.changed(session, changed)
}

/// Forgets one token. An entry that only held the token of a global remote goes altogether.
fn forget(config: &mut Config, name: &str, is_global: bool) -> bool {
    let Some(entry) = config.remotes.get_mut(name) else { return false };
    let forgotten = entry.token.take().is_some();
    if forgotten && entry.system && is_global {
        config.remotes.remove(name);
    }
    forgotten
}

/// Forgets every token. A login to a registry has its secret in another file, so it stays whole, and the
/// command says so and fails.
fn logout_all(options: &Options, session: &mut Session) -> Result<()> {
    let user = session.load_user()?;
    if let Some(distrust) = &user.distrust {
        return Err(distrust.clone().into_failure());
    }
    let global = session.load_global()?.config;
    let (mut tokens, mut left) = (Vec::new(), Vec::new());
    let changed = session.edit_user(&global, &mut |config| {
        let names: Vec<String> = config.remotes.keys().cloned().collect();
        tokens = names
            .into_iter()
            .filter(|name| forget(config, name, global.remotes.contains_key(name)))
            .collect();
        left = config.credentials.iter().map(|login| login.uri.clone()).collect();
        Ok(())
    })?;
    confirm_gone(session, |config| config.remotes.values().any(|entry| entry.token.is_some()))?;
    let talk = &session.ctx.talk;
    if !tokens.is_empty() {
        let file = session.user_file()?.path;
        talk.info(format!("The tokens for {} were removed from {}", tokens.join(", "), file.display()));
    }
    if !left.is_empty() {
        return Err(Failure::new(format!("these logins were not removed: {}", left.join(", ")))
            .context("this version does not manage keyservers and registries yet")
            .hint(format!("use an installation of {} for them", session.ctx.persona.title())));
    }
    if tokens.is_empty() {
        talk.warning("no token or login is stored: there was nothing to remove");
    } else {
        talk.info("Logout succeeded");
    }
    options.json.changed(session, changed)
}

/// Reads the file again: a logout that left the secret behind must not say that it succeeded.
fn confirm_gone(session: &Session, still_there: impl Fn(&Config) -> bool) -> Result<()> {
    let config = session.user_file()?.load(session.identity())?.config;
    if still_there(&config) {
        return Err(Failure::new("a token is there again: another program wrote it meanwhile")
            .hint(session.command("logout")));
    }
    Ok(())
}
