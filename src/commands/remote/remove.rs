//! `remote remove NAME`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::{no_global_remote, no_remote};
use crate::error::{Failure, Result};
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::OwnRemote];

/// Remove a remote endpoint
///
/// Removes one of your remotes and its token, or with --global a global one (root only). If it was the
/// default, no default is left.
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
    options.json.changed(session, true)
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
