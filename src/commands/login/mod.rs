//! Logins to registries and keyservers. Shared by `registry`, `keyserver`, and the forms of `remote login` and
//! `remote logout` that take a service URI. The scheme of the URI decides whether it is a registry or a
//! keyserver.

pub(crate) mod keyserver;
pub(crate) mod registry;

use super::session::Session;
use crate::config::layers::Remote;
use crate::error::{Failure, Result};
use crate::secret::Secret;
use crate::secret_source::{SecretOptions, Streams};
use crate::uri::{EndpointUri, LibraryRef, ServiceUri, TypedService, may_be_repeated};
use clap::Args;
use std::path::PathBuf;

/// The options of a login.
#[derive(Args)]
pub(crate) struct LoginOptions {
    /// Username
    #[arg(short, long)]
    pub username: Option<String>,
    /// The source of the password.
    #[command(flatten)]
    pub secret: SecretOptions,
    /// Allow plain http and unverified https (registries only; a keyserver keeps the setting it was added
    /// with)
    #[arg(short, long)]
    pub insecure: Option<bool>,
    /// Also trust the PEM certificates in FILE
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Logs in to a registry or keyserver. Returns whether a file or a credential helper's store changed.
///
/// # Errors
/// The service rejects the login, or it cannot be stored.
pub(crate) fn login(
    uri: &str,
    login: &LoginOptions,
    authfile: Option<PathBuf>,
    session: &mut Session,
) -> Result<bool> {
    let uri = parse(uri, session)?;
    if uri.is_registry() {
        return registry::login(&uri, login, authfile, session);
    }
    if authfile.is_some() {
        return Err(Failure::new(format!("{uri} is a keyserver: --authfile is for registries")));
    }
    keyserver::login(&uri, login, session)
}

/// Removes the login to a registry or keyserver. Returns whether anything changed.
///
/// # Errors
/// It could not be removed, or it is still present afterwards.
pub(crate) fn logout(uri: &str, authfile: Option<PathBuf>, session: &mut Session) -> Result<bool> {
    let uri = parse(uri, session)?;
    let changed = if uri.is_registry() {
        registry::logout(&uri, authfile, session)?
    } else if authfile.is_some() {
        return Err(Failure::new(format!("{uri} is a keyserver: --authfile is for registries")));
    } else {
        keyserver::logout(&uri, session)?
    };
    if changed {
        session.ctx.talk.info("Logout succeeded");
    } else {
        let whole = registry::whole_of(&uri).filter(|_| uri.is_registry());
        let whole = whole.map(|whole| session.command("registry logout").arg(&whole));
        let hint =
            whole.map_or_else(String::new, |line| format!(". To log out of the whole registry: {line}"));
        let remote = remote_at(&uri, session);
        let remote = remote.map(|name| session.remote("logout").arg(name));
        let hint = remote.map_or(hint, |line| format!(". To log out of the remote at this address: {line}"));
        session.ctx.talk.warning(format!("not logged in to {uri}: nothing to remove{hint}"));
    }
    Ok(changed)
}

/// The remote whose endpoint has this address.
pub(super) fn remote_at(uri: &ServiceUri, session: &Session) -> Option<String> {
    let wanted = uri.url(false);
    let layers = session.read_quietly().filter(|_| !uri.is_registry())?;
    let is_there = |remote: &&Remote| {
        let endpoint = EndpointUri::from_stored(&remote.uri);
        endpoint.is_some_and(|own| {
            own.url(remote.insecure).as_str().trim_end_matches('/') == wanted.as_str().trim_end_matches('/')
        })
    };
    layers.remotes.values().find(is_there).map(|remote| remote.name.clone())
}

/// Parses the URI of a service. Warns about parts that are ignored.
fn parse(text: &str, session: &Session) -> Result<ServiceUri> {
    // Docker and Podman accept this form: `registry login ghcr.io`.
    let host = text.strip_prefix("https://").unwrap_or(text);
    let registry =
        (session.typed.starts_with("registry ") && !host.contains("://")).then(|| format!("docker://{host}"));
    let text = registry.as_deref().unwrap_or(text);
    let TypedService { uri, dropped } = ServiceUri::parse(text).map_err(|error| {
        let failure = Failure::from(error);
        match ServiceUri::parse(&format!("docker://{text}")) {
            _ if LibraryRef::is_one(text) && may_be_repeated(text) => {
                failure.hint(session.command("pull").arg(text).because("to download the image"))
            }
            Ok(registry) if !text.contains("://") && registry.dropped.is_empty() => {
                let failure = failure.hint(format!("for a registry: docker://{text}"));
                failure.hint(format!("for a keyserver: https://{text}"))
            }
            _ => failure,
        }
    })?;
    for what in &dropped {
        session.ctx.talk.warning(format!("ignoring the {what} in the URI"));
    }
    Ok(uri)
}

impl LoginOptions {
    /// `--insecure`, or the variable for it.
    fn insecure(&self, session: &Session) -> Result<bool> {
        session.ctx.switch(self.insecure, &["LOGIN_INSECURE"])
    }

    /// The username from the option, else from the environment, else from a prompt. Empty if there is none.
    fn username(&self, session: &mut Session) -> Result<String> {
        let given = self.username.clone().or_else(|| {
            session.ctx.variable("LOGIN_USERNAME").map(|found| found.value.to_string_lossy().into_owned())
        });
        let name = match given {
            Some(name) => name,
            None if session.ctx.terminals.stdin() => {
                session.ask_line("Username: ")?.unwrap_or_default().trim().to_string()
            }
            None => String::new(),
        };
        if name.contains(|c: char| c == ':' || c.is_control()) {
            // It is not shown, because it may be "user:password".
            return Err(Failure::new("a username cannot contain a colon or control characters"));
        }
        Ok(name)
    }

    /// The password, or the token if there is no username. Never empty.
    fn password(&self, uri: &ServiceUri, session: &mut Session) -> Result<Secret> {
        if self.secret.password.is_some() {
            session.ctx.talk.warning(
                "a password on the command line is visible in the process list; use --password-stdin",
            );
        }
        let from_env = |session: &Session| {
            let found = session.ctx.variable("LOGIN_PASSWORD")?;
            Some(Secret::new(found.value.to_string_lossy().into_owned()))
        };
        let terminal = session.ctx.terminals.stdin();
        let typed = terminal && self.secret.is_stdin();
        let given = if typed { None } else { self.secret.read(&mut session.ctx.stdin)? };
        let password = match given.or_else(|| from_env(session).filter(|_| !typed)) {
            Some(password) => Some(password),
            None => {
                if terminal {
                    session.ctx.talk.prompt("Password (or token when username is empty): ");
                }
                let answer = streams(session).password();
                if terminal {
                    session.ctx.talk.prompt("\n");
                }
                answer?
            }
        };
        password.filter(|password| !password.is_empty()).ok_or_else(|| {
            let group = if uri.is_registry() { "registry" } else { "keyserver" };
            let command = session.command(group).words("login -u");
            let command = match &self.username {
                Some(name) => command.arg(name),
                None => command.words("USERNAME"),
            };
            Failure::new("a password is required")
                .hint(command.words("--password-stdin").arg(uri).words("< FILE"))
        })
    }
}

fn streams<'a>(session: &'a mut Session) -> Streams<'a> {
    let ctx = &mut *session.ctx;
    Streams { stdin: &mut ctx.stdin, terminal: ctx.terminals.stdin(), prompt: &mut *ctx.prompt }
}
