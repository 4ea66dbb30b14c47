//! The content of an auth file: `docker-config.json` as docker, podman, skopeo and Apptainer write it.
//!
//! Only what a login is about is looked at. Everything else (unknown keys, other logins, the order of keys,
//! numbers as they are written) is kept.

use crate::secret::Secret;
use crate::uri::{ServiceUri, public};
use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use zeroize::Zeroizing;

/// The key under which docker keeps Docker Hub.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Base64 as Go reads it: bits after the last byte do not matter. (Line ends do not either; see [`is_login`].)
const GO_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What an entry of `auths` says that a login replaces.
const LOGIN_KEYS: [&str; 5] = ["auth", "username", "password", "identitytoken", "registrytoken"];

/// The content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Document(Map<String, Value>);

/// Without the content, which holds secrets.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(&self.registries()).finish()
    }
}

/// What an entry of `auths` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A password or token.
    Secret,
    /// Nothing: a credential helper keeps the secret.
    Empty,
    /// An `auth` that is no base64 of `user:password`, or a value that is no text: docker refuses the whole file
    /// for it.
    Broken,
}

/// Who keeps a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper<'a> {
    /// The file.
    File,
    /// The helper of this suffix.
    Helper(&'a str),
}

/// The registry of a key of the file: its host and port, Docker Hub by one name.
fn registry_of(key: &str) -> Option<ServiceUri> {
    let bare = ["https://", "http://"].iter().find_map(|scheme| key.strip_prefix(scheme)).unwrap_or(key);
    ServiceUri::from_stored(&format!("docker://{bare}"))
}

/// The part of its registry that a key of the file names: `/path` for `host/path`, as podman writes them; none for
/// `host`, `https://host/v1/` and the like, which name the whole registry.
fn part_of(key: &str, own: &ServiceUri) -> String {
    if key.contains("://") { String::new() } else { own.path().to_string() }
}

/// Whether a key of the file names this registry, or this part of one.
fn names(key: &str, registry: &ServiceUri) -> bool {
    registry_of(key).is_some_and(|own| same_host(&own, registry) && part_of(key, &own) == registry.path())
}

/// `host` and `host:443` are one server, but two keys, and the real programs know only the one that the
/// reference of an image spells.
fn same_host(a: &ServiceUri, b: &ServiceUri) -> bool {
    a.same_server(b) && (a.is_docker_hub() || a.authority() == b.authority())
}

/// Whether a login to one is a login to the other: the same registry for docker and oras, and the same part of it.
pub fn is_same_login(a: &ServiceUri, b: &ServiceUri) -> bool {
    same_host(a, b) && a.path() == b.path()
}

/// The key of a registry's entry, or of a part of one.
pub fn key_of(registry: &ServiceUri) -> String {
    match registry.path() {
        "" if registry.is_docker_hub() => HUB_KEY.to_string(),
        path => format!("{}{path}", registry.authority()),
    }
}

impl Document {
    /// Reads a file; a missing or blank one is empty.
    ///
    /// # Errors
    /// `LINE:COLUMN: what is wrong`, or the key whose value is of the wrong type. Holds nothing of the values.
    pub fn parse(bytes: Option<&[u8]>) -> Result<Self, String> {
        let bytes = bytes.unwrap_or_default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        // The words of the JSON library, without the place that it names in its own way.
        let named = |error: serde_json::Error| {
            let words = error.to_string();
            let words = words.split(" at line ").next().unwrap_or_default();
            format!("{}:{}: {words}", error.line(), error.column())
        };
        let value: Value = serde_json::from_slice(bytes).map_err(named)?;
        let _: NoDuplicates = serde_json::from_slice(bytes).map_err(named)?;
        let Value::Object(map) = value else { return Err("1:1: this is no JSON object".into()) };
        let document = Self(map);
        for key in ["auths", "credHelpers", "credsStore"] {
            // docker reads both, and a write would have to choose.
            if document.0.keys().filter(|own| own.eq_ignore_ascii_case(key)).count() > 1 {
                return Err(format!("{key}: this stands there twice, in other letters"));
            }
        }
        document.check()?;
        Ok(document)
    }

