//! `keyserver add [NAME] URI`, also called `remote add-keyserver`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::no_global_remote;
use crate::config::layers::Remote;
use crate::config::{Config, Endpoint};
use crate::error::{Failure, Result, ResultExt};
use crate::hint::CommandLine;
use crate::uri::{ServiceUri, TypedService, may_hold_password};
use clap::Args;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::GlobalRemote, Completes::Nothing];

/// Add a keyserver to a global remote (root only)
///
/// Keyservers are tried in order until one has the key. To restore the endpoint's own keyserver after
/// removing it, add it again.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ sudo {prog} keyserver add https://keys.example.com
  $ sudo {prog} keyserver add --order 1 company hkps://keys.example.com")]
pub(crate) struct Options {
    /// Global remote [default: the global default]
    #[arg(value_name = "NAME|URI")]
    first: String,
    /// Keyserver: https://HOST[:PORT][/PATH] (or hkps, http, hkp)
    #[arg(value_name = "URI")]
    second: Option<String>,
    /// Position in the lookup order, counting from 1 [default: last]
    #[arg(short, long, value_name = "N")]
    order: Option<u32>,
    /// Allow plain http and unverified https
    #[arg(short, long)]
    insecure: bool,
    #[command(flatten)]
    json: JsonOption,
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let mut again = session.as_root(session.typed).switch(options.insecure, "--insecure");
    if let Some(order) = options.order {
        again = again.words("--order").arg(order);
    }
    let wanted = Wanted::parse(again, &options.first, options.second.as_deref(), session)?;
    if options.order == Some(0) {
        return Err(Failure::new("order must be > 0"));
    }
    let (name, changed) = wanted
        .edit(session, |endpoint| endpoint.add_keyserver(&wanted.uri, options.order, options.insecure))?;
    session.ctx.talk.info(format!("Keyserver {} added to {name}.", wanted.uri));
    options.json.changed(session, changed)
}

/// A keyserver of a global remote, as given on the command line.
pub(crate) struct Wanted {
    name: Option<String>,
    pub uri: ServiceUri,
    again: CommandLine,
}

impl Wanted {
    /// Parses `[NAME] URI`. Fails unless the user is root, with `again` and both arguments as the command for
    /// root.
    ///
    /// # Errors
    /// The user is not root, or the address is not a valid keyserver address.
    pub(crate) fn parse(
        again: CommandLine,
        first: &str,
        second: Option<&str>,
        session: &Session,
    ) -> Result<Self> {
        let (name, address) = match second {
            Some(address) => (Some(first), address),
            None => (None, first),
        };
        // The address is not repeated if it may contain a password.
        let again = if address.contains('@') || name.is_some_and(may_hold_password) {
            again.words("URI")
        } else {
            name.into_iter().fold(again, CommandLine::arg).arg(address)
        };
        let TypedService { uri, dropped } = ServiceUri::parse(address).fail_hint(|| {
            "a keyserver is https://HOST, hkps://HOST, http://HOST or hkp://HOST".to_string()
        })?;
        for what in &dropped {
            session.ctx.talk.warning(format!("ignoring the {what} in the URI"));
        }
        if uri.is_registry() {
            return Err(Failure::new(format!(
                "{uri} is a registry; a keyserver begins with https://, hkps://, http:// or hkp://"
            )));
        }
        session.require_root("keyserver configuration", again.clone())?;
        Ok(Self { name: name.map(String::from), uri, again })
    }

    /// Changes the remote's keyservers in the global layer, with its own keyserver as the first entry. Returns
    /// the remote's name and whether anything changed.
    ///
    /// # Errors
    /// There is no such global remote, its own keyserver cannot be determined, or `change` or the write failed.
    pub(crate) fn edit(
        &self,
        session: &Session,
        change: impl Fn(&mut Endpoint) -> Result<()>,
    ) -> Result<(String, bool)> {
        let global = session.load_global()?.config;
        let name = self.find(&global, session)?;
        session.global_file().require_writable(session.identity())?;
        let before = global.remotes[&name].clone();
        let own = if before.keyservers.is_empty() {
            {
                let remote = Remote::of_global_layer(name.clone(), before.clone(), session.ctx.persona);
                session.own_keyserver_to_list(&remote)?
            }
        } else {
            None
        };
        let changed = session.edit_global(self.again.clone(), &mut |config| {
            let endpoint = config.remotes.get_mut(&name).ok_or_else(|| no_global_remote(session, &name))?;
            if (&endpoint.uri, endpoint.insecure) != (&before.uri, before.insecure) {
                return Err(Failure::new(format!("{name} was changed by another process; nothing was done")));
            }
            endpoint.list_own_keyserver(own.as_deref());
            change(endpoint).fail_hint(|| session.command("keyserver list").arg(&name))
        })?;
        Ok((name, changed))
    }

    fn find(&self, global: &Config, session: &Session) -> Result<String> {
        // An exclusive remote overrides the chosen default, so keyservers of another remote would have no effect.
        let name = self.name.as_deref().or(global.exclusive()).unwrap_or(&global.active);
        if name.is_empty() {
            return Err(Failure::new("no endpoint found: no global default remote is set")
                .hint(session.remote("use --global NAME")));
        }
        if global.remotes.contains_key(name) {
            return Ok(name.to_string());
        }
        if may_hold_password(name) {
            return Err(Failure::new("no endpoint found: expected the name of a remote, not an address"));
        }
        Err(Failure::new(format!("no endpoint found: {name} is not a global remote"))
            .hint(session.remote("list"))
            .hint(session.remote("add --global").arg(name).words("URI")))
    }
}
