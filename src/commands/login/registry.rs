//! Registry logins. They are verified with the registry, stored in the auth file or in the credential helper that
//! it names, and listed without the secret in `remote.yaml`.

use super::LoginOptions;
use crate::auth_file::{Entry, is_same_login, key_of};
use crate::commands::session::Session;
use crate::commands::session::access::failure;
use crate::commands::session::registry::{ENVIRONMENT, Keeper, Store, environment};
use crate::config::{Config, Credential};
use crate::error::{Failure, Result, ResultExt};
use crate::hint::{CommandLine, Hint};
use crate::http::basic;
use crate::http::error::{HttpErrorKind, Tls};
use crate::http::is_loopback;
use crate::secret::Secret;
use crate::services::registry::check::{Verdict, check};
use crate::uri::{ServiceUri, public};
use std::path::{Path, PathBuf};

/// Directories with certificates for individual registries, as in Podman and Docker.
const CERT_DIRECTORIES: [&str; 2] = ["/etc/containers/certs.d", "/etc/docker/certs.d"];

/// Verifies the login with the registry and stores it.
pub(super) fn login(
    uri: &ServiceUri,
    login: &LoginOptions,
    authfile: Option<PathBuf>,
    session: &mut Session,
) -> Result<bool> {
    require_whole(uri, session)?;
    let store = session.auth_store(authfile)?;
    let document = store.load_to_write(session)?;
    store.target.require_writable().fail_hint(|| store.elsewhere.clone())?;
    let keeper = store.keeper(&document, uri).fail_hint(|| without_helper(uri, session))?;
    let layer = if store.chosen { None } else { Some(session.load_to_write()?) };
    if layer.is_some() {
        session.user_file()?.require_writable(session.identity())?;
    }
    let insecure = login.insecure(session)?;
    let username = login.username(session)?;
    if username.is_empty() {
        return Err(Failure::new(format!("while login to {uri}: a username is required"))
            .hint(session.command("registry login -u USERNAME").arg(uri)));
    }
    let password = login.password(uri, session)?;
    verify(uri, login, insecure, (&username, &password), document.entry_of(uri).is_some(), session)?;
    let kept = keep(&store, keeper, uri, (&username, &password), session)?;
    if environment(session).is_some_and(|environment| environment.entry_of(uri) == Some(Entry::Secret)) {
        session
            .ctx
            .talk
            .warning(format!("{ENVIRONMENT} overrides this login to {uri}. To use it: unset {ENVIRONMENT}"));
    }
    let credential = Credential { uri: uri.to_string(), auth: None, insecure };
    let listed = match layer {
        Some((_, global)) => list_login(uri, &credential, &global, session).map_err(|failure| {
            failure.context("the login was stored, but could not be added to remote.yaml")
        })?,
        None => false,
    };
    Ok(kept || listed)
}

/// Hint for when the configured credential helper cannot store a login.
fn without_helper(uri: &ServiceUri, session: &Session) -> Hint {
    let command = session.command("registry login -u USERNAME --authfile FILE").arg(uri);
    command.because("to keep the login in a file of its own")
}

/// Rejects a URI with a path: logins are made to whole registries.
fn require_whole(uri: &ServiceUri, session: &Session) -> Result<()> {
    match whole_of(uri) {
        None => Ok(()),
        Some(whole) => Err(Failure::new(format!("{uri}: log in to the registry, not to a path in it"))
            .hint(session.command("registry login").arg(&whole))),
    }
}

/// The URI of the whole registry, if `uri` has a path.
pub(super) fn whole_of(uri: &ServiceUri) -> Option<String> {
    let scheme = uri.to_string().split_once("://")?.0.to_ascii_lowercase();
    (!uri.path().is_empty()).then(|| format!("{scheme}://{}", uri.authority()))
}