    /// Refuses what a login or a logout could not change without losing it.
    fn check(&self) -> Result<(), String> {
        let wrong = |key: &str, wanted: &str| Err(format!("{key}: this must be {wanted}"));
        for (key, entry) in self.map("auths")? {
            if !(entry.is_object() || entry.is_null()) {
                return wrong(&format!("auths.{}", public(key)), "an object");
            }
        }
        for (key, suffix) in self.map("credHelpers")? {
            if !(suffix.is_string() || suffix.is_null()) {
                return wrong(&format!("credHelpers.{}", public(key)), "a text");
            }
        }
        match self.get("credsStore") {
            None | Some(Value::Null | Value::String(_)) => Ok(()),
            Some(_) => wrong("credsStore", "a text"),
        }
    }

    /// The members of an object that may be missing.
    fn map(&self, key: &str) -> Result<impl Iterator<Item = (&String, &Value)>, String> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None.into_iter().flatten()),
            Some(Value::Object(map)) => Ok(Some(map).into_iter().flatten()),
            Some(_) => Err(format!("{key}: this must be an object")),
        }
    }

    /// As docker reads it: a key in other letters will do where the right one is missing.
    fn get(&self, key: &str) -> Option<&Value> {
        let other = || self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        self.0.get(key).or_else(other)
    }

    /// The text for the file, indented as docker indents it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"\t"));
        self.0.serialize(&mut serializer).expect("JSON that was read can be written");
        bytes.push(b'\n');
        bytes
    }

    /// The suffix of the credential helper that keeps the login to this registry, if one does. Helpers keep none to
    /// a part of a registry.
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

    /// Whether any helper is named at all.
    pub fn names_helpers(&self) -> bool {
        self.get("credsStore").is_some_and(|store| store.as_str().is_some_and(|text| !text.is_empty()))
            || self.map("credHelpers").is_ok_and(|mut helpers| helpers.next().is_some())
    }

    /// The suffixes of all helpers that are named.
    pub fn helpers(&self) -> BTreeSet<&str> {
        let own = self.map("credHelpers").into_iter().flatten().map(|(_, suffix)| suffix);
        own.chain(self.get("credsStore"))
            .filter_map(Value::as_str)
            .filter(|suffix| !suffix.is_empty())
            .collect()
    }

    /// Who has the login to this registry, as far as the file tells. A helper gets an entry in `auths`, without
    /// a secret, when it is given a login: that it is configured is not enough.
    pub fn keeper(&self, registry: &ServiceUri) -> Option<Keeper<'_>> {
        match (self.helper_for(registry), self.entry_of(registry)?) {
            (Some(suffix), _) => Some(Keeper::Helper(suffix)),
            (None, Entry::Secret | Entry::Broken) => Some(Keeper::File),
            (None, Entry::Empty) => None,
        }
    }

    /// The registries that only a helper of their own answers for, and those with an entry, as addresses.
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

    /// The keys of `auths` that name this registry, in the file's order.
    pub fn keys_of(&self, registry: &ServiceUri) -> Vec<&str> {
        let entries = self.map("auths").into_iter().flatten();
        entries.map(|(key, _)| key.as_str()).filter(|key| names(key, registry)).collect()
    }

    /// The keys of `auths` that name a part of this registry (`host/path`), or of this part.
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

    /// What the entry under `key` holds.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        let entry = self.get("auths")?.as_object()?.get(key)?;
        // In whatever letters, as Go finds them.
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
            // A name alone opens nothing.
            None if ["password", "identitytoken", "registrytoken"]
                .iter()
                .any(|name| text(name).is_some()) =>
            {
                Entry::Secret
            }
            None => Entry::Empty,
        })
    }

    /// Whether any entry holds a password or token.
    pub fn holds_secret(&self) -> bool {
        let mut keys = self.map("auths").into_iter().flatten();
        keys.any(|(key, _)| matches!(self.entry(key), Some(Entry::Secret | Entry::Broken)))
    }

    /// The first entry of this registry, in whatever words: what a program that looks for it finds.
    pub fn entry_of(&self, registry: &ServiceUri) -> Option<Entry> {
        let key = key_of(registry);
        let keys = self.keys_of(registry);
        self.entry(&key).or_else(|| keys.iter().find_map(|key| self.entry(key)))
    }

    /// Puts a login into the file: `auth` in base64, or nothing where a helper keeps it. What the entry
    /// says besides stays; entries of the same registry under other names go, since some programs would
    /// look there first.
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
        let entry = entry.as_object_mut().expect("made one");
        entry.retain(|name, _| !is_login_key(name));
        if let Some(auth) = auth {
            entry.insert("auth".into(), auth.expose().into());
        }
    }

    /// Takes out every entry of this registry. Returns their keys.
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
        auths.as_object_mut().expect("checked when it was read")
    }
}

