//! `remote rename OLD NEW`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::{no_global_remote, no_remote};
use crate::config::{Config, Endpoint};
use crate::error::{Failure, Result};
use crate::persona::Persona;
use crate::uri::RemoteName;
use clap::Args;

pub(super) const POSITIONALS: &[Completes] = &[Completes::OwnRemote, Completes::Nothing];

/// Rename a remote endpoint
///
/// Renames one of your remotes, or with --global a global one (root only). Its address, token, keyservers and
/// settings are kept, and it stays the default if it was. After a global remote is renamed, users have to log
/// in to it again.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote rename lab mylab
  $ sudo {prog} remote rename --global company newcompany")]
pub(crate) struct Options {
    /// Current name
    #[arg(value_name = "OLD")]
    old: String,
    /// New name
    #[arg(value_name = "NEW")]
    new: String,
    /// Rename it for all users (root only)
    #[arg(short, long)]
    global: bool,
    #[command(flatten)]
    json: JsonOption,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let old = options.old.as_str();
    let new = RemoteName::parse(&options.new)?;
    if old == new.as_str() {
        return Err(session.usage("the new name is the same as the old one"));
    }
    if options.global { rename_global(old, &new, session) } else { rename_own(old, &new, session) }?;
    session.ctx.talk.info(format!("Remote \"{old}\" renamed to \"{new}\"."));
    if options.global {
        let login = session.remote("login").arg(&new);
        session.ctx.talk.info(format!("Users who are logged in to {old} have to log in again: {login}"));
    }
    options.json.changed(session, true)
}

fn rename_global(old: &str, new: &RemoteName, session: &Session) -> Result<bool> {
    let again = session.as_root("remote rename --global").arg(old).arg(new);
    session.edit_global(again, &mut |config| {
        require_free(config, new, "--global", session)?;
        if config.rename(old, new.as_str()) { Ok(()) } else { Err(no_global_remote(session, old)) }
    })
}

fn rename_own(old: &str, new: &RemoteName, session: &Session) -> Result<bool> {
    let global = session.load_global()?.config;
    let is_global = |name: &str| global.remotes.contains_key(name);
    if session.ctx.persona == Persona::Singularity && is_global(new.as_str()) {
        return Err(Failure::new(format!(
            "{new} is already a global remote, and your own of that name would make every SingularityCE command fail"
        )));
    }
    let changed = session.edit_user(&global, &mut |config| {
        // An entry that only copies a global remote or holds its token is not the user's own remote.
        let own = |entry: &Endpoint, name: &str| !entry.system || !is_global(name);
        if !config.remotes.get(old).is_some_and(|entry| own(entry, old)) {
            if !is_global(old) {
                return Err(no_remote(session, old));
            }
            let again = session.as_root("remote rename --global").arg(old).arg(new);
            let failure = Failure::new(format!("{old} is global and can't be renamed"));
            return Err(session.hint_as_root(failure, again));
        }
        config
            .remotes
            .retain(|name, entry| name != new.as_str() || own(entry, name) || entry.token.is_some());
        require_free(config, new, "", session)?;
        config.rename(old, new.as_str());
        // A leftover copy of a global remote becomes the user's own remote, even under the name of another global
        // remote.
        if let Some(entry) = config.remotes.get_mut(new.as_str()) {
            entry.system = false;
        }
        Ok(())
    })?;
    session.say_notes(&session.merged_with(global)?, Some(new.as_str()));
    Ok(changed)
}

fn require_free(config: &Config, new: &RemoteName, global: &str, session: &Session) -> Result<()> {
    if !config.remotes.contains_key(new.as_str()) {
        return Ok(());
    }
    Err(Failure::new(format!("{new} is already a remote"))
        .hint(session.remote("remove").words(global).arg(new).because("to remove that one first")))
}