/// Verifies the login with the registry. `had_one`: another login is already stored.
fn verify(
    uri: &ServiceUri,
    login: &LoginOptions,
    insecure: bool,
    (username, password): (&str, &Secret),
    had_one: bool,
    session: &Session,
) -> Result<()> {
    if insecure && !is_loopback(&uri.url(false)) {
        session
            .ctx
            .talk
            .warning(format!("with --insecure anyone on the network can read the password sent to {uri}"));
    }
    let directories = CERT_DIRECTORIES.iter().map(|root| Path::new(root).join(uri.authority())).collect();
    let http = session.http_trusting(login.ca_file.clone(), directories);
    let while_login = || format!("while login to {uri}");
    let verdict = session
        .wait_for(&uri.authority(), check(&http, uri, insecure, username, password))?
        .map_err(|error| {
            let unknown = matches!(error.kind, HttpErrorKind::Tls(Tls::UnknownIssuer)) && !insecure;
            let (odd, url) = (
                matches!(error.kind, HttpErrorKind::Unexpected(_) | HttpErrorKind::Status { .. }),
                error.url.clone(),
            );
            let failure = failure(error).context(while_login());
            match () {
                () if unknown => failure.hint("or, without verification: --insecure"),
                () if odd => {
                    failure.hint(CommandLine::new("curl -si").arg(&url).because("to see its answer"))
                }
                () => failure,
            }
        })?;
    match verdict {
        Verdict::Accepted => session.ctx.talk.info(format!("Login to {uri} verified!")),
        Verdict::Open => session
            .ctx
            .talk
            .warning(format!("{uri} accepts anonymous requests, so this login could not be verified")),
        Verdict::Rejected(answer) => {
            let refused = Failure::new("Invalid Credentials").context(while_login()).hint(answer.to_string());
            let kept = "the previously stored login was kept";
            return Err(if had_one { refused.hint(kept) } else { refused });
        }
    }
    Ok(())
}

/// Stores the login in the file or helper, unless another process changed which one is used, and reports where.
fn keep(
    store: &Store,
    keeper: Keeper,
    uri: &ServiceUri,
    (username, password): (&str, &Secret),
    session: &Session,
) -> Result<bool> {
    let talk = &session.ctx.talk;
    store.prepare(session)?;
    let suffix = match &keeper {
        Keeper::File => None,
        Keeper::Helper(helper) => {
            helper.store(&key_of(uri), username, password).fail_hint(|| without_helper(uri, session))?;
            Some(helper.suffix.as_str())
        }
    };
    let auth = suffix.is_none().then(|| basic(username, password));
    let changed = store.target.edit(talk, &mut |document| {
        if document.helper_for(uri) != suffix {
            return Err(Failure::new("it was changed by another process: log in again"));
        }
        document.store(uri, auth.as_ref());
        Ok(())
    })?;
    let file = store.target.path.display();
    talk.info(match suffix {
        None => format!("Token stored in {file}"),
        Some(suffix) => format!("Password stored with docker-credential-{suffix} (configured in {file})"),
    });
    Ok(changed || suffix.is_some())
}

/// Lists the login, without its secret, in the user layer. It replaces other entries for this address.
fn list_login(uri: &ServiceUri, login: &Credential, global: &Config, session: &Session) -> Result<bool> {
    let same = |own: &Credential| {
        let own = ServiceUri::from_stored(&own.uri);
        own.is_some_and(|own| is_same_login(&own, uri) && own.scheme() == uri.scheme())
    };
    session.edit_user(global, &mut |config| {
        if config.credentials.iter().filter(|own| same(own)).ne([login]) {
            config.credentials.retain(|own| !same(own));
            config.credentials.push(login.clone());
        }
        Ok(())
    })
}

/// Removes the login from everywhere that `login` stores it.
pub(super) fn logout(uri: &ServiceUri, authfile: Option<PathBuf>, session: &mut Session) -> Result<bool> {
    let store = session.auth_store(authfile)?;
    let layer = if store.chosen { None } else { Some(session.load_to_write()?) };
    let forgotten = forget(&store, uri, session)?;
    let unlisted = match layer {
        Some((_, global)) => unlist(uri, &global, session)?,
        None => false,
    };
    Ok(forgotten || unlisted)
}

