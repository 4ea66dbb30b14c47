//! What the group `keyserver` does.

use super::commands::{DONE, FAILED, Model, Outcome};
use super::layers::{Credential, Entry, Keyserver, Layer, default, exclusive, seen, view};
use super::net::{Net, authorization, out_of_bounds};
use super::step::{Command, NAMED, ROOT, Secret};
use apptainer_remote::persona::Persona;

/// The keyserver of Apptainer's built-in remote.
const PRIMARY: &str = "https://keys.openpgp.org";

impl Model {
    /// Both are root's and edit a global remote; none where a server would be asked that no test may ask.
    pub fn keyserver(&mut self, who: usize, command: &Command, net: &Net) -> Option<Outcome> {
        let (Command::AddKeyserver { name, .. } | Command::RemoveKeyserver { name, .. }) = command else {
            unreachable!("called for these two")
        };
        let failed = || Some(Outcome::from(FAILED));
        if who != ROOT {
            return failed();
        }
        let global = self.global();
        let name = name.clone().or_else(|| default(&global, &Layer::default()));
        let Some((name, entry)) = name.and_then(|name| Some((name.clone(), global.remotes.get(&name)?)))
        else {
            return failed();
        };
        let (mut list, asks) = match self.keyservers(entry, net) {
            Known::List(list, asks) => (list, asks),
            Known::Forbidden => return None,
            Known::Failed => return failed(),
        };
        let code = match command {
            Command::AddKeyserver { uri, order, insecure, .. } => added(&mut list, uri, *order, *insecure),
            Command::RemoveKeyserver { uri, .. } => removed(&mut list, uri),
            _ => unreachable!("called for these two"),
        };
        if code.is_none() {
            return Some(Outcome { asks: asks.into_iter().collect(), ..Outcome::from(FAILED) });
        }
        let mut layer = global;
        list.sort_by_key(|keyserver| keyserver.skip);
        layer.remotes.entry(name).and_modify(|entry| entry.keyservers = list);
        self.global = Some(layer);
        Some(Outcome { asks: asks.into_iter().collect(), ..Outcome::default() })
    }

    /// The keyservers that are asked, of one remote or of all.
    pub fn list_keyservers(&self, who: usize, name: Option<&String>, net: &Net) -> Option<Outcome> {
        let (global, user) = (self.global(), self.user(who));
        let mut outcome = Outcome::default();
        for remote in
            view(&global, &user).iter().filter(|remote| name.is_none_or(|name| *name == remote.name))
        {
            let entry = seen(&global, &user, &remote.name)?.entry;
            let list = match self.keyservers(&entry, net) {
                Known::List(list, asks) => {
                    outcome.asks.extend(asks);
                    list
                }
                Known::Forbidden => return None,
                Known::Failed => vec![],
            };
            let visible = list.iter().filter(|keyserver| !keyserver.skip).enumerate();
            let keyservers = visible.map(|(at, keyserver)| KeyserverRow {
                uri: keyserver.uri.clone(),
                order: at + 1,
                secure: !(keyserver.insecure
                    || keyserver.uri.starts_with("http:")
                    || keyserver.uri.starts_with("hkp:")
                    || !keyserver.external && entry.insecure),
                external: keyserver.external,
                login: user.credentials.iter().any(|login| same(&login.uri, &keyserver.uri)),
            });
            outcome.keyservers.push(Row {
                name: remote.name.clone(),
                global: remote.global,
                default: remote.default,
                known: !list.is_empty(),
                keyservers: keyservers.collect(),
            });
        }
        if name.is_some() && outcome.keyservers.is_empty() {
            return Some(FAILED.into());
        }
        Some(outcome)
    }

