//! The content of one `remote.yaml`, and the pure changes that the commands make to it.
//!
//! No file, clock or network here: `file` reads and writes, `yaml` knows the format, `layers` merges.

pub(crate) mod endpoint;
pub(crate) mod file;
mod keyservers;
pub mod layers;
pub mod yaml;

use crate::persona::Persona;
pub use endpoint::{Credential, Endpoint, Keyserver};
use std::collections::BTreeMap;

/// One layer: the user's or the global one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The layer's own choice of default; empty where none was ever made.
    pub active: String,
    /// By name. The order here is that of bytes, in which `remote list` shows them; the file has Go's
    /// natural order, which `yaml` makes.
    pub remotes: BTreeMap<String, Endpoint>,
    /// In the order in which the logins were made.
    pub credentials: Vec<Credential>,
}

impl Config {
    /// Stands in for the global layer where there is no global file.
    pub fn built_in(persona: Persona) -> Self {
        let (name, host) = persona.built_in_remote();
        let endpoint = Endpoint { uri: host.into(), system: true, ..Endpoint::default() };
        Self { active: name.into(), remotes: [(name.to_string(), endpoint)].into(), ..Self::default() }
    }

    /// Whether it holds a token or password.
    pub fn holds_secret(&self) -> bool {
        self.remotes.values().any(|endpoint| endpoint.token.is_some())
            || self.credentials.iter().any(|login| login.auth.is_some())
    }

    /// Takes `name` out; a default that named it is none afterwards.
    pub fn remove(&mut self, name: &str) -> Option<Endpoint> {
        if self.active == name {
            self.active.clear();
        }
        self.remotes.remove(name)
    }

    /// Gives the remote `old` another name, under which it stays the default if it was. Says whether it was there;
    /// `new` must not be.
    pub fn rename(&mut self, old: &str, new: &str) -> bool {
        let Some(endpoint) = self.remotes.remove(old) else { return false };
        self.remotes.insert(new.into(), endpoint);
        if self.active == old {
            self.active = new.into();
        }
        true
    }

    /// The remote that is marked as exclusive; the first where a file marks several.
    pub fn exclusive(&self) -> Option<&str> {
        self.remotes.iter().find(|(_, endpoint)| endpoint.exclusive).map(|(name, _)| name.as_str())
    }

    /// Makes `name` the only exclusive remote, or with `None` lifts exclusivity altogether. Returns the
    /// names that were exclusive and no longer are.
    pub fn set_exclusive(&mut self, name: Option<&str>) -> Vec<String> {
        let mut released = Vec::new();
        for (other, endpoint) in &mut self.remotes {
            let exclusive = Some(other.as_str()) == name;
            if endpoint.exclusive && !exclusive {
                released.push(other.clone());
            }
            endpoint.exclusive = exclusive;
        }
        released
    }

    /// Drops the entries that only repeat a global remote, which the real programs leave behind in a
    /// user's file. `is_global` tells which names the global layer has.
    pub fn drop_copies(&mut self, is_global: impl Fn(&str) -> bool) {
        self.remotes.retain(|name, entry| !entry.system || entry.token.is_some() || !is_global(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn sample() -> Config {
        let system = Endpoint { system: true, ..Endpoint::default() };
        let token = Some(Secret::new("t".into()));
        Config {
            active: "a".into(),
            remotes: [
                ("a".to_string(), Endpoint::default()),
                ("copy".to_string(), system.clone()),
                ("held".to_string(), Endpoint { token, ..system.clone() }),
                ("leftover".to_string(), system),
            ]
            .into(),
            ..Config::default()
        }
    }

    #[test]
    fn removing_the_default_leaves_none() {
        let mut config = sample();
        assert!(config.remove("a").is_some());
        assert_eq!(config.active, "");
        assert!(config.remove("a").is_none());
    }

    #[test]
    fn renaming_keeps_everything_but_the_name() {
        let mut config = sample();
        assert!(config.rename("a", "b") && config.rename("held", "kept") && !config.rename("nosuch", "c"));
        assert_eq!(config.active, "b");
        assert_eq!(config.remotes.keys().collect::<Vec<_>>(), ["b", "copy", "kept", "leftover"]);
        assert!(config.remotes["kept"].token.is_some());
    }

    #[test]
    fn at_most_one_remote_is_exclusive() {
        let mut config = sample();
        assert_eq!(config.exclusive(), None);
        assert!(config.set_exclusive(Some("a")).is_empty());
        assert_eq!(config.exclusive(), Some("a"));
        assert_eq!(config.set_exclusive(Some("copy")), ["a"]);
        assert_eq!(config.set_exclusive(None), ["copy"]);
    }

    #[test]
    fn copies_of_global_remotes_go_but_not_their_tokens() {
        let mut config = sample();
        config.drop_copies(|name| name != "leftover");
        assert_eq!(config.remotes.keys().collect::<Vec<_>>(), ["a", "held", "leftover"]);
    }
}
