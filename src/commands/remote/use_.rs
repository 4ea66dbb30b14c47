//! `remote use NAME`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::{no_global_remote, no_remote};
use crate::config::layers::merge;
use crate::error::{Failure, Result};
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Remote];

/// Set the default remote endpoint
///
/// Commands use the default remote unless you name another. --global sets the default for users who have not
/// chosen one (root only). --exclusive forbids all other remotes until root runs `remote use --global` again.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote use mycloud
  $ sudo {prog} remote use --global company
  $ sudo {prog} remote use --exclusive company")]
pub(crate) struct Options {
    /// Remote to use
    #[arg(value_name = "NAME")]
    name: String,
    /// Set the default for all users (root only)
    #[arg(short, long)]
    global: bool,
    /// Forbid all other remotes (root only)
    #[arg(short, long)]
    exclusive: bool,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let name = options.name.as_str();
    let changed = if options.exclusive && !session.ctx.is_root() {
        let failure = Failure::new("unable to set endpoint as exclusive: not root user");
        return Err(session.hint_as_root(failure, session.as_root("remote use --exclusive").arg(name)));
    } else if options.exclusive || options.global {
        use_globally(name, options.exclusive, session)?
    } else {
        use_own(name, session)?
    };
    session.ctx.talk.info(format!("Remote \"{name}\" now in use."));
    options.json.changed(session, changed)
}

fn use_own(name: &str, session: &Session) -> Result<bool> {
    let global = session.load_global()?.config;
    let mut notes = None;
    let changed = session.edit_user(&global, &mut |config| {
        let effective = merge(config.clone(), global.clone(), session.ctx.persona);
        if !effective.remotes.contains_key(name) {
            return Err(no_remote(session, name));
        }
        effective.require_usable(name).map_err(|failure| failure.hint(session.remote("list")))?;
        notes = Some(effective);
        config.active = name.to_string();
        Ok(())
    })?;
    if let Some(effective) = notes {
        session.say_notes(&effective, Some(name));
    }
    Ok(changed)
}

/// Sets the global default. No remote stays exclusive unless --exclusive is given.
fn use_globally(name: &str, exclusive: bool, session: &Session) -> Result<bool> {
    let mut released = Vec::new();
    let again = session.as_root("remote use --global").arg(name);
    let changed = session.edit_global(again, &mut |config| {
        if !config.remotes.contains_key(name) {
            return Err(no_global_remote(session, name));
        }
        released = config.set_exclusive(exclusive.then_some(name));
        config.active = name.to_string();
        Ok(())
    })?;
    for other in &released {
        session.ctx.talk.warning(format!("remote {other} is no longer exclusive"));
    }
    Ok(changed)
}
