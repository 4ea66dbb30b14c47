//! The values of the model: layers, addresses, and the merged view of two layers. Written from the
//! specification alone; nothing here calls the program.

use apptainer_remote::persona::Persona;
use std::collections::BTreeMap;

/// A keyserver of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyserver {
    pub uri: String,
    pub skip: bool,
    pub external: bool,
    pub insecure: bool,
}

/// An entry of `Remotes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub uri: String,
    pub token: Option<String>,
    pub system: bool,
    pub exclusive: bool,
    pub insecure: bool,
    pub keyservers: Vec<Keyserver>,
}

impl Entry {
    /// Whether both have the same scheme, host, port and path. Never true for an entry without an address.
    pub fn same_server(&self, other: &Self) -> bool {
        let server = server(&self.uri, self.insecure);
        server.is_some() && server == server_of(other)
    }
}

fn server_of(entry: &Entry) -> Option<Server> {
    server(&entry.uri, entry.insecure)
}

/// A login to a keyserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub uri: String,
    pub auth: String,
    pub insecure: bool,
}

/// The content of a `remote.yaml`. Disabled keyservers come last, because their order has no meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    pub active: String,
    pub remotes: BTreeMap<String, Entry>,
    pub credentials: Vec<Credential>,
}

impl Layer {
    /// The built-in layer for a machine without a global file.
    pub fn built_in(persona: Persona) -> Self {
        let (name, uri) = built_in_remote(persona);
        let entry = Entry { uri: uri.into(), system: true, ..Entry::default() };
        Self { active: name.into(), remotes: [(name.to_string(), entry)].into(), credentials: vec![] }
    }

    /// The layer as a file that no program wrote: a write by a program loses the comment.
    pub fn text(&self) -> String {
        use std::fmt::Write;
        let mut text = String::from("# as it was\n");
        let flag = |name: &str, set: bool| if set { format!(", {name}: true") } else { String::new() };
        writeln!(text, "Active: '{}'", self.active).unwrap();
        for (number, (name, entry)) in self.remotes.iter().enumerate() {
            let head = if number == 0 { "Remotes:\n" } else { "" };
            let token = entry.token.iter().fold(String::new(), |_, token| format!(", Token: {token}"));
            let flags = [
                flag("System", entry.system),
                flag("Exclusive", entry.exclusive),
                flag("Insecure", entry.insecure),
            ];
            write!(text, "{head}  {name}: {{URI: '{}'{token}{}", entry.uri, flags.concat()).unwrap();
            if !entry.keyservers.is_empty() {
                let list = entry.keyservers.iter().map(|k| {
                    format!(
                        "{{URI: '{}', Skip: {}, External: {}, Insecure: {}}}",
                        k.uri, k.skip, k.external, k.insecure
                    )
                });
                write!(text, ", Keyservers: [{}]", list.collect::<Vec<_>>().join(", ")).unwrap();
            }
            text.push_str("}\n");
        }
        for (number, Credential { uri, auth, insecure }) in self.credentials.iter().enumerate() {
            let head = if number == 0 { "Credentials:\n" } else { "" };
            writeln!(text, "{head}  - {{URI: '{uri}', Auth: '{auth}', Insecure: {insecure}}}").unwrap();
        }
        text
    }
}

/// Name and address of the built-in remote.
pub fn built_in_remote(persona: Persona) -> (&'static str, &'static str) {
    match persona {
        Persona::Apptainer => ("DefaultRemote", "cloud.apptainer.org"),
        Persona::Singularity => ("SylabsCloud", "cloud.sylabs.io"),
    }
}

/// Scheme (whether it is http), host, port, path.
pub type Server = (bool, String, u16, String);

/// The server of a stored address; `None` for an empty address.
pub fn server(stored: &str, insecure: bool) -> Option<Server> {
    let shown = shown(stored);
    let (authority, path) = shown.split_at(shown.find('/').unwrap_or(shown.len()));
    let (host, port) = split_port(authority);
    let usual = if insecure { 80 } else { 443 };
    let port = port.map_or(Some(usual), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (insecure, host.to_ascii_lowercase(), port, path.to_string()))
}

