//! `remote login [NAME|SERVICE-URI]`

use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::login::{self, LoginOptions};
use crate::commands::session::Session;
use crate::commands::session::access::{Access, Keep, failure, host_of};
use crate::commands::session::find::no_remote;
use crate::commands::session::layers::Layers;
use crate::config::Endpoint;
use crate::config::layers::{Note, Origin, Remote, merge};
use crate::error::{Failure, Result};
use crate::secret::Secret;
use crate::secret_source::{SecretOptions, Streams, check_token, source_name};
use crate::services::endpoint::account::{self, TokenVerdict};
use crate::services::endpoint::policy::{Exposure, Freshness};
use crate::uri::{is_service, public, shown};
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Login];

/// Log in to a remote endpoint, registry or keyserver
///
/// Prompts for an access token (or reads it from a pipe), verifies it with the endpoint, and stores it in
/// your remote.yaml. Also accepts a registry or keyserver URI, like `registry login` and `keyserver login`.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote login
  $ {prog} remote login mycloud
  $ {prog} remote login --tokenfile ~/token mycloud
  $ pass show mycloud | {prog} remote login mycloud
  $ {prog} remote login -u ada docker://ghcr.io")]
pub(crate) struct Options {
    /// Remote [default: the default remote]
    #[arg(value_name = "NAME|SERVICE-URI")]
    target: Option<String>,
    #[command(flatten)]
    login: LoginOptions,
    /// Registry auth file [default: ~/.docker/config.json]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    json: JsonOption,
}

/// A token of at least this many bytes was probably pasted, and the user wants to know that all of it arrived.
const PASTED: usize = 20;
/// The question if a token is already set.
const REPLACE: &str = "An access token is already set for this remote. Replace it?";

/// The result of a login.
enum Outcome {
    /// The token was verified and stored; true if the file changed.
    Stored(bool),
    /// No token was given, or the user did not want to replace the old one.
    Declined,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    session.exclusive(&options.login.secret.given())?;
    let LoginOptions { username, secret, insecure, ca_file } = &options.login;
    if let Some(uri) = options.target.as_deref().filter(|target| is_service(target)) {
        let changed = login::login(uri, &options.login, options.authfile.clone(), session)?;
        return options.json.changed(session, changed);
    }
    let services_only = [("--insecure", *insecure == Some(true)), ("--authfile", options.authfile.is_some())];
    if let Some((option, _)) = services_only.iter().find(|(_, given)| *given) {
        let message = format!("{option} is for registries and keyservers, not for a remote endpoint");
        return Err(session.usage(message));
    }
    if username.is_some() {
        session.ctx.talk.info("--username is ignored: a remote endpoint takes a token");
    }
    let layers = session.load()?;
    let remote = layers.find(session, options.target.as_deref())?;
    session.say_notes(&layers.effective, Some(&remote.name));
    let mut login = EndpointLogin {
        remote,
        secret,
        given: None,
        ca_file: ca_file.clone(),
        access: None,
        hopeless: false,
    };
    match login.run(&layers, session)? {
        Outcome::Stored(changed) => options.json.changed(session, changed),
        Outcome::Declined => {
            session.ctx.talk.info(match &remote.token {
                Some(_) => "The stored token was kept.",
                None => "No token entered; nothing changed.",
            });
            options.json.changed(session, false)
        }
    }
}

/// The login after `remote add`, which has already printed the warnings about `layers`. The remote stays added
/// even if the login fails. `access` is the endpoint, if it has been discovered already. Returns whether a token
/// was stored.
pub(super) fn after_add(
    name: &str,
    layers: &Layers,
    secret: &SecretOptions,
    token: Option<Secret>,
    access: Option<Access>,
    session: &mut Session,
) -> Result<bool> {
    // A script that adds a remote and pipes in nothing needs no network.
    let given = if token.is_some() { token } else { read_token(secret, session)? };
    let remote = layers.effective.remotes.get(name).filter(|remote| remote.origin != Origin::Global);
    let Some(remote) = remote else {
        // A login would apply to another remote: the exclusive global one of this name.
        let why = format!("not logged in: your remote {name} is hidden by the exclusive global one");
        if secret.is_given() || given.is_some() {
            return Err(Failure::new(why).hint("The remote was added."));
        }
        session.ctx.talk.info(why);
        return Ok(false);
    };
    let later = session.remote("login").arg(name);
    let no_token = |session: &Session| {
        session.ctx.talk.info(match &remote.token {
            Some(_) => "No token entered; keeping the stored one.".to_string(),
            None => format!("Not logged in. To log in later: {later}"),
        });
        Ok(false)
    };
    if !session.ctx.terminals.stdin() && given.is_none() {
        return no_token(session);
    }
    let mut login = EndpointLogin { remote, secret, given, ca_file: None, access, hopeless: false };
    match login.run(layers, session) {
        Ok(Outcome::Stored(changed)) => Ok(changed),
        Ok(Outcome::Declined) => no_token(session),
        Err(failure) if login.hopeless => Err(failure.hint("The remote was added.")),
        Err(failure) => Err(failure.hint(format!("The remote was added. To log in later: {later}"))),
    }
}

