//! A tree → [`Config`], as Go's reader takes it into Apptainer's structures.

use super::parsed::{Parsed, UnknownKey, YamlError};
use super::tree::{MOST_DEPTH, Node, Shape, fail, parse, too_deep, too_much};
use crate::config::{Config, Credential, Endpoint, Keyserver};
use crate::secret::Secret;
use std::collections::BTreeSet;

/// Aliases make a small text say much: each value taken costs one of these.
const MOST_STEPS: usize = 4_000_000;
/// And all texts taken together are at most this many times longer than the file, and 1 MiB: without aliases
/// they are shorter than it.
const MOST_GROWTH: usize = 8;
/// Of remotes, and of keys in one mapping. More is no configuration.
const MOST_KEYS: usize = 100_000;
/// Of keyservers and logins in all: one for each remote, and some room.
const MOST_ITEMS: usize = 200_000;
/// Of unknown keys and of concerns, each: the others are counted.
const MOST_TOLD: usize = 100;

type Pairs<'t> = Vec<(&'t str, Node<'t>, Node<'t>)>;

/// Reads a layer.
///
/// # Errors
/// With line, column and key; see [`YamlError`].
pub fn read(bytes: &[u8]) -> Result<Parsed, YamlError> {
    let tree = parse(bytes)?;
    let mut reader = Reader { most_text: bytes.len() * (MOST_GROWTH + 1) + (1 << 20), ..Reader::default() };
    match tree.root() {
        Some(root) if !root.is_null() => reader.config(root)?,
        // `~` is an empty layer to the real programs, a file of comments is an error.
        None if !bytes.is_empty() => {
            reader.concern(None, "the file holds nothing but blank lines or comments")
        }
        _ => {}
    }
    Ok(reader.parsed)
}

#[derive(Default)]
struct Reader {
    parsed: Parsed,
    /// The keys above.
    path: Vec<String>,
    steps: usize,
    items: usize,
    /// Bytes of all texts taken so far, and how many they may become.
    text: usize,
    most_text: usize,
}

impl Reader {
    fn config(&mut self, root: Node) -> Result<(), YamlError> {
        let mut config = Config::default();
        self.fields(root, |reader, key, at, value| {
            match key {
                "Active" => config.active = reader.text(value)?,
                "Remotes" if value.is_null() => reader.concern(Some(at), "there is nothing under it"),
                "Remotes" => reader.remotes(value, &mut config)?,
                "Credentials" => config.credentials = reader.list(value, Self::credential)?,
                _ => reader.unknown(at),
            }
            Ok(())
        })?;
        self.parsed.config = config;
        Ok(())
    }

    fn remotes(&mut self, value: Node, config: &mut Config) -> Result<(), YamlError> {
        let pairs = self.pairs(value)?;
        for (name, at, value) in pairs {
            self.path.push(name.to_string());
            if at.is_null() {
                return Err(self.wrong(at, "a remote's name is null"));
            }
            let endpoint = if value.is_null() {
                self.concern(Some(at), "there is nothing under it");
                Endpoint::default()
            } else {
                self.endpoint(value)?
            };
            config.remotes.insert(name.to_string(), endpoint);
            self.path.pop();
        }
        Ok(())
    }

    fn endpoint(&mut self, node: Node) -> Result<Endpoint, YamlError> {
        let mut endpoint = Endpoint::default();
        self.fields(node, |reader, key, at, value| {
            match key {
                "URI" => endpoint.uri = reader.text(value)?,
                "Token" => endpoint.token = Secret::non_empty(reader.text(value)?),
                "System" => endpoint.system = reader.boolean(value)?,
                "Exclusive" => endpoint.exclusive = reader.boolean(value)?,
                "Insecure" => endpoint.insecure = reader.boolean(value)?,
                "Keyservers" => endpoint.keyservers = reader.list(value, Self::keyserver)?,
                _ => reader.unknown(at),
            }
            Ok(())
        })?;
        Ok(endpoint)
    }

