//! Keyserver logins. They work only for keyservers that an administrator added, and are stored in `remote.yaml`.

use super::{LoginOptions, remote_at};
use crate::commands::session::Session;
use crate::commands::session::access::{failure, host_of};
use crate::commands::session::keyservers::is_login_to;
use crate::commands::session::layers::Layers;
use crate::config::layers::Remote;
use crate::config::{Config, Credential, Keyserver};
use crate::error::{Failure, Result};
use crate::http::{Address, Login, Transport, is_loopback};
use crate::secret_source::{check_token, source_name};
use crate::services::keyserver::check::{Verdict, check};
use crate::uri::ServiceUri;

/// Verifies the login with the keyserver and stores it.
pub(super) fn login(uri: &ServiceUri, login: &LoginOptions, session: &mut Session) -> Result<bool> {
    let (layers, global) = session.load_to_write()?;
    session.user_file()?.require_writable(session.identity())?;
    let (keyserver, remote) = find(uri, &layers, session)?;
    if let Some(distrust) = layers.token_bar(remote) {
        return Err(distrust.into_failure());
    }
    let insecure = keyserver.insecure;
    say_insecure(uri, insecure, login.insecure(session)?, session);
    let server = ServiceUri::from_stored(&keyserver.uri).expect("it was compared");
    let address = Address::new(server.url(false), insecure);
    let plain = address.transport() == Transport::Plain;
    if plain && !insecure && !is_loopback(&address.url) {
        let failure = Failure::new(format!(
            "refusing to send the login to {uri} over plain http: the keyserver was not added with --insecure"
        ))
        .hint(session.as_root("keyserver remove").arg(uri));
        let add = session.as_root("keyserver add --insecure").arg(uri);
        return Err(session.hint_as_root(failure, add));
    }
    let username = login.username(session)?;
    let mut password = login.password(uri, session)?;
    if username.is_empty() {
        password = check_token(password, &source_name(&login.secret, session.ctx.terminals.stdin()))?;
    }
    let secret = match username.as_str() {
        "" => Login::Bearer(&password),
        name => Login::Basic(name, &password),
    };
    let http = session.http(login.ca_file.clone());
    let address = Address::new(address.url, insecure || plain);
    let verdict = session
        .wait_for(&host_of(&address), check(&http, &address, secret))?
        .map_err(|error| failure(error).context(format!("while login to {uri}")))?;
    match verdict {
        Verdict::Accepted => session.ctx.talk.info(format!("Login to {uri} verified!")),
        Verdict::AsksNobody => session
            .ctx
            .talk
            .warning(format!("{uri} accepts anonymous requests, so this login could not be verified")),
        Verdict::Rejected(answer) => {
            return Err(Failure::new("Invalid Credentials")
                .context(format!("while login to {uri}"))
                .hint(answer.to_string()));
        }
    }
    let credential = Credential { uri: uri.to_string(), auth: Some(secret.header()), insecure };
    let changed = session.edit_user(&global, &mut |config| {
        if config.credentials.iter().filter(|own| is_login_to(own, uri)).ne([&credential]) {
            config.credentials.retain(|own| !is_login_to(own, uri));
            config.credentials.push(credential.clone());
        }
        Ok(())
    })?;
    session.ctx.talk.info(format!("Token stored in {}", session.user_file()?.path.display()));
    Ok(changed)
}

/// The configured keyserver at `uri`, and its remote.
fn find<'a>(uri: &ServiceUri, layers: &'a Layers, session: &Session) -> Result<(&'a Keyserver, &'a Remote)> {
    let effective = &layers.effective;
    let is_it = |keyserver: &&Keyserver| keyserver.external && !keyserver.skip && keyserver.is_server(uri);
    let found = effective.remotes.values().filter_map(|remote| {
        let keyserver = remote.keyservers.iter().find(is_it)?;
        Some((keyserver, remote))
    });
    let found: Vec<_> = found.collect();
    let usable = found.iter().find(|(_, remote)| effective.require_usable(&remote.name).is_ok());
    if let Some((keyserver, remote)) = usable {
        return Ok((keyserver, remote));
    }
    if let (false, Some(exclusive)) = (found.is_empty(), &effective.exclusive) {
        return Err(Failure::new(format!(
            "only {exclusive:?} can be used (set exclusive by the administrator)"
        ))
        .hint(session.command("keyserver list").arg(exclusive)));
    }
    let failure = Failure::new(format!("no external keyserver configuration found for {uri}"))
        .context(format!("while login to {uri}"));
    let own = effective.remotes.values().find(|remote| {
        remote.keyservers.iter().any(|keyserver| !keyserver.external && keyserver.is_server(uri))
    });
    Err(match own {
        Some(remote) => failure.hint(
            session
                .remote("login")
                .arg(&remote.name)
                .because("to log in to the remote whose own keyserver this is"),
        ),
        None => match remote_at(uri, session) {
            Some(name) => {
                let login = session.remote("login").arg(name);
                failure.hint(login.because("to log in to the remote at this address"))
            }
            None => {
                let registry = session.command("registry login").arg(format!("docker://{}", uri.authority()));
                let failure = session.hint_as_root(failure, session.as_root("keyserver add").arg(uri));
                failure.hint(registry.because("for a registry"))
            }
        },
    })
}

/// Warns if `--insecure` contradicts the administrator's setting for the keyserver, which takes precedence.
fn say_insecure(uri: &ServiceUri, configured: bool, asked: bool, session: &Session) {
    match (configured, asked) {
        (true, false) => session
            .ctx
            .talk
            .warning(format!("{uri} is configured as insecure, forcing insecure flag for login")),
        (false, true) => session.ctx.talk.warning(format!("ignoring --insecure: {uri} was added as secure")),
        _ => {}
    }
}

/// Removes the stored login.
pub(super) fn logout(uri: &ServiceUri, session: &mut Session) -> Result<bool> {
    let (_, global) = session.load_to_write()?;
    let changed = session.edit_user(&global, &mut |config| {
        config.credentials.retain(|own| !is_login_to(own, uri));
        Ok(())
    })?;
    let file = session.user_file()?;
    let now: Config = file.load(session.identity())?.config;
    if now.credentials.iter().any(|own| is_login_to(own, uri)) {
        return Err(Failure::new(format!("the login to {uri} was written back by another process")));
    }
    if changed {
        session.ctx.talk.info(format!("The login to {uri} was removed from {}", file.path.display()));
    }
    Ok(changed)
}
