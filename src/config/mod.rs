//! The content of one `remote.yaml`, and the changes that commands make to it.
//!
//! `file` reads and writes the file, `yaml` knows the format, `layers` merges two files. The rest is pure: it uses no
//! file, clock or network.

pub(crate) mod endpoint;
pub(crate) mod file;
mod keyservers;
pub mod layers;
pub mod yaml;

use crate::persona::Persona;
pub use endpoint::{Credential, Endpoint, Keyserver};
use std::collections::BTreeMap;

/// One layer, which is the content of the user's or the global file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The default remote that this layer sets, or empty.
    pub active: String,
    /// By name, in byte order like the output of `remote list`. In the file, `yaml` writes them in Go's natural order.
    pub remotes: BTreeMap<String, Endpoint>,
    /// Oldest login first.
    pub credentials: Vec<Credential>,
}

impl Config {
    /// The global layer if there is no global file.
    pub fn built_in(persona: Persona) -> Self {
        let (name, host) = persona.built_in_remote();
        let endpoint = Endpoint { uri: host.into(), system: true, ..Endpoint::default() };
        Self { active: name.into(), remotes: [(name.to_string(), endpoint)].into(), ..Self::default() }
    }

    /// Whether it contains a token or password.
    pub fn holds_secret(&self) -> bool {
        self.remotes.values().any(|endpoint| endpoint.token.is_some())
            || self.credentials.iter().any(|login| login.auth.is_some())
    }

    /// Removes the remote `name`. If it was the default, no default is left.
    pub fn remove(&mut self, name: &str) -> Option<Endpoint> {
        if self.active == name {
            self.active.clear();
        }
        self.remotes.remove(name)
    }

    /// Renames the remote `old`. If it was the default, it stays the default. Returns whether `old` existed. `new` must
    /// not exist yet.
    pub fn rename(&mut self, old: &str, new: &str) -> bool {
        let Some(endpoint) = self.remotes.remove(old) else { return false };
        self.remotes.insert(new.into(), endpoint);
        if self.active == old {
            self.active = new.into();
        }
        true
    }

    /// The exclusive remote. If the file marks several, the first one.
    pub fn exclusive(&self) -> Option<&str> {
        self.remotes.iter().find(|(_, endpoint)| endpoint.exclusive).map(|(name, _)| name.as_str())
    }

    /// Makes `name` the only exclusive remote. `None` makes no remote exclusive. Returns the names of the remotes that
    /// are no longer exclusive.
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

    /// Drops entries that only repeat a global remote. The real programs leave such copies in a user's file.
    /// `is_global` returns whether the global layer has a remote of that name.
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
    fn removing_the_default_remote_clears_the_default() {
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
    fn copies_of_global_remotes_are_dropped_unless_they_have_a_token() {
        let mut config = sample();
        config.drop_copies(|name| name != "leftover");
        assert_eq!(config.remotes.keys().collect::<Vec<_>>(), ["a", "held", "leftover"]);
    }
}