/// The token from the source that the command line names, else from a pipe. `None` if there is none or the user
/// has to be prompted.
///
/// # Errors
/// The source cannot be read, or contains no valid token.
pub(super) fn read_token(secret: &SecretOptions, session: &mut Session) -> Result<Option<Secret>> {
    let terminal = session.ctx.terminals.stdin();
    if terminal && (!secret.is_given() || secret.is_stdin()) {
        return Ok(None);
    }
    let token =
        if secret.is_given() { secret.read(&mut session.ctx.stdin)? } else { streams(session).read()? };
    token.map(|token| check_token(token, &source_name(secret, terminal))).transpose()
}

/// One login to an endpoint.
struct EndpointLogin<'a> {
    remote: &'a Remote,
    secret: &'a SecretOptions,
    /// A token that was read already.
    given: Option<Secret>,
    ca_file: Option<PathBuf>,
    /// The endpoint, if it has been discovered already.
    access: Option<Access>,
    /// Set if the login failed and cannot succeed later either, because the remote has no login.
    hopeless: bool,
}

impl EndpointLogin<'_> {
    /// Checks that the remote has a token service, then obtains, verifies and stores the token.
    fn run(&mut self, layers: &Layers, session: &mut Session) -> Result<Outcome> {
        let remote = self.remote;
        self.hopeless = remote.is_cloud_apptainer();
        require_login(remote, layers, session)?;
        let file = session.user_file()?;
        file.require_writable(session.identity())?;
        if self.given.is_none() && self.secret.is_given() {
            self.given = read_token(self.secret, session)?;
        }
        // Another process may have replaced the remote since the endpoint was queried.
        let (uri, insecure) = (remote.endpoint(session)?, remote.insecure);
        let is_it = |access: &Access| access.uri == uri && access.address.allows_insecure() == insecure;
        let access = match self.access.take().filter(is_it) {
            Some(access) => {
                session.keep_services(&access.address, &access.services, Keep::MakingDirectory);
                access
            }
            None => session.open(remote, self.ca_file.clone(), Freshness::Ask, Keep::MakingDirectory)?,
        };
        self.hopeless = access.service("token").is_none();
        require_token_service(&remote.name, &access, session)?;
        let Some(token) = self.obtain(&access, session)? else { return Ok(Outcome::Declined) };
        let token = check_token(token, &source_name(self.secret, session.ctx.terminals.stdin()))?;
        verify(&access, &token, remote.token.is_some(), session)?;
        session.ctx.talk.info("Access Token Verified!");
        let changed = store(remote, &token, session)?;
        session.ctx.talk.info(format!("Token stored in {}", file.path.display()));
        Ok(Outcome::Stored(changed))
    }

    /// The token from the source that the command line names, else from a prompt or a pipe.
    fn obtain(&mut self, access: &Access, session: &mut Session) -> Result<Option<Secret>> {
        if self.secret.password.is_some() {
            session
                .ctx
                .talk
                .warning("a token on the command line is visible in the process list; use --tokenfile");
        }
        if let Some(token) = self.given.take() {
            return Ok(Some(token));
        }
        let typed = session.ctx.terminals.stdin() && self.secret.is_stdin();
        if session.ctx.terminals.stdin() {
            if !typed && self.remote.token.is_some() && !session.confirm(REPLACE)? {
                return Ok(None);
            }
            session.ctx.talk.prompt(&format!(
                "Generate an access token at {}/auth/tokens, and paste it here.\nToken entered will be hidden for security.\nAccess Token: ",
                access.address.url.as_str().trim_end_matches('/')
            ));
            let token = streams(session).read();
            session.ctx.talk.prompt(&match &token {
                Ok(Some(token)) if token.expose().len() >= PASTED => {
                    format!("({} characters)\n", token.expose().chars().count())
                }
                _ => "\n".to_string(),
            });
            return token;
        }
        match streams(session).read()? {
            Some(token) => Ok(Some(token)),
            None => Err(Failure::new("no token on standard input")
                .hint(session.remote("login --tokenfile FILE").arg(&self.remote.name))),
        }
    }
}