/// Removes the login from the user layer and reports which rows were removed: docker:// and oras:// may each have
/// one.
fn unlist(uri: &ServiceUri, global: &Config, session: &Session) -> Result<bool> {
    let mut rows = Vec::new();
    let changed = session.edit_user(global, &mut |config| {
        rows.clear();
        config.credentials.retain(|own| {
            let own = ServiceUri::from_stored(&own.uri).filter(|own| is_same_login(own, uri));
            rows.extend(own.iter().map(ToString::to_string));
            own.is_none()
        });
        Ok(())
    })?;
    if changed {
        let were = if rows.len() == 1 { "was" } else { "were" };
        let (rows, file) = (rows.join(", "), session.user_file()?.path);
        session.ctx.talk.info(format!("{rows} {were} removed from the list in {}", file.display()));
    }
    Ok(changed)
}

/// Removes the stored secret, checks that it is gone, and reports where it was. Returns whether anything was
/// removed.
pub(crate) fn forget(store: &Store, uri: &ServiceUri, session: &Session) -> Result<bool> {
    let document = store.load_to_write(session)?;
    let keeper = store.keeper(&document, uri)?;
    let talk = &session.ctx.talk;
    let mut removed = Vec::new();
    if let Keeper::Helper(helper) = &keeper {
        let mut keys: Vec<String> = document.keys_of(uri).into_iter().map(String::from).collect();
        keys.push(key_of(uri));
        keys.dedup();
        for key in &keys {
            if helper.has(key)? {
                helper.erase(key)?;
                removed.push(format!(
                    "The login to {} was removed from docker-credential-{}",
                    public(key),
                    helper.suffix
                ));
            }
        }
    }
    let mut keys = Vec::new();
    let changed = !document.keys_of(uri).is_empty() && {
        store.prepare(session)?;
        store.target.edit(talk, &mut |document| {
            keys = document.remove(uri);
            Ok(())
        })?
    };
    if changed {
        let file = store.target.path.display();
        removed.push(format!("The login to {} was removed from {file}", listed(&keys)));
    }
    confirm_gone(store, &keeper, uri, session)?;
    // Reported only after the check.
    removed.iter().for_each(|what| talk.info(what));
    Ok(!removed.is_empty())
}

/// Formats auth file keys for a message, without user info.
fn listed(keys: &[impl AsRef<str>]) -> String {
    keys.iter().map(|key| public(key.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Checks all locations again, because a logout must not report success if the secret is still there.
fn confirm_gone(store: &Store, keeper: &Keeper, uri: &ServiceUri, session: &Session) -> Result<()> {
    let still = |what: String| Err(Failure::new(format!("still logged in to {uri}: {what}")));
    let document = store.target.load()?.document;
    if matches!(document.entry_of(uri), Some(Entry::Secret | Entry::Broken)) {
        return still(format!("{} contains it again", store.target.path.display()));
    }
    if let Keeper::Helper(helper) = keeper
        && helper.answers(&key_of(uri)).fail_context(|| "while making sure that the login is gone")?
    {
        return still(format!("docker-credential-{} still answers", helper.suffix));
    }
    if let Some(environment) = environment(session)
        && environment.entry_of(uri) == Some(Entry::Secret)
    {
        return still(format!("{ENVIRONMENT} holds it"))
            .fail_hint(|| CommandLine::new("unset").arg(ENVIRONMENT));
    }
    let below = document.keys_below(uri);
    if !below.is_empty() {
        session.ctx.talk.warning(format!(
            "logins for parts of this registry remain in {}: {}",
            store.target.path.display(),
            listed(&below)
        ));
    }
    Ok(())
}
