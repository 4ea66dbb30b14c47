//! The content of an auth file: the `config.json` or `docker-config.json` that Docker, Podman, Skopeo and Apptainer
//! share.
//!
//! Only fields related to the login are read and changed. Everything else is kept: unknown keys, other logins, the
//! order of keys, and the spelling of numbers.

use super::duplicates::NoDuplicates;
use super::key::{key_of, names, part_of, registry_of, same_host};
use crate::secret::Secret;
use crate::uri::{ServiceUri, public};
use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// Base64 as Go decodes it: trailing bits are ignored. Line breaks are ignored too, see [`is_login`].
const GO_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The fields of an entry in `auths` that a login replaces.
const LOGIN_KEYS: [&str; 5] = ["auth", "username", "password", "identitytoken", "registrytoken"];

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document(Map<String, Value>);

/// Omits the content, which contains secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.registries()).finish()
    }
}

/// The content of an entry in `auths`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A password or token.
    Secret,
    /// No secret, as if a credential helper stores it.
    Empty,
    /// An `auth` field that is not base64 of `user:password`, or a field that is not a string. Docker rejects the whole
    /// file because of it.
    Broken,
}

/// Where a login is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper<'a> {
    File,
    /// The credential helper with this suffix.
    Helper(&'a str),
}

impl Document {
    /// Parses a file. A missing or blank file is an empty document.
    ///
    /// # Errors
    /// `LINE:COLUMN: MESSAGE`, or `KEY: MESSAGE` for a value of the wrong type. Never contains values.
    pub fn parse(bytes: Option<&[u8]>) -> Result<Self, String> {
        let bytes = bytes.unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        // The message of the JSON library, with the position in our own format.
        let named = |error: serde_json::Error| {
            let words = error.to_string();
            let words = words.split(" at line ").next().unwrap_or_default();
            format!("{}:{}: {words}", error.line(), error.column())
        };
        let value: Value = serde_json::from_slice(bytes).map_err(named)?;
        let _: NoDuplicates = serde_json::from_slice(bytes).map_err(named)?;
        let Value::Object(map) = value else { return Err("1:1: expected a JSON object".into()) };
        let document = Self(map);
        for key in ["auths", "credHelpers", "credsStore"] {
            // Docker reads both, so a write would have to choose one.
            if document.0.keys().filter(|own| own.eq_ignore_ascii_case(key)).count() > 1 {
                return Err(format!("{key}: duplicate key that differs only in case"));
            }
        }
        document.check()?;
        Ok(document)
    }

    /// Rejects values of the wrong type, which a login or logout would destroy.
    fn check(&self) -> Result<(), String> {
        let wrong = |key: &str, wanted: &str| Err(format!("{key}: expected {wanted}"));
        for (key, entry) in self.map("auths")? {
            if !(entry.is_object() || entry.is_null()) {
                return wrong(&format!("auths.{}", public(key)), "an object");
            }
        }
        for (key, suffix) in self.map("credHelpers")? {
            if !(suffix.is_string() || suffix.is_null()) {
                return wrong(&format!("credHelpers.{}", public(key)), "a string");
            }
        }
        match self.get("credsStore") {
            None | Some(Value::Null | Value::String(_)) => Ok(()),
            Some(_) => wrong("credsStore", "a string"),
        }
    }