/// A stored address as `list` shows it: without a scheme and leading slashes.
pub fn shown(stored: &str) -> &str {
    let rest = stored.split_once("://").map_or(stored, |(_, rest)| rest);
    rest.trim_start_matches("//")
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rfind(':') {
        // The colons of an IPv6 literal are inside its brackets.
        Some(at) if !authority[at..].contains(']') => (&authority[..at], Some(&authority[at + 1..])),
        _ => (authority, None),
    }
}

/// The address that `add` stores, and whether the remote is insecure; `None` if it refuses the address.
pub fn typed(text: &str, insecure: bool) -> Option<(String, bool)> {
    let (insecure, rest) = match text.split_once("://") {
        Some(("https", rest)) => (false, rest),
        Some(("http", rest)) if insecure => (true, rest),
        Some(_) => return None,
        None => (insecure, text),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = split_port(authority);
    if host.is_empty() || text.contains(' ') {
        return None;
    }
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return None;
    }
    let slashes = if port.is_some() || host.starts_with('[') { "//" } else { "" };
    Some((format!("{slashes}{authority}{}", clean(path)), insecure))
}

/// A path without empty components, `.`, `..` and a trailing slash.
fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.iter().map(|part| format!("/{part}")).collect()
}

/// A row of `list --json`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Row {
    pub name: String,
    pub uri: String,
    pub default: bool,
    pub global: bool,
    pub exclusive: bool,
    pub insecure: bool,
    pub token: bool,
}

/// A remote as a user sees it, with the token for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it comes from the global layer and not from the user's own.
    pub global: bool,
    /// The entry of its layer, with the effective token.
    pub entry: Entry,
}

/// The name of the exclusive remote.
pub fn exclusive(global: &Layer) -> Option<&String> {
    global.remotes.iter().find(|(_, entry)| entry.exclusive).map(|(name, _)| name)
}

/// The remote of this name as a user with this layer sees it.
pub fn seen(global: &Layer, user: &Layer, name: &str) -> Option<Seen> {
    let own = user.remotes.get(name);
    let Some(shared) = global.remotes.get(name) else {
        // Only an administrator can make a remote exclusive.
        let own = Entry { exclusive: false, ..own?.clone() };
        return Some(Seen { global: false, entry: own });
    };
    match own {
        Some(own) if !own.system && !shared.exclusive => {
            Some(Seen { global: false, entry: Entry { exclusive: false, ..own.clone() } })
        }
        own => {
            let copy = own.filter(|own| own.system && own.same_server(shared));
            let entry = Entry { token: copy.and_then(|copy| copy.token.clone()), ..shared.clone() };
            Some(Seen { global: true, entry })
        }
    }
}

/// The name of the default remote of a user with this layer.
pub fn default(global: &Layer, user: &Layer) -> Option<String> {
    let there = |name: &&String| seen(global, user, name).is_some();
    exclusive(global).or(Some(&user.active).filter(there)).or(Some(&global.active).filter(there)).cloned()
}

/// All rows that a user with this layer sees.
pub fn view(global: &Layer, user: &Layer) -> Vec<Row> {
    let default = default(global, user);
    let mut names: Vec<&String> = global.remotes.keys().chain(user.remotes.keys()).collect();
    names.sort();
    names.dedup();
    let row = |name: &String| {
        let Seen { global, entry } = seen(global, user, name)?;
        Some(Row {
            name: name.clone(),
            uri: shown(&entry.uri).to_string(),
            default: default.as_ref() == Some(name),
            global,
            exclusive: entry.exclusive,
            insecure: entry.insecure,
            token: entry.token.is_some(),
        })
    };
    names.into_iter().filter_map(row).collect()
}