/// Nothing of a JSON text but that no key stands in it twice: the JSON library would keep the last one alone,
/// so that a write would lose what docker and podman read.
struct NoDuplicates;

impl<'de> Deserialize<'de> for NoDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = access.next_key::<String>()? {
            let _: Self = access.next_value()?;
            if let Some(key) = seen.replace(key) {
                return Err(serde::de::Error::custom(format!("{:?} stands there twice", public(&key))));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self, A::Error> {
        while access.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

/// Whether a field of an entry is about the login, in whatever letters.
fn is_login_key(name: &str) -> bool {
    LOGIN_KEYS.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether `auth` is base64 of `user:password`, the user not empty, by docker's rules: `base64` wraps its lines, and
/// Go skips line ends.
fn is_login(auth: &str) -> bool {
    let text = Zeroizing::new(auth.replace(['\r', '\n'], ""));
    let login = GO_BASE64.decode(text.as_bytes()).map(Zeroizing::new);
    login.is_ok_and(|bytes| bytes.iter().position(|byte| *byte == b':').is_some_and(|at| at > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn uri(text: &str) -> ServiceUri {
        ServiceUri::from_stored(text).unwrap()
    }

    fn read(text: &str) -> Document {
        Document::parse(Some(text.as_bytes())).unwrap()
    }

    fn secret() -> Secret {
        Secret::new(STANDARD.encode("ada:pw"))
    }

    #[test]
    fn what_a_login_is_not_about_stays_as_it_is() {
        let text = r#"{"HttpHeaders":{"b":1.50,"a":1e+400},"auths":{"z.example":{"auth":"eDp5","email":"x"},"a.example":{"identitytoken":"t"}},"detachKeys":"é","n":123456789012345678901234567890}"#;
        let mut document = read(text);
        document.store(&uri("docker://z.example"), Some(&secret()));
        let written = String::from_utf8(document.to_bytes()).unwrap();
        let login = format!(r#"{{"email":"x","auth":"{}"}}"#, secret().expose());
        let expected = text.replace(r#"{"auth":"eDp5","email":"x"}"#, &login);
        assert_eq!(written.replace(['\n', '\t'], "").replace("\": ", "\":"), expected);
        assert!(written.starts_with("{\n\t\"HttpHeaders\""), "{written}");
        assert_eq!(document.remove(&uri("docker://a.example")), ["a.example"]);
        assert_eq!(document.registries(), ["docker://z.example"]);
    }

    #[test]
    fn each_registry_is_named_once_however_many_there_are() {
        let entry = |at: usize| format!("\"h{at}.example\":{{}},\"https://h{at}.example/v1/\":{{}}");
        let entries: Vec<String> = (0..20_000).map(entry).collect();
        let all = read(&format!("{{\"auths\":{{{}}}}}", entries.join(","))).registries();
        assert_eq!((all.len(), all[19_999].as_str()), (20_000, "docker://h19999.example"));
    }

    #[test]
    fn a_file_that_is_none_is_named_by_line_and_column() {
        for (text, expected) in [
            ("{\n\"auths\": {,}}", "2:11: key must be a string"),
            ("[]", "1:1: this is no JSON object"),
            ("{\"auths\": []}", "auths: this must be an object"),
            ("{\"auths\": {\"h\": \"canary\"}}", "auths.h: this must be an object"),
            ("{\"credHelpers\": {\"h\": 1}}", "credHelpers.h: this must be a text"),
            ("{\"credsStore\": {}}", "credsStore: this must be a text"),
            ("{\"n\": 1.5, \"auths\": {}, \"auths\": {}}", "1:36: \"auths\" stands there twice"),
            ("{\"auths\": {\"h\": {},\n \"h\": {}}}", "2:9: \"h\" stands there twice"),
            ("{\"auths\": {}, \"Auths\": {}}", "auths: this stands there twice, in other letters"),
            ("{\"auths\": {\"h\": {\"auth\": \"canary", "1:32: EOF while parsing a string"),
        ] {
            assert_eq!(Document::parse(Some(text.as_bytes())), Err(expected.into()), "{text}");
        }
        for empty in [None, Some(&b""[..]), Some(b" \n"), Some(b"{}")] {
            assert_eq!(Document::parse(empty), Ok(Document::default()));
        }
    }

    #[test]
    fn one_registry_in_other_words() {
        let text = r#"{"auths":{"docker.io":{"auth":"eDp5"},"https://index.docker.io/v1/":{},"https://H.example/v2/":{"auth":"eDp5"},"h.example:444":{},"h.example/team":{}}}"#;
        let mut document = read(text);
        assert_eq!(document.keys_of(&uri("oras://docker.io")), ["docker.io", HUB_KEY]);
        assert_eq!(document.keys_of(&uri("docker://h.example")), ["https://H.example/v2/"]);
        assert_eq!(document.keys_below(&uri("docker://h.example")), ["h.example/team"]);
        document.store(&uri("docker://index.docker.io"), Some(&secret()));
        assert_eq!(document.keys_of(&uri("docker://docker.io")), [HUB_KEY]);
        assert_eq!(
            document.registries(),
            ["docker://docker.io", "docker://h.example", "docker://h.example:444", "docker://h.example/team"]
        );
    }

    #[test]
    fn a_port_makes_another_key_even_the_default_one() {
        let mut document = read(
            r#"{"auths":{"h":{"auth":"eDp5"},"h:443":{"auth":"eDp5"},"h:443/x":{},"h/y":{}},"credHelpers":{"h":"one"}}"#,
        );
        for (registry, keys, below) in [("docker://h", "h", "h/y"), ("docker://h:443", "h:443", "h:443/x")] {
            assert_eq!(document.keys_of(&uri(registry)), [keys]);
            assert_eq!(document.keys_below(&uri(registry)), [below]);
        }
        assert_eq!(document.helper_for(&uri("docker://h:443")), None);
        assert_eq!(document.remove(&uri("docker://h:443")), ["h:443"]);
        assert_eq!(document.entry_of(&uri("docker://h")), Some(Entry::Secret));
        assert_eq!(document.entry_of(&uri("docker://h:443")), None);
        let hub = read(r#"{"auths":{"docker.io:443":{}}}"#);
        assert_eq!(
            hub.keys_of(&uri("docker://docker.io")),
            ["docker.io:443"],
            "Docker Hub has no other port"
        );
    }

    #[test]
    fn entries() {
        for (entry, expected) in [
            (r#"{"auth":"eDp5"}"#, Entry::Secret),
            (r#"{"identitytoken":"x"}"#, Entry::Secret),
            (r#"{"username":"x","password":"y"}"#, Entry::Secret),
            (r#"{"auth":"","email":"x"}"#, Entry::Empty),
            ("{}", Entry::Empty),
            ("null", Entry::Empty),
            (r#"{"username":"x"}"#, Entry::Empty),
            (r#"{"auth":null,"identitytoken":null}"#, Entry::Empty),
            // In lines, as base64 wraps them, and with bits after the last byte, as Go takes it.
            (r#"{"auth":"YWRh\r\nOnA=\n"}"#, Entry::Secret),
            (r#"{"auth":"YWRhOnB="}"#, Entry::Secret),
            (r#"{"Auth":"eDp5","EMAIL":"x"}"#, Entry::Secret),
            (r#"{"IdentityToken":"x"}"#, Entry::Secret),
            (r#"{"auth":"eDo=","identitytoken":"x"}"#, Entry::Secret),
            (r#"{"auth":"no base64"}"#, Entry::Broken),
            (r#"{"auth":"YWRhOnA"}"#, Entry::Broken),
            (r#"{"auth":"\n"}"#, Entry::Broken),
            (r#"{"auth":"bm9jb2xvbg=="}"#, Entry::Broken),
            (r#"{"auth":"OnB3"}"#, Entry::Broken),
            (r#"{"auth":7}"#, Entry::Broken),
            (r#"{"auth":"eDp5","password":["y"]}"#, Entry::Broken),
        ] {
            let document = read(&format!("{{\"auths\":{{\"h\":{entry}}}}}"));
            assert_eq!(document.entry_of(&uri("docker://h")), Some(expected), "{entry}");
        }
        assert_eq!(read("{}").entry_of(&uri("docker://h")), None);
        let mut document = read(r#"{"auths":{"h":{"AUTH":"OnB3","Password":7,"Email":"x"}}}"#);
        document.store(&uri("docker://h"), Some(&secret()));
        assert_eq!(document, read(r#"{"auths":{"h":{"Email":"x","auth":"YWRhOnB3"}}}"#));
    }

    #[test]
    fn a_part_of_a_registry_is_a_login_of_its_own() {
        let text = r#"{"auths":{"h/a":{"auth":"eDp5"},"h/a/b/":{"auth":"eDp5"},"h/ab":{"auth":"eDp5"},"https://h/a":{},"docker.io/a":{"auth":"eDp5"}}}"#;
        let mut document = read(text);
        assert_eq!(document.keys_of(&uri("docker://h/a")), ["h/a"]);
        assert_eq!(document.keys_of(&uri("oras://h/a/b")), ["h/a/b/"]);
        assert_eq!(document.keys_of(&uri("docker://h")), ["https://h/a"]);
        assert_eq!(document.keys_below(&uri("docker://h")), ["h/a", "h/a/b/", "h/ab"]);
        assert_eq!(document.keys_below(&uri("docker://h/a")), ["h/a/b/"]);
        assert_eq!(document.entry_of(&uri("docker://h/a")), Some(Entry::Secret));
        assert_eq!(document.entry_of(&uri("docker://h")), Some(Entry::Empty));
        assert_eq!(document.entry_of(&uri("docker://h/none")), None);
        let all = ["docker://h/a", "docker://h/a/b", "docker://h/ab", "docker://h", "docker://docker.io/a"];
        assert_eq!(document.registries(), all);
        assert_eq!(document.remove(&uri("docker://docker.io/a")), ["docker.io/a"]);
        assert_eq!(document.remove(&uri("docker://h/a")), ["h/a"]);
        assert_eq!(document.keys_below(&uri("docker://h")), ["h/a/b/", "h/ab"]);
    }

    #[test]
    fn who_keeps_a_login() {
        let document = read(
            r#"{"auths":{"file":{"auth":"eDp5"},"own":{},"none":{"email":"x"},"own/part":{"auth":"eDp5"}},"credHelpers":{"own":"a","alone":"b","none":null}}"#,
        );
        for (registry, keeper) in [
            ("file", Some(Keeper::File)),
            ("own", Some(Keeper::Helper("a"))),
            ("own/part", Some(Keeper::File)),
            ("none", None),
            ("alone", None),
            ("elsewhere", None),
        ] {
            assert_eq!(document.keeper(&uri(&format!("docker://{registry}"))), keeper, "{registry}");
        }
        assert_eq!(document.helpers(), BTreeSet::from(["a", "b"]));
        let store = read(r#"{"auths":{"h":{}},"credsStore":"all"}"#);
        assert_eq!(store.keeper(&uri("docker://h")), Some(Keeper::Helper("all")));
        assert_eq!((store.keeper(&uri("docker://other")), store.helpers()), (None, BTreeSet::from(["all"])));
        assert!(read(r#"{"credsStore":"","credHelpers":{"h":""}}"#).helpers().is_empty());
    }

    #[test]
    fn which_helper() {
        let document = read(r#"{"credHelpers":{"h":"own","plain":"","docker.io":"hub"},"CREDSSTORE":"all"}"#);
        let helper = |text: &str| document.helper_for(&uri(text));
        assert_eq!(helper("docker://h"), Some("own"));
        assert_eq!(helper("docker://plain"), None, "the file itself");
        assert_eq!(helper("docker://index.docker.io"), Some("hub"));
        assert_eq!(helper("docker://other"), Some("all"));
        assert!(document.names_helpers() && !read(r#"{"credsStore":""}"#).names_helpers());
    }

    proptest! {
        #[test]
        fn no_text_panics(bytes: Vec<u8>, text in r#"[{}\[\]:," a-z"]{0,40}"#) {
            let _ = Document::parse(Some(&bytes));
            let _ = Document::parse(Some(text.as_bytes()));
        }

        #[test]
        fn a_login_changes_no_other(keys in proptest::collection::vec("[a-c]{1,2}(\\.d)?(:[12])?", 0..6), own in "[a-c]\\.d") {
            let entries = keys.iter().map(|key| (key.clone(), serde_json::json!({"auth": "eDp5", "k": key})));
            let auths: Map<String, Value> = entries.collect();
            let before = read(&serde_json::json!({ "auths": auths, "x": 1 }).to_string());
            let registry = uri(&format!("docker://{own}"));
            let mut after = before.clone();
            after.store(&registry, Some(&secret()));
            prop_assert_eq!(after.entry(&own), Some(Entry::Secret));
            after.remove(&registry);
            let mut without = before.clone();
            without.remove(&registry);
            prop_assert_eq!(after, without);
        }
    }
}
