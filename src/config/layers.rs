//! Merges the user's and the global layer into [`Effective`]. The result is never written to a file.

use super::{Config, Credential, Endpoint, Keyserver};
use crate::error::{Failure, Result};
use crate::message::quoted;
use crate::persona::Persona;
use crate::secret::Secret;
use crate::uri::{EndpointUri, ServiceUri, is_plain_http, shown};
use std::collections::BTreeMap;

/// Where a remote comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Defined in the global file. Only its token comes from the user's file.
    Global,
    /// Defined in the user's file.
    Own,
    /// A copy of a removed global remote, which a real program left in the user's file. Treated as the user's own: it
    /// can be used and removed, and is never exclusive.
    Leftover,
}

/// How the services of an endpoint are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// The endpoint lists its services.
    Discovered,
    /// Apptainer's built-in default. It has only a keyserver on another host ([`CLOUD_APPTAINER_KEYSERVER`]) and no
    /// login. No requests are sent to it.
    CloudApptainer,
}

/// The keyserver of Apptainer's built-in default remote.
pub const CLOUD_APPTAINER_KEYSERVER: &str = "https://keys.openpgp.org";

/// A remote after the merge.
#[derive(Clone, Debug)]
pub struct Remote {
    pub name: String,
    pub kind: EndpointKind,
    /// As stored.
    pub uri: String,
    /// Uses http, or https without verification.
    pub insecure: bool,
    /// Set by the administrator: no other remote can be used.
    pub exclusive: bool,
    /// Configured keyservers. Empty if the endpoint's own keyserver is the only one.
    pub keyservers: Vec<Keyserver>,
    /// The user's token, if it was issued for this address.
    pub token: Option<Secret>,
    pub origin: Origin,
}

/// A problem found by the merge. The first field is the name of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The user's remote hides a global one of the same name.
    OwnFirst(String),
    /// The user's remote is hidden by an exclusive global one of the same name.
    OwnBehindExclusive(String),
    /// Like `OwnFirst`, but for SingularityCE, where every command fails because of it.
    BreaksSingularity(String),
    /// A leftover copy of a removed global remote.
    Leftover(String),
    /// The default does not exist. True for the administrator's default, false for the user's.
    DanglingActive(String, bool),
    /// The stored token was issued for the address in the second field.
    TokenForOther(String, String),
    /// The remote has no URI.
    NoUri(String, Origin),
    /// A part of a stored URI that is not used in requests (`query`), and the URI without it. The URI is that of the
    /// remote or of one of its keyservers.
    LeftOut(String, &'static str, String),
}

impl Note {
    /// The remote that the note is about.
    pub fn remote(&self) -> &str {
        match self {
            Self::OwnFirst(name)
            | Self::OwnBehindExclusive(name)
            | Self::BreaksSingularity(name)
            | Self::Leftover(name)
            | Self::DanglingActive(name, _)
            | Self::TokenForOther(name, _)
            | Self::NoUri(name, _)
            | Self::LeftOut(name, ..) => name,
        }
    }

    /// Whether it is printed as a WARNING. Otherwise it is an INFO line.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::OwnFirst(_) | Self::Leftover(_))
    }

    /// The message. `program` is the name of the program in suggested commands.
    pub fn text(&self, program: &str) -> String {
        let word = quoted(self.remote());
        match self {
            Self::OwnFirst(name) => {
                format!("\"{name}\" is defined globally and in your file; using yours")
            }
            Self::OwnBehindExclusive(name) => format!(
                "your remote \"{name}\" is ignored because the global \"{name}\" is exclusive. \
                 To remove yours: {program} remote remove {word}"
            ),
            Self::BreaksSingularity(name) => format!(
                "\"{name}\" is defined globally and in your file, which makes every SingularityCE command fail. \
                 To remove yours: {program} remote remove {word}"
            ),
            Self::Leftover(name) => {
                format!("\"{name}\" is a leftover copy of a removed global remote; treating it as yours")
            }
            Self::DanglingActive(name, global) => {
                let (whose, global) = if *global { ("global ", " --global") } else { ("", "") };
                format!(
                    "the {whose}default remote \"{name}\" does not exist. \
                     Choose another: {program} remote use{global} NAME"
                )
            }
            Self::TokenForOther(name, old) => {
                format!(
                    "the stored token for \"{name}\" was issued for {old}. Log in again: {program} remote login {word}"
                )
            }
            Self::NoUri(name, origin) => {
                let global = if *origin == Origin::Global { " --global" } else { "" };
                format!(
                    "\"{name}\" has no URI. Fix it with: {program} remote add{global} --replace {word} URI"
                )
            }
            Self::LeftOut(name, what, used) => {
                format!("ignoring the {what} in a URI of \"{name}\"; using {used}")
            }
        }
    }
}

/// The merged layers.
#[derive(Clone, Debug)]
pub struct Effective {
    /// By name, in byte order.
    pub remotes: BTreeMap<String, Remote>,
    /// The remote that commands use by default. Always a key of `remotes`.
    pub default: Option<String>,
    /// The exclusive remote. Always a key of `remotes`.
    pub exclusive: Option<String>,
    /// The user's logins.
    pub credentials: Vec<Credential>,
    /// Sorted by the name of the remote.
    pub notes: Vec<Note>,
}

impl Effective {
    /// Checks that no other remote than `name` is exclusive.
    ///
    /// # Errors
    /// Another remote is exclusive.
    pub fn require_usable(&self, name: &str) -> Result<()> {
        match &self.exclusive {
            Some(exclusive) if exclusive != name => Err(Failure::new(format!(
                "could not use {name}: remote {exclusive} has been set exclusive by the system administrator"
            ))),
            _ => Ok(()),
        }
    }
}

