//! `remote remove NAME`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::{no_global_remote, no_remote};
use crate::config::layers::Origin;
use crate::error::{Failure, Result};
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::OwnRemote];

/// Remove a remote endpoint
///
/// Removes one of your remotes and its token, or with --global a global one (root only). If it was your default, the
/// global default is used again, if there is one.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote remove mycloud
  $ sudo {prog} remote remove --global company")]
pub(crate) struct Options {
    /// Remote to remove
    #[arg(value_name = "NAME")]
    name: String,
    /// Remove it for all users (root only)
    #[arg(short, long)]
    global: bool,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let name = options.name.as_str();
    let default_before = session.read_quietly().and_then(|layers| layers.default);
    if options.global {
        session.edit_global(
            session.as_root("remote remove --global").arg(name),
            &mut |config| match config.remove(name) {
                Some(_) => Ok(()),
                None => Err(no_global_remote(session, name)),
            },
        )?;
    } else {
        remove_own(name, session)?;
    }
    session.ctx.talk.info(format!("Remote \"{name}\" removed."));
    say_what_is_left(default_before.as_deref() == Some(name), options.global, session);
    options.json.changed(session, true)
}

/// Reports the new default remote if the removed one was the default (`was_default`), and warns if no global
/// remote is left.
fn say_what_is_left(was_default: bool, global: bool, session: &Session) {
    let Some(now) = session.read_quietly() else { return };
    let talk = &session.ctx.talk;
    if was_default {
        match &now.default {
            Some(default) => talk.info(format!("The default remote is now {default}.")),
            None => {
                talk.info(format!("No default remote is left. To choose one: {}", session.remote("use NAME")))
            }
        }
    }
    if global && now.remotes.values().all(|remote| remote.origin != Origin::Global) {
        talk.warning("no global remote is left: users see only their own remotes");
    }
}

fn remove_own(name: &str, session: &Session) -> Result<()> {
    let global = session.load_global()?.config;
    session.edit_user(&global, &mut |config| {
        let own =
            config.remotes.get(name).is_some_and(|entry| !entry.system || !global.remotes.contains_key(name));
        if own {
            config.remove(name);
            return Ok(());
        }
        if global.remotes.contains_key(name) {
            let failure = Failure::new(format!("{name} is global and can't be removed"));
            let command = session.as_root("remote remove --global").arg(name);
            return Err(session.hint_as_root(failure, command));
        }
        Err(no_remote(session, name))
    })?;
    Ok(())
}
