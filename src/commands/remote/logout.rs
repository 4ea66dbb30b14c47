//! `remote logout [NAME|SERVICE-URI]`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login::{self, registry};
use crate::commands::session::Session;
use crate::commands::session::find::no_remote;
use crate::config::layers::Origin;
use crate::config::{Config, Credential};
use crate::error::{Failure, Result};
use crate::uri::{ServiceUri, is_service, public};
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Logout];

/// Log out of a remote endpoint, registry or keyserver
///
/// Removes the remote's stored token.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote logout
  $ {prog} remote logout mycloud
  $ {prog} remote logout --all")]
pub(crate) struct Options {
    /// Remote [default: the default remote]
    #[arg(value_name = "NAME|SERVICE-URI")]
    target: Option<String>,
    /// Remove all tokens and logins shown by `remote list --all`
    #[arg(long)]
    all: bool,
    /// Registry auth file [default: ~/.docker/config.json]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let targets = [("[NAME|SERVICE-URI]", options.target.is_some()), ("--all", options.all)];
    session.exclusive(&targets)?;
    if let Some(uri) = options.target.as_deref().filter(|target| is_service(target)) {
        let changed = login::logout(uri, options.authfile.clone(), session)?;
        return options.json.changed(session, changed);
    }
    if options.authfile.is_some() {
        let message = "--authfile is for registries, not for a remote endpoint";
        return Err(session.usage(message));
    }
    if options.all { logout_all(options, session) } else { logout_one(options, session) }
}

fn logout_one(options: &Options, session: &mut Session) -> Result<()> {
    let layers = session.load()?;
    let name = match options.target.clone().or_else(|| layers.effective.default.clone()) {
        Some(name) => name,
        None => layers.find(session, None)?.name.clone(),
    };
    let Some(remote) = layers.effective.remotes.get(&name) else { return Err(no_remote(session, &name)) };
    let is_global = remote.origin == Origin::Global;
    if let Some(distrust) = &layers.user_distrust {
        return Err(distrust.clone().into_failure());
    }
    let global = session.reload_global()?;
    // A user's own remote that is hidden by an exclusive global one of the same name is a different remote, so it
    // keeps its token.
    let holds = |config: &Config| {
        config.remotes.get(&name).is_some_and(|entry| entry.token.is_some() && (entry.system || !is_global))
    };
    let mut forgotten = false;
    let changed = session.edit_user(&global, &mut |config| {
        forgotten = holds(config) && forget(config, &name, is_global);
        Ok(())
    })?;
    if !forgotten {
        session.ctx.talk.warning(format!("not logged in to {name}: nothing to remove"));
        return options.json.changed(session, false);
    }
    confirm_gone(session, holds)?;
    let file = session.user_file()?.path;
    session.ctx.talk.info(format!("The token for {name} was removed from {}", file.display()));
    session.ctx.talk.info("Logout succeeded");
    options.json.changed(session, changed)
}

/// Removes the token of one remote. An entry that only held the token for a global remote is removed completely.
fn forget(config: &mut Config, name: &str, is_global: bool) -> bool {
    let Some(entry) = config.remotes.get_mut(name) else { return false };
    let forgotten = entry.token.take().is_some();
    if forgotten && entry.system && is_global {
        config.remotes.remove(name);
    }
    forgotten
}

/// Removes all tokens and all logins that `remote.yaml` lists, starting with the secrets of registries. If a
/// login cannot be removed, it stays listed, the others are still removed, and the command fails.
fn logout_all(options: &Options, session: &mut Session) -> Result<()> {
    let (layers, global) = session.load_to_write()?;
    let (mut forgotten, mut kept, mut failure) = (false, Vec::new(), None);
    for login in &layers.effective.credentials {
        let Some(uri) = ServiceUri::from_stored(&login.uri).filter(ServiceUri::is_registry) else { continue };
        match session.auth_store(None).and_then(|store| registry::forget(&store, &uri, session)) {
            Ok(some) => forgotten |= some,
            Err(why) => {
                kept.push(login.uri.clone());
                failure.get_or_insert(why);
            }
        }
    }
    let (mut tokens, mut logins) = (Vec::new(), Vec::new());
    let changed = session.edit_user(&global, &mut |config| {
        let names: Vec<String> = config.remotes.keys().cloned().collect();
        tokens = names
            .into_iter()
            .filter(|name| forget(config, name, global.remotes.contains_key(name)))
            .collect();
        let gone = |login: &&Credential| !kept.contains(&login.uri);
        logins =
            config.credentials.iter().filter(gone).map(|login| public(&login.uri).into_owned()).collect();
        config.credentials.retain(|login| !gone(&login));
        Ok(())
    })?;
    confirm_gone(session, |config| {
        config.credentials.iter().any(|login| !kept.contains(&login.uri))
            || config.remotes.values().any(|entry| entry.token.is_some())
    })?;
    let file = session.user_file()?.path;
    for (what, to, names) in [("token", "for", &tokens), ("login", "to", &logins)] {
        let were = match names.len() {
            0 => continue,
            1 => format!("The {what} {to} {} was", names[0]),
            _ => format!("The {what}s {to} {} were", names.join(", ")),
        };
        session.ctx.talk.info(format!("{were} removed from {}", file.display()));
    }
    if let Some(failure) = failure {
        let kept: Vec<_> = kept.iter().map(|uri| public(uri)).collect();
        return Err(failure.context(format!("these logins were not removed: {}", kept.join(", "))));
    }
    say_left(session)?;
    if changed || forgotten {
        session.ctx.talk.info("Logout succeeded");
    } else {
        session.ctx.talk.warning("not logged in anywhere: nothing to remove");
    }
    options.json.changed(session, changed || forgotten)
}

/// Reports logins of other programs in the auth file. This command does not remove them.
fn say_left(session: &Session) -> Result<()> {
    // Without a home there is no auth file.
    let Ok(store) = session.auth_store(None) else { return Ok(()) };
    let document = store.load(session)?.document;
    let is_login =
        |uri: &String| ServiceUri::from_stored(uri).is_some_and(|uri| document.keeper(&uri).is_some());
    let left: Vec<String> = document.registries().into_iter().filter(is_login).collect();
    if !left.is_empty() {
        let file = store.file.path.display();
        session
            .ctx
            .talk
            .info(format!("logins stored by other programs remain in {file}: {}", left.join(", ")));
    }
    Ok(())
}

/// Reads the file again, because a logout must not report success if the secret is still there.
fn confirm_gone(session: &Session, still_there: impl Fn(&Config) -> bool) -> Result<()> {
    let config = session.user_file()?.load(session.identity())?.config;
    if still_there(&config) {
        return Err(
            Failure::new("the token was written back by another process").hint(session.remote("logout"))
        );
    }
    Ok(())
}