    /// The members of the object under `key`. None if the key is missing or null.
    fn map(&self, key: &str) -> Result<impl Iterator<Item = (&String, &Value)>, String> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None.into_iter().flatten()),
            Some(Value::Object(map)) => Ok(Some(map).into_iter().flatten()),
            Some(_) => Err(format!("{key}: expected an object")),
        }
    }

    /// Looks up a key as Docker does: if there is no exact match, a key that differs only in case is used.
    fn get(&self, key: &str) -> Option<&Value> {
        let other = || self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        self.0.get(key).or_else(other)
    }

    /// The content of the file, indented like Docker's.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
        self.0.serialize(&mut serializer).expect("JSON that was read can be written");
        bytes.push(b'\n');
        bytes
    }

    /// The suffix of the credential helper configured for this registry. `None` for a path in a registry: helpers store
    /// logins only for whole registries.
    pub fn helper_for(&self, registry: &ServiceUri) -> Option<&str> {
        if !registry.path().is_empty() {
            return None;
        }
        let helpers: Vec<_> = self.map("credHelpers").into_iter().flatten().collect();
        let exact = helpers.iter().find(|(key, _)| **key == key_of(registry));
        let own = exact.or_else(|| helpers.iter().find(|(key, _)| names(key, registry)));
        let suffix = match own {
            Some((_, suffix)) => suffix.as_str(),
            None => self.get("credsStore").and_then(Value::as_str),
        };
        suffix.filter(|suffix| !suffix.is_empty())
    }

    /// The suffixes of all configured helpers.
    pub fn helpers(&self) -> BTreeSet<&str> {
        let own = self.map("credHelpers").into_iter().flatten().map(|(_, suffix)| suffix);
        own.chain(self.get("credsStore"))
            .filter_map(Value::as_str)
            .filter(|suffix| !suffix.is_empty())
            .collect()
    }

    /// Where the login to this registry is stored, according to the file. For a login stored by a helper, `auths` has
    /// an entry without a secret. A configured helper without such an entry does not count.
    pub fn keeper(&self, registry: &ServiceUri) -> Option<Keeper<'_>> {
        match (self.helper_for(registry), self.entry_of(registry)?) {
            (Some(suffix), _) => Some(Keeper::Helper(suffix)),
            (None, Entry::Secret | Entry::Broken) => Some(Keeper::File),
            (None, Entry::Empty) => None,
        }
    }

    /// All registries with an entry in `auths` or a helper in `credHelpers`, as URIs without duplicates.
    pub fn registries(&self) -> Vec<String> {
        let entries = self.map("auths").into_iter().flatten();
        let helpers = self.map("credHelpers").into_iter().flatten();
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        for (key, _) in entries.chain(helpers) {
            let uri = match registry_of(key) {
                Some(uri) if uri.is_docker_hub() => format!("docker://docker.io{}", part_of(key, &uri)),
                Some(uri) => format!("docker://{}{}", uri.authority(), part_of(key, &uri)),
                None => continue,
            };
            if seen.insert(uri.clone()) {
                all.push(uri);
            }
        }
        all
    }

    /// The keys of `auths` for this registry, in the order of the file.
    pub fn keys_of(&self, registry: &ServiceUri) -> Vec<&str> {
        let entries = self.map("auths").into_iter().flatten();
        entries.map(|(key, _)| key.as_str()).filter(|key| names(key, registry)).collect()
    }

    /// The keys of `auths` for paths below this registry or below this path of a registry (`host/path`).
    pub fn keys_below(&self, registry: &ServiceUri) -> Vec<&str> {
        let below = |key: &str| {
            registry_of(key).is_some_and(|own| {
                let part = part_of(key, &own);
                let rest = part.strip_prefix(registry.path());
                same_host(&own, registry) && rest.is_some_and(|rest| rest.starts_with('/'))
            })
        };
        let entries = self.map("auths").into_iter().flatten();
        entries.map(|(key, _)| key.as_str()).filter(|key| below(key)).collect()
    }

    /// The content of the entry under `key`.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        let entry = self.get("auths")?.as_object()?.get(key)?;
        // Names of fields are case-insensitive, as in Go.
        let fields = entry.as_object().into_iter().flatten();
        let fields: Vec<_> = fields.filter(|(name, _)| is_login_key(name)).collect();
        let text = |name: &str| {
            let named = fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            named.filter_map(|(_, value)| value.as_str()).find(|text| !text.is_empty())
        };
        Some(match text("auth") {
            _ if fields.iter().any(|(_, value)| !(value.is_string() || value.is_null())) => Entry::Broken,
            Some(auth) if !is_login(auth) => Entry::Broken,
            Some(_) => Entry::Secret,
            // A username alone is not a secret.
            None if ["password", "identitytoken", "registrytoken"]
                .iter()
                .any(|name| text(name).is_some()) =>
            {
                Entry::Secret
            }
            None => Entry::Empty,
        })
    }

    /// Whether any entry contains a password or token. A broken entry counts, since it may contain one.
    pub fn holds_secret(&self) -> bool {
        let mut keys = self.map("auths").into_iter().flatten();
        keys.any(|(key, _)| matches!(self.entry(key), Some(Entry::Secret | Entry::Broken)))
    }

    /// The entry that a program finds for this registry: the one under its usual key, or else the first one under
    /// another key for it.
    pub fn entry_of(&self, registry: &ServiceUri) -> Option<Entry> {
        let key = key_of(registry);
        let keys = self.keys_of(registry);
        self.entry(&key).or_else(|| keys.iter().find_map(|key| self.entry(key)))
    }

    /// Stores a login: `auth` in base64, or `None` if a helper stores the secret. Other fields of the entry are kept.
    /// Entries for the same registry under other keys are removed, because some programs would find them first.
    pub fn store(&mut self, registry: &ServiceUri, auth: Option<&Secret>) {
        let key = key_of(registry);
        let others: Vec<String> =
            self.keys_of(registry).into_iter().filter(|own| *own != key).map(String::from).collect();
        let auths = self.auths();
        others.iter().for_each(|other| drop(auths.shift_remove(other)));
        let entry = auths.entry(key).or_insert(Value::Null);
        if !entry.is_object() {
            *entry = Value::Object(Map::new());
        }
        let entry = entry.as_object_mut().expect("set to an object above");
        entry.retain(|name, _| !is_login_key(name));
        if let Some(auth) = auth {
            entry.insert("auth".into(), auth.expose().into());
        }
    }

    /// Removes every entry for this registry. Returns their keys.
    pub fn remove(&mut self, registry: &ServiceUri) -> Vec<String> {
        let keys: Vec<String> = self.keys_of(registry).into_iter().map(String::from).collect();
        if !keys.is_empty() {
            let auths = self.auths();
            keys.iter().for_each(|key| drop(auths.shift_remove(key)));
        }
        keys
    }

    fn auths(&mut self) -> &mut Map<String, Value> {
        let key = match self.0.contains_key("auths") {
            true => "auths".to_string(),
            false => {
                self.0.keys().find(|key| key.eq_ignore_ascii_case("auths")).cloned().unwrap_or("auths".into())
            }
        };
        let auths = self.0.entry(key).or_insert(Value::Null);
        if auths.is_null() {
            *auths = Value::Object(Map::new());
        }
        auths.as_object_mut().expect("checked by parse")
    }
}

/// Whether a field of an entry belongs to the login, ignoring case.
fn is_login_key(name: &str) -> bool {
    LOGIN_KEYS.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether `auth` is base64 of `user:password` with a non-empty user, by Docker's rules. Line breaks are allowed: the
/// `base64` tool inserts them, and Go ignores them.
fn is_login(auth: &str) -> bool {
    let text = Zeroizing::new(auth.replace(['\r', '\n'], ""));
    let login = GO_BASE64.decode(text.as_bytes()).map(Zeroizing::new);
    login.is_ok_and(|bytes| bytes.iter().position(|byte| *byte == b':').is_some_and(|at| at > 0))
}

#[cfg(test)]
mod tests;