    /// A login to a keyserver that an administrator configured, of a remote that may be used.
    pub fn service_login(
        &mut self,
        who: usize,
        uri: &str,
        named: bool,
        secret: &Secret,
        net: &Net,
    ) -> Outcome {
        let (global, user) = (self.global(), self.user(who));
        let is_it =
            |keyserver: &&Keyserver| keyserver.external && !keyserver.skip && same(&keyserver.uri, uri);
        let found = view(&global, &user).into_iter().find_map(|remote| {
            let usable = exclusive(&global).is_none_or(|only| *only == remote.name);
            let list = seen(&global, &user, &remote.name)?.entry.keyservers;
            list.iter().find(is_it).filter(|_| usable).cloned()
        });
        // What has a blank in it can be a password, but no token.
        let Some(keyserver) = found.filter(|_| named || !secret.text.contains(' ')) else {
            return FAILED.into();
        };
        let Some((server, accepts)) = net.lets_in(&keyserver.uri, &secret.text) else { return FAILED.into() };
        let auth = authorization(named.then_some(NAMED), &secret.text);
        let (sent, asks) = ([(server, false, auth.clone())].into(), [server].into());
        if accepts {
            let new = Credential { uri: uri.into(), auth, insecure: keyserver.insecure };
            self.write_user(who, |layer| {
                // Repeating a login changes nothing.
                let old: Vec<_> = layer.credentials.iter().filter(|login| same(&login.uri, uri)).collect();
                if old != [&new] {
                    layer.credentials.retain(|login| !same(&login.uri, uri));
                    layer.credentials.push(new);
                }
            });
        }
        Outcome { sent, asks, ..Outcome::from(if accepts { DONE } else { FAILED }) }
    }

    pub fn service_logout(&mut self, who: usize, uri: &str) {
        self.write_user(who, |layer| layer.credentials.retain(|login| !same(&login.uri, uri)));
    }

    /// The list of a remote: what is configured, else the endpoint's own keyserver.
    fn keyservers(&self, entry: &Entry, net: &Net) -> Known {
        if !entry.keyservers.is_empty() {
            return Known::List(entry.keyservers.clone(), None);
        }
        let own = |uri: &str| Keyserver { uri: uri.into(), skip: false, external: false, insecure: false };
        if out_of_bounds(self.persona, &entry.uri) {
            let fixed = self.persona == Persona::Apptainer && entry.uri.contains("apptainer.org");
            return if fixed { Known::List(vec![own(PRIMARY)], None) } else { Known::Forbidden };
        }
        match net.site(&entry.uri, entry.insecure) {
            None => Known::Failed,
            Some(site) => {
                Known::List(site.keyserver.iter().map(|uri| own(uri)).collect(), Some(site.endpoint))
            }
        }
    }
}

/// One remote of `keyserver list --json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub global: bool,
    pub default: bool,
    /// Whether there is no problem with the endpoint's own keyserver.
    pub known: bool,
    pub keyservers: Vec<KeyserverRow>,
}

/// One keyserver of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct KeyserverRow {
    pub uri: String,
    pub order: usize,
    pub secure: bool,
    pub external: bool,
    pub login: bool,
}

enum Known {
    /// The keyservers, and the endpoint that may be asked for them.
    List(Vec<Keyserver>, Option<usize>),
    Forbidden,
    Failed,
}

/// Scheme, host and port are equal, hkp and hkps by the schemes that they stand for.
fn same(one: &str, other: &str) -> bool {
    let parts = |uri: &str| {
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
        let (scheme, usual) = match scheme {
            "hkp" => ("http", "11371"),
            "http" => ("http", "80"),
            _ => ("https", "443"),
        };
        let rest = rest.to_ascii_lowercase();
        let host = rest.split('/').next().unwrap_or_default();
        let (host, port) = host.split_once(':').unwrap_or((host, usual));
        (scheme, host.to_string(), port.to_string())
    };
    parts(one) == parts(other)
}

fn added(list: &mut Vec<Keyserver>, uri: &str, order: Option<u32>, insecure: bool) -> Option<()> {
    let visible = list.iter().filter(|keyserver| !keyserver.skip).count();
    let at = order.map_or(visible, |order| (order as usize).wrapping_sub(1));
    if at > visible {
        return None;
    }
    let new = match list.iter().position(|keyserver| same(&keyserver.uri, uri)) {
        Some(at) if list[at].skip => Keyserver { skip: false, ..list.remove(at) },
        Some(_) => return None,
        None => Keyserver { uri: uri.into(), skip: false, external: true, insecure },
    };
    // Those out of use stand last here.
    list.insert(at, new);
    Some(())
}

fn removed(list: &mut Vec<Keyserver>, uri: &str) -> Option<()> {
    let visible = list.iter().filter(|keyserver| !keyserver.skip).count();
    let at = list.iter().position(|keyserver| !keyserver.skip && same(&keyserver.uri, uri))?;
    if visible == 1 {
        return None;
    }
    if list[at].external {
        list.remove(at);
    } else {
        list[at].skip = true;
    }
    Some(())
}
