//! The two layers as one: pure (user, global) → [`Effective`]. Never written back.

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
    /// Defined by the global layer; only its token is the user's.
    Global,
    /// The user's own.
    Own,
    /// A copy of a global remote that is no longer there, which a real program left in the user's file.
    /// The user's own now: usable and removable, never exclusive.
    Leftover,
}

/// What an endpoint is, which decides what it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// It tells its services.
    Discovered,
    /// The one that Apptainer ships as its default: it serves nothing but a keyserver elsewhere
    /// ([`CLOUD_APPTAINER_KEYSERVER`]), has no login, and is never asked.
    CloudApptainer,
}

/// The keyserver of Apptainer's default remote, which no discovery tells.
pub const CLOUD_APPTAINER_KEYSERVER: &str = "https://keys.openpgp.org";

/// A remote as commands see it.
#[derive(Clone, Debug)]
pub struct Remote {
    pub name: String,
    pub kind: EndpointKind,
    /// As stored.
    pub uri: String,
    /// http, or https without verification.
    pub insecure: bool,
    /// Set by the administrator: nothing else can be used.
    pub exclusive: bool,
    /// Configured keyservers; empty where the endpoint's own is the only one.
    pub keyservers: Vec<Keyserver>,
    /// The user's token, if it was given to this very address.
    pub token: Option<Secret>,
    /// Which layer defines it.
    pub origin: Origin,
}

/// Something that the merge noticed and a person may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The user's own remote stands before a global one of the same name.
    OwnFirst(String),
    /// The user's own remote stands behind an exclusive global one of the same name.
    OwnBehindExclusive(String),
    /// As `OwnFirst`, where SingularityCE fails at every command.
    BreaksSingularity(String),
    /// A leftover copy of a global remote.
    Leftover(String),
    /// The user's choice of default, or (true) the administrator's, names no remote.
    DanglingActive(String, bool),
    /// The stored token of this remote was given to the other address.
    TokenForOther(String, String),
    /// The remote has no address.
    NoUri(String, Origin),
    /// What the stored address of the remote, or of one of its keyservers, holds and no request gets; then the
    /// address as it is used.
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

    /// Whether it is worth a WARNING; an INFO line otherwise.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::OwnFirst(_) | Self::Leftover(_))
    }

    /// The words for it. `program` is the command to type.
    pub fn text(&self, program: &str) -> String {
        let word = quoted(self.remote());
        match self {
            Self::OwnFirst(name) => {
                format!("{name} is defined both globally and by you: your own is used")
            }
            Self::OwnBehindExclusive(name) => format!(
                "{name} is exclusive and global, so your own remote of that name is not used; run: {program} remote remove {word}"
            ),
            Self::BreaksSingularity(name) => format!(
                "{name} is defined both globally and by you, and SingularityCE fails at every command with that; run: {program} remote remove {word}"
            ),
            Self::Leftover(name) => {
                format!(
                    "{name} was a global remote once and is now a leftover copy in your file: it counts as your own"
                )
            }
            Self::DanglingActive(name, global) => {
                let (whose, global) = if *global { ("global ", " --global") } else { ("", "") };
                format!(
                    "the {whose}default remote {name} does not exist; run: {program} remote use{global} NAME"
                )
            }
            Self::TokenForOther(name, old) => {
                format!("the token for {name} was given to {old}; run: {program} remote login {word}")
            }
            Self::NoUri(name, origin) => {
                let global = if *origin == Origin::Global { " --global" } else { "" };
                format!(
                    "{name} has no URI; remove it and add it again: {program} remote remove{global} {word}; {program} remote add{global} {word} URI"
                )
            }
            Self::LeftOut(name, what, used) => {
                format!(
                    "an address of {name} in the file contains a {what}, which is left out: {used} is used"
                )
            }
        }
    }
}

/// Both layers together.
#[derive(Clone, Debug)]
pub struct Effective {
    /// By name, in the order of bytes.
    pub remotes: BTreeMap<String, Remote>,
    /// The remote that commands use when none is named; always one of `remotes`.
    pub default: Option<String>,
    /// The exclusive remote; always one of `remotes`.
    pub exclusive: Option<String>,
    /// The user's logins.
    pub credentials: Vec<Credential>,
    /// In the order of names.
    pub notes: Vec<Note>,
}

impl Effective {
    /// Refuses `name` where another remote is exclusive.
    ///
    /// # Errors
    /// The administrator's word.
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
    // Nobody but an administrator makes a remote exclusive.
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

/// Queries and fragments in the addresses of a remote: no request contains them. User info is left out of these
/// notes, since it is left out of everything that is shown.
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

/// What an entry of the user's file means beside the global remote of the same name: a remote of its own,
/// or (`None`) at most a token for that one.
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

/// The address that a token was given to; with its scheme where that is all that differs from `now`.
pub fn other_place(entry: &Endpoint, now: &str) -> String {
    let address = shown(&entry.uri);
    if address == shown(now) {
        format!("{}://{address}", if entry.insecure { "http" } else { "https" })
    } else {
        address
    }
}

/// Whether two stored addresses name the same scheme, host, port and path. One that cannot be read names
/// no place, not even its own: a token never follows it.
fn same_place(a: &str, a_insecure: bool, b: &str, b_insecure: bool) -> bool {
    match (EndpointUri::from_stored(a), EndpointUri::from_stored(b)) {
        (Some(a), Some(b)) => a.same_place(a_insecure, &b, b_insecure),
        _ => false,
    }
}

impl Remote {
    /// An endpoint of the global layer, without the user's token for it.
    pub fn of_global_layer(name: String, endpoint: Endpoint, persona: Persona) -> Self {
        // A token in the global file would be everybody's: the real programs never write one there.
        let exclusive = endpoint.exclusive;
        Self { token: None, exclusive, ..Self::own(name, endpoint, Origin::Global, persona) }
    }

    /// Whether others on the network can read or change what `keyserver` of this remote answers. Its own one is
    /// asked as the endpoint itself is.
    pub fn keyserver_is_insecure(&self, keyserver: &Keyserver) -> bool {
        keyserver.insecure || is_plain_http(&keyserver.uri) || (!keyserver.external && self.insecure)
    }

    /// Whether it is Apptainer's default, which is never asked.
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