    fn keyserver(&mut self, node: Node) -> Result<Keyserver, YamlError> {
        let mut keyserver = Keyserver::default();
        self.fields(node, |reader, key, at, value| {
            match key {
                "URI" => keyserver.uri = reader.text(value)?,
                "Skip" => keyserver.skip = reader.boolean(value)?,
                "External" => keyserver.external = reader.boolean(value)?,
                "Insecure" => keyserver.insecure = reader.boolean(value)?,
                _ => reader.unknown(at),
            }
            Ok(())
        })?;
        Ok(keyserver)
    }

    fn credential(&mut self, node: Node) -> Result<Credential, YamlError> {
        let mut credential = Credential::default();
        self.fields(node, |reader, key, at, value| {
            match key {
                "URI" => credential.uri = reader.text(value)?,
                "Auth" => credential.auth = Secret::non_empty(reader.text(value)?),
                "Insecure" => credential.insecure = reader.boolean(value)?,
                _ => reader.unknown(at),
            }
            Ok(())
        })?;
        Ok(credential)
    }

    /// Gives every pair of a mapping to `field`: the key, where it stands, the value.
    fn fields(
        &mut self,
        node: Node,
        mut field: impl FnMut(&mut Self, &str, Node, Node) -> Result<(), YamlError>,
    ) -> Result<(), YamlError> {
        for (key, at, value) in self.pairs(node)? {
            self.path.push(key.to_string());
            field(self, key, at, value)?;
            self.path.pop();
        }
        Ok(())
    }

    /// The items of a list. Null ones hold nothing, and other commands of the real programs crash at them.
    fn list<T>(
        &mut self,
        node: Node,
        item: impl Fn(&mut Self, Node) -> Result<T, YamlError>,
    ) -> Result<Vec<T>, YamlError> {
        let Shape::List(nodes) = node.kind() else {
            return if node.is_null() {
                Ok(Vec::new())
            } else {
                Err(self.wrong(node, "a list belongs here"))
            };
        };
        let mut items = Vec::new();
        for (at, node) in nodes.enumerate() {
            self.step(node)?;
            self.items += 1;
            if self.items > MOST_ITEMS {
                return Err(self.wrong(node, &too_much()));
            }
            self.path.push(at.to_string());
            if node.is_null() {
                self.concern(Some(node), "there is nothing in this item");
            } else {
                items.push(item(self, node)?);
            }
            self.path.pop();
        }
        Ok(items)
    }

    /// The text of any scalar as it stands there: names and addresses may look like numbers.
    fn text(&mut self, node: Node) -> Result<String, YamlError> {
        self.step(node)?;
        match node.kind() {
            Shape::Scalar(..) if node.is_null() => Ok(String::new()),
            Shape::Scalar(text, _) => Ok(text.to_string()),
            _ => Err(self.wrong(node, "a text belongs here")),
        }
    }

