//! Logins to services, registries and keyservers alike: what `registry`, `keyserver` and the service
//! spellings of `remote` share. The scheme of the address decides which of the two it is.

pub(crate) mod keyserver;
pub(crate) mod registry;

use super::session::Session;
use crate::error::{Failure, Result};
use crate::secret::Secret;
use crate::secret_source::{SecretOptions, Streams};
use crate::uri::{LibraryRef, ServiceUri, TypedService};
use clap::Args;
use std::path::PathBuf;

/// What the command line says of a login, beside the address.
#[derive(Args)]
pub(crate) struct LoginOptions {
    /// Username
    #[arg(short, long)]
    pub username: Option<String>,
    /// Where the password comes from.
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

/// Logs in to a registry or keyserver. Returns whether a file, or what a helper keeps, changed.
///
/// # Errors
/// The service does not take the login, or it cannot be stored.
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

/// Forgets the login to a registry or keyserver. Returns whether anything changed.
///
/// # Errors
/// It could not be removed, or something still answers.
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
        session.ctx.talk.warning(format!("not logged in to {uri}: nothing to remove{hint}"));
    }
    Ok(changed)
}

/// Reads the address of a service; what it cannot hold is left out, with a warning.
fn parse(text: &str, session: &Session) -> Result<ServiceUri> {
    // As docker and podman take it: `registry login ghcr.io`.
    let registry =
        (session.typed.starts_with("registry ") && !text.contains("://")).then(|| format!("docker://{text}"));
    let text = registry.as_deref().unwrap_or(text);
    let TypedService { uri, dropped } = ServiceUri::parse(text).map_err(|error| {
        let failure = Failure::from(error);
        match ServiceUri::parse(&format!("docker://{text}")) {
            _ if LibraryRef::is_one(text) && !text.contains('@') => {
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

    /// The user's name: the option, the environment, the answer of a person; empty where there is none.
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
            // Not shown: it may be user and password in one.
            return Err(Failure::new("a username cannot contain a colon or control characters"));
        }
        Ok(name)
    }

    /// The password, or the token where there is no username; never empty.
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
            Failure::new("a password is required").hint(
                session.command(group).words("login -u USERNAME --password-stdin").arg(uri).words("< FILE"),
            )
        })
    }
}

fn streams<'a>(session: &'a mut Session) -> Streams<'a> {
    let ctx = &mut *session.ctx;
    Streams { stdin: &mut ctx.stdin, terminal: ctx.terminals.stdin(), prompt: &mut *ctx.prompt }
}