fn streams<'a>(session: &'a mut Session) -> Streams<'a> {
    let ctx = &mut *session.ctx;
    Streams { stdin: &mut ctx.stdin, terminal: ctx.terminals.stdin(), prompt: &mut *ctx.prompt }
}

/// Fails before any prompt if a token could not be stored or the remote has no login.
fn require_login(remote: &Remote, layers: &Layers, session: &Session) -> Result<()> {
    let name = &remote.name;
    if remote.is_cloud_apptainer() {
        return Err(Failure::new(format!(
            "{name} ({}) only serves keys and has no login",
            shown(&remote.uri)
        ))
        .hint(session.remote("add NAME URI").because("to add a remote that has a library"))
        .hint(session.remote("use NAME").because("to make it the default")));
    }
    if let Some(distrust) = layers.token_bar(remote) {
        return Err(distrust.into_failure());
    }
    // The token for a global remote is stored in an entry of that name in the user's file, and this name is
    // already taken.
    let taken = Note::OwnBehindExclusive(name.clone());
    if remote.origin == Origin::Global && layers.effective.notes.contains(&taken) {
        return Err(Failure::new(format!(
            "cannot store a token for the global remote {name}: your file has its own remote of that name"
        ))
        .hint(session.remote("remove").arg(name)));
    }
    Ok(())
}

/// Fails if the endpoint has no token service, or one that must not get a token.
fn require_token_service(name: &str, access: &Access, session: &Session) -> Result<()> {
    let Some(service) = access.service("token") else {
        return Err(Failure::new(format!(
            "while verifying token: no authentication service found: {name} has no token service"
        ))
        .hint(session.remote("status").arg(name)));
    };
    if access.may_get_token(service)? == Exposure::Open {
        session.ctx.talk.warning(format!(
            "{name} is insecure: anyone on the network can read the token sent to {}",
            public(&service.uri)
        ));
    }
    Ok(())
}

/// Verifies the token with the endpoint. `had_one`: another token is already stored.
fn verify(access: &Access, token: &Secret, had_one: bool, session: &Session) -> Result<()> {
    let service = access.service("token").expect("require_token_service found it");
    let check = account::token_status(&access.http, &service.uri, &access.address, token);
    let verdict = session.wait_for(&host_of(&access.address), check)?;
    match verdict.map_err(|error| failure(error).context("while verifying token"))? {
        TokenVerdict::Valid => Ok(()),
        TokenVerdict::Invalid(answer) => {
            let failure =
                Failure::new("while verifying token: error response from server: Invalid Credentials")
                    .hint(answer.to_string());
            let kept = "the previously stored token was kept";
            Err(if had_one { failure.hint(kept) } else { failure })
        }
    }
}

/// Stores the token, unless the remote has changed since the token was verified.
fn store(remote: &Remote, token: &Secret, session: &Session) -> Result<bool> {
    let name = &remote.name;
    let global = session.reload_global()?;
    let moved = || {
        Failure::new(format!("{name} was changed by another process; the token was not stored"))
            .hint(session.remote("login").arg(name))
    };
    session.edit_user(&global, &mut |config| {
        let now = merge(config.clone(), global.clone(), session.ctx.persona);
        let now = now.remotes.get(name).ok_or_else(|| no_remote(session, name))?;
        if (now.origin, &now.uri, now.insecure) != (remote.origin, &remote.uri, remote.insecure) {
            return Err(moved());
        }
        match remote.origin {
            Origin::Own | Origin::Leftover => {
                config.remotes.get_mut(name).ok_or_else(moved)?.token = Some(token.clone());
            }
            Origin::Global if config.remotes.get(name).is_some_and(|entry| !entry.system) => {
                return Err(moved());
            }
            // The format that both real programs understand too.
            Origin::Global => {
                let entry = Endpoint {
                    uri: remote.uri.clone(),
                    token: Some(token.clone()),
                    system: true,
                    insecure: remote.insecure,
                    ..Endpoint::default()
                };
                config.remotes.insert(name.clone(), entry);
            }
        }
        Ok(())
    })
}
