//! Names from the user's files: remotes, keyservers and logins. Uses no network and prints nothing.

use super::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::keyservers::in_order;
use crate::commands::session::layers::Layers;
use crate::config::layers::{Origin, Remote};
use crate::context::Context;
use crate::uri::{ServiceUri, shown};
use std::path::PathBuf;

/// Candidates for an argument; none if a file cannot be read. `first` is the previous argument. `user_layer` is
/// the file given with `--config`.
pub(super) fn names(
    what: Completes,
    first: Option<&str>,
    user_layer: Option<PathBuf>,
    ctx: &mut Context,
) -> Vec<(String, String)> {
    if matches!(what, Completes::Nothing | Completes::File) {
        return Vec::new();
    }
    let session = Session::new(ctx, "", user_layer);
    let Ok(layers) = session.load() else { return Vec::new() };
    match what {
        Completes::Nothing | Completes::File => Vec::new(),
        Completes::Remote => remotes(&layers, |_| true),
        Completes::OwnRemote => remotes(&layers, |remote| remote.origin != Origin::Global),
        Completes::GlobalRemote => remotes(&layers, |remote| remote.origin == Origin::Global),
        Completes::Login => {
            let mut all = remotes(&layers, |remote| !remote.is_cloud_apptainer());
            all.extend(registries(&layers, &session));
            all.extend(configured_keyservers(&layers));
            distinct(all)
        }
        Completes::Logout => {
            let mut all = remotes(&layers, |remote| remote.token.is_some());
            all.extend(registries(&layers, &session));
            all.extend(keyserver_logins(&layers));
            distinct(all)
        }
        Completes::Registry => distinct(registries(&layers, &session)),
        Completes::Keyserver => distinct(configured_keyservers(&layers)),
        Completes::KeyserverLogin => keyserver_logins(&layers),
        Completes::RemoteOrKeyserver => {
            let mut all = remotes(&layers, |remote| remote.origin == Origin::Global);
            let default = layers.effective.default.as_deref();
            all.extend(keyservers_of(default.and_then(|name| layers.effective.remotes.get(name)), &session));
            all
        }
        Completes::KeyserverOf => {
            keyservers_of(first.and_then(|name| layers.effective.remotes.get(name)), &session)
        }
    }
}

fn remotes(layers: &Layers, fits: impl Fn(&Remote) -> bool) -> Vec<(String, String)> {
    let all = layers.effective.remotes.values().filter(|remote| fits(remote));
    all.map(|remote| (remote.name.clone(), shown(&remote.uri))).collect()
}

fn registries(layers: &Layers, session: &Session) -> Vec<(String, String)> {
    let is_registry = |text: &String| ServiceUri::from_stored(text).is_some_and(|uri| uri.is_registry());
    let mut all: Vec<String> =
        layers.effective.credentials.iter().map(|login| login.uri.clone()).filter(is_registry).collect();
    if let Ok(loaded) = session.auth_store(None).and_then(|store| store.load(session)) {
        all.extend(loaded.document.registries());
    }
    all.into_iter().map(|uri| (uri, "registry".to_string())).collect()
}

fn configured_keyservers(layers: &Layers) -> Vec<(String, String)> {
    let of = |remote: &Remote| {
        let external = remote.keyservers.iter().filter(|keyserver| keyserver.external);
        external
            .map(|keyserver| (keyserver.uri.clone(), format!("keyserver of {}", remote.name)))
            .collect::<Vec<_>>()
    };
    layers.effective.remotes.values().flat_map(of).collect()
}

fn keyserver_logins(layers: &Layers) -> Vec<(String, String)> {
    let is_keyserver = |text: &str| ServiceUri::from_stored(text).is_some_and(|uri| !uri.is_registry());
    let logins = layers.effective.credentials.iter().filter(|login| is_keyserver(&login.uri));
    logins.map(|login| (login.uri.clone(), "keyserver".to_string())).collect()
}

fn keyservers_of(remote: Option<&Remote>, session: &Session) -> Vec<(String, String)> {
    let own = |remote| session.known_own_keyserver(remote).and_then(Result::ok);
    let all = remote.map(|remote| in_order(remote, own(remote).as_deref()));
    all.into_iter().flatten().map(|keyserver| (keyserver.uri, "keyserver".to_string())).collect()
}

/// Removes duplicate names and keeps the first description of each.
fn distinct(mut all: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = std::collections::HashSet::new();
    all.retain(|(name, _)| seen.insert(name.clone()));
    all
}