    /// What Go's reader takes for a boolean: the words of YAML 1.1 and 1.2, not quoted.
    fn boolean(&mut self, node: Node) -> Result<bool, YamlError> {
        self.step(node)?;
        if node.is_null() {
            return Ok(false);
        }
        match node.kind() {
            Shape::Scalar(text, true) => match text {
                "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Ok(true),
                "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
                    Ok(false)
                }
                _ => Err(self.wrong(node, "true or false belongs here")),
            },
            _ => Err(self.wrong(node, "true or false belongs here, without quotes")),
        }
    }

    /// The pairs of a mapping, merges (`<<`) resolved: a key's own value comes before a merged one.
    fn pairs<'t>(&mut self, node: Node<'t>) -> Result<Pairs<'t>, YamlError> {
        let (mut pairs, mut seen) = (Pairs::new(), BTreeSet::new());
        self.gather(node, 0, &mut pairs, &mut seen)?;
        Ok(pairs)
    }

    /// Adds to `pairs` what they lack of the mapping `node`, which is merged into `depth` others.
    fn gather<'t>(
        &mut self,
        node: Node<'t>,
        depth: usize,
        pairs: &mut Pairs<'t>,
        seen: &mut BTreeSet<&'t str>,
    ) -> Result<(), YamlError> {
        let Shape::Map(mut entries) = node.kind() else {
            return Err(self.wrong(node, "a mapping belongs here"));
        };
        if depth > MOST_DEPTH {
            return Err(self.wrong(node, &too_deep()));
        }
        let (mut own, mut merges) = (BTreeSet::new(), Vec::new());
        while let (Some(key), Some(value)) = (entries.next(), entries.next()) {
            self.step(key)?;
            let Shape::Scalar(text, plain) = key.kind() else {
                return Err(self.wrong(key, "a key has to be a text"));
            };
            if plain && text == "<<" {
                merges.push(value);
                continue;
            }
            if !own.insert(text) {
                self.path.push(text.to_string());
                return Err(self.wrong(key, "this key stands there twice"));
            }
            if seen.insert(text) {
                pairs.push((text, key, value));
            }
            if pairs.len().max(own.len()) > MOST_KEYS {
                let what = if self.path == ["Remotes"] { "remotes" } else { "keys" };
                return Err(self.wrong(node, &format!("there are more than 100,000 {what}")));
            }
        }
        for merge in merges {
            match merge.kind() {
                Shape::Map(_) => self.merge(merge, depth, pairs, seen)?,
                Shape::List(mut sources) => {
                    sources.try_for_each(|source| self.merge(source, depth, pairs, seen))?
                }
                Shape::Scalar(..) => return Err(self.wrong(merge, "a merge (<<) needs a mapping")),
            }
        }
        Ok(())
    }

    fn merge<'t>(
        &mut self,
        source: Node<'t>,
        depth: usize,
        pairs: &mut Pairs<'t>,
        seen: &mut BTreeSet<&'t str>,
    ) -> Result<(), YamlError> {
        self.step(source)?;
        self.gather(source, depth + 1, pairs, seen)
    }

    fn unknown(&mut self, at: Node) {
        if self.parsed.unknown.len() == MOST_TOLD {
            self.parsed.more_unknown += 1;
            return;
        }
        self.parsed.unknown.push(UnknownKey { place: at.place(), key: self.key() });
    }

    fn concern(&mut self, at: Option<Node>, message: &str) {
        if self.parsed.concerns.len() == MOST_TOLD {
            self.parsed.more_concerns += 1;
            return;
        }
        let key = Some(self.key()).filter(|key| !key.is_empty());
        self.parsed.concerns.push(YamlError {
            place: at.map(|node| node.place()),
            key,
            message: message.into(),
        });
    }

    fn wrong(&self, node: Node, message: &str) -> YamlError {
        let key = Some(self.key()).filter(|key| !key.is_empty());
        YamlError { key, ..fail(node.place(), message.into()) }
    }

    /// The keys above and this one. A key that holds a colon or a blank may be a key and its value that
    /// lack the blank between them, a long one a token in the wrong place: so the rest is left out.
    fn key(&self) -> String {
        const LONGEST: usize = 24;
        const LONGEST_NAME: usize = 128;
        let shown = |part: &String| {
            let before = part.split([':', ' ', '=']).next().unwrap_or_default();
            let long = before.chars().nth(LONGEST).is_some();
            let kept = if long { before.chars().take(4).collect() } else { before.to_string() };
            let whole = kept == *part || (part.len() <= LONGEST_NAME && self.is_name(part));
            if whole { part.clone() } else { format!("{kept}…") }
        };
        self.path.iter().map(shown).collect::<Vec<_>>().join(".")
    }

    /// Whether this part of the path is the name of a remote, which may hold anything and is no secret.
    fn is_name(&self, part: &str) -> bool {
        self.path.len() > 1 && self.path[0] == "Remotes" && self.path[1] == part && !part.starts_with("Token")
    }

    /// Counts a value before it is copied.
    fn step(&mut self, node: Node) -> Result<(), YamlError> {
        self.steps += 1;
        if let Shape::Scalar(text, _) = node.kind() {
            self.text += text.len();
        }
        if self.steps > MOST_STEPS {
            return Err(self.wrong(node, &too_much()));
        }
        if self.text > self.most_text {
            return Err(
                self.wrong(node, "aliases make more than 8 times the file's size, and 1 MiB, out of it")
            );
        }
        Ok(())
    }
}