/// Merges the two layers.
pub fn merge(user: Config, global: Config, persona: Persona) -> Effective {
    let mut notes = Vec::new();
    // Only an administrator can make a remote exclusive.
    let exclusive = global.exclusive().map(String::from);
    let mut remotes: BTreeMap<String, Remote> = global
        .remotes
        .into_iter()
        .map(|(name, endpoint)| (name.clone(), Remote::of_global_layer(name, endpoint, persona)))
        .collect();
    for (name, entry) in user.remotes {
        if let Some(remote) = place(&name, entry, remotes.get_mut(&name), persona, &mut notes) {
            remotes.insert(name, remote);
        }
    }
    for (name, remote) in &remotes {
        if remote.uri.is_empty() {
            notes.push(Note::NoUri(name.clone(), remote.origin));
        }
        notes.extend(left_out(name, remote));
    }
    let mut choose = |active: String, is_global: bool| match active {
        active if active.is_empty() => None,
        active if remotes.contains_key(&active) => Some(active),
        active => {
            notes.push(Note::DanglingActive(active, is_global));
            None
        }
    };
    let (users, globals) = (choose(user.active, false), choose(global.active, true));
    let default = exclusive.clone().or(users).or(globals);
    notes.sort_by(|a, b| a.remote().cmp(b.remote()));
    Effective { remotes, default, exclusive, credentials: user.credentials, notes }
}

/// Notes on queries and fragments in the URIs of a remote, which are not used in requests. There is no note on user
/// info, because messages never show it.
fn left_out(name: &str, remote: &Remote) -> Vec<Note> {
    let own = EndpointUri::parse_typed(&remote.uri).ok();
    let own = own.map(|typed| (typed.dropped, typed.uri.to_string()));
    let keyservers = remote.keyservers.iter().filter_map(|keyserver| ServiceUri::parse(&keyserver.uri).ok());
    let keyservers = keyservers.map(|typed| (typed.dropped, typed.uri.to_string()));
    let all = own.into_iter().chain(keyservers);
    all.flat_map(|(dropped, used)| {
        let parts = dropped.into_iter().filter(|what| *what != "user info");
        parts.map(|what| Note::LeftOut(name.into(), what, used.clone())).collect::<Vec<_>>()
    })
    .collect()
}

/// Merges an entry of the user's file with the global remote of the same name. Returns the user's own remote. `None`
/// means that the global remote is used; the entry can still supply its token.
fn place(
    name: &str,
    entry: Endpoint,
    global: Option<&mut Remote>,
    persona: Persona,
    notes: &mut Vec<Note>,
) -> Option<Remote> {
    let Some(global) = global else {
        if entry.system {
            notes.push(Note::Leftover(name.into()));
        }
        let origin = if entry.system { Origin::Leftover } else { Origin::Own };
        return Some(Remote::own(name.into(), entry, origin, persona));
    };
    if entry.system {
        match entry.token {
            Some(token) if same_place(&entry.uri, entry.insecure, &global.uri, global.insecure) => {
                global.token = Some(token);
            }
            Some(_) => notes.push(Note::TokenForOther(name.into(), other_place(&entry, &global.uri))),
            None => {}
        }
        return None;
    }
    if global.exclusive {
        notes.push(Note::OwnBehindExclusive(name.into()));
        return None;
    }
    notes.push(match persona {
        Persona::Apptainer => Note::OwnFirst(name.into()),
        Persona::Singularity => Note::BreaksSingularity(name.into()),
    });
    Some(Remote::own(name.into(), entry, Origin::Own, persona))
}

/// The address that a token was issued for. Includes the scheme if only the scheme differs from that of `now`.
pub fn other_place(entry: &Endpoint, now: &str) -> String {
    let address = shown(&entry.uri);
    if address == shown(now) {
        format!("{}://{address}", if entry.insecure { "http" } else { "https" })
    } else {
        address
    }
}

/// Whether two stored addresses have the same scheme, host, port and path. An invalid address never matches, not even
/// itself, so its token is never used.
fn same_place(a: &str, a_insecure: bool, b: &str, b_insecure: bool) -> bool {
    match (EndpointUri::from_stored(a), EndpointUri::from_stored(b)) {
        (Some(a), Some(b)) => a.same_place(a_insecure, &b, b_insecure),
        _ => false,
    }
}

impl Remote {
    /// An endpoint of the global layer, without the user's token for it.
    pub fn of_global_layer(name: String, endpoint: Endpoint, persona: Persona) -> Self {
        // A token in the global file would be readable by all users. The real programs never write one there.
        let exclusive = endpoint.exclusive;
        Self { token: None, exclusive, ..Self::own(name, endpoint, Origin::Global, persona) }
    }

    /// Whether others on the network can read or change the responses of `keyserver`. The `insecure` flag of the
    /// remote also applies to its own keyserver.
    pub fn keyserver_is_insecure(&self, keyserver: &Keyserver) -> bool {
        keyserver.insecure || is_plain_http(&keyserver.uri) || (!keyserver.external && self.insecure)
    }

    /// Whether it is Apptainer's built-in default remote, to which no requests are sent.
    pub fn is_cloud_apptainer(&self) -> bool {
        self.kind == EndpointKind::CloudApptainer
    }

    fn own(name: String, endpoint: Endpoint, origin: Origin, persona: Persona) -> Self {
        let Endpoint { uri, token, insecure, keyservers, .. } = endpoint;
        let is_cloud = EndpointUri::from_stored(&uri).is_some_and(|uri| uri.is_cloud_apptainer());
        let kind = match persona {
            Persona::Apptainer if is_cloud => EndpointKind::CloudApptainer,
            _ => EndpointKind::Discovered,
        };
        Self { name, kind, uri, insecure, exclusive: false, keyservers, token, origin }
    }
}

#[cfg(test)]
mod tests;
