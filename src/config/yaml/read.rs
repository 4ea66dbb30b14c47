//! Converts a tree into a [`Config`], in the same way as Go's decoder fills Apptainer's structures.

use super::parsed::{Parsed, UnknownKey, YamlError};
use super::tree::{MOST_DEPTH, Node, Shape, fail, parse, too_deep, too_much};
use crate::config::{Config, Credential, Endpoint, Keyserver};
use crate::secret::Secret;
use std::collections::BTreeSet;

/// Maximum number of values read. Aliases let a small file expand to very many.
const MOST_STEPS: usize = 4_000_000;
/// Aliases may expand the text by this many times the file's size plus 1 MiB. Without aliases, all strings together are
/// shorter than the file.
const MOST_GROWTH: usize = 8;
/// Maximum number of remotes, and of keys in one mapping.
const MOST_KEYS: usize = 100_000;
/// Maximum number of keyservers and logins together: one for each remote, and as many again.
const MOST_ITEMS: usize = 200_000;
/// Maximum number of unknown keys and of concerns that are listed. Any more are only counted.
const MOST_TOLD: usize = 100;

type Pairs<'t> = Vec<(&'t str, Node<'t>, Node<'t>)>;

/// Reads a layer.
///
/// # Errors
/// [`YamlError`], with line, column and key.
pub fn read(bytes: &[u8]) -> Result<Parsed, YamlError> {
    let tree = parse(bytes)?;
    let mut reader = Reader { most_text: bytes.len() * (MOST_GROWTH + 1) + (1 << 20), ..Reader::default() };
    match tree.root() {
        Some(root) if !root.is_null() => reader.config(root)?,
        // The real programs accept `~` as an empty layer, but reject a file that has only comments.
        None if !bytes.is_empty() => reader.concern(None, "the file contains only blank lines or comments"),
        _ => {}
    }
    Ok(reader.parsed)
}

#[derive(Default)]
struct Reader {
    parsed: Parsed,
    /// The keys that lead to the current value.
    path: Vec<String>,
    steps: usize,
    items: usize,
    /// Bytes of all strings read so far, and their maximum.
    text: usize,
    most_text: usize,
}

impl Reader {
    fn config(&mut self, root: Node) -> Result<(), YamlError> {
        let mut config = Config::default();
        self.fields(root, |reader, key, at, value| {
            match key {
                "Active" => config.active = reader.text(value)?,
                "Remotes" if value.is_null() => reader.concern(Some(at), "the value is empty"),
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
                return Err(self.wrong(at, "a remote's name must not be null"));
            }
            let endpoint = if value.is_null() {
                self.concern(Some(at), "the value is empty");
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

    /// Calls `field` for every pair of a mapping, with the key as text, the key's node, and the value.
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

    /// The items of a list. Null items are skipped, with a concern: some commands of the real programs crash on them.
    fn list<T>(
        &mut self,
        node: Node,
        item: impl Fn(&mut Self, Node) -> Result<T, YamlError>,
    ) -> Result<Vec<T>, YamlError> {
        let Shape::List(nodes) = node.kind() else {
            return if node.is_null() { Ok(Vec::new()) } else { Err(self.wrong(node, "expected a list")) };
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
                self.concern(Some(node), "the list item is empty");
            } else {
                items.push(item(self, node)?);
            }
            self.path.pop();
        }
        Ok(items)
    }

    /// The unconverted text of a scalar, because names and addresses may look like numbers. Null is empty.
    fn text(&mut self, node: Node) -> Result<String, YamlError> {
        self.step(node)?;
        match node.kind() {
            Shape::Scalar(..) if node.is_null() => Ok(String::new()),
            Shape::Scalar(text, _) => Ok(text.to_string()),
            _ => Err(self.wrong(node, "expected a string")),
        }
    }

    /// A boolean as Go's decoder accepts it: unquoted, in the spellings of YAML 1.1 and 1.2. Null is false.
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
                _ => Err(self.wrong(node, "expected true or false")),
            },
            _ => Err(self.wrong(node, "expected true or false without quotes")),
        }
    }

    /// The pairs of a mapping, including merged ones (`<<`). The mapping's own value of a key overrides a merged one.
    fn pairs<'t>(&mut self, node: Node<'t>) -> Result<Pairs<'t>, YamlError> {
        let (mut pairs, mut seen) = (Pairs::new(), BTreeSet::new());
        self.gather(node, 0, &mut pairs, &mut seen)?;
        Ok(pairs)
    }

    /// Adds the pairs of the mapping `node` whose keys are not yet in `pairs`. `depth` is the number of nested merges.
    fn gather<'t>(
        &mut self,
        node: Node<'t>,
        depth: usize,
        pairs: &mut Pairs<'t>,
        seen: &mut BTreeSet<&'t str>,
    ) -> Result<(), YamlError> {
        let Shape::Map(mut entries) = node.kind() else {
            return Err(self.wrong(node, "expected a mapping"));
        };
        if depth > MOST_DEPTH {
            return Err(self.wrong(node, &too_deep()));
        }
        let (mut own, mut merges) = (BTreeSet::new(), Vec::new());
        while let (Some(key), Some(value)) = (entries.next(), entries.next()) {
            self.step(key)?;
            let Shape::Scalar(text, plain) = key.kind() else {
                return Err(self.wrong(key, "keys must be strings"));
            };
            if plain && text == "<<" {
                merges.push(value);
                continue;
            }
            if !own.insert(text) {
                self.path.push(text.to_string());
                return Err(self.wrong(key, "duplicate key"));
            }
            if seen.insert(text) {
                pairs.push((text, key, value));
            }
            if pairs.len().max(own.len()) > MOST_KEYS {
                let what = if self.path == ["Remotes"] { "remotes" } else { "keys" };
                return Err(self.wrong(node, &format!("more than 100,000 {what}")));
            }
        }
        for merge in merges {
            match merge.kind() {
                Shape::Map(_) => self.merge(merge, depth, pairs, seen)?,
                Shape::List(mut sources) => {
                    sources.try_for_each(|source| self.merge(source, depth, pairs, seen))?
                }
                Shape::Scalar(..) => return Err(self.wrong(merge, "the merge key (<<) needs a mapping")),
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

    /// The current path of keys, for messages. Each key is cut at a ":", "=" or space, since `Token:abc` parses as one
    /// key, and long keys are shortened: either may contain a token. Names of remotes are shown in full.
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

    /// Whether this part of the path is the name of a remote, which may contain any characters and is not secret.
    fn is_name(&self, part: &str) -> bool {
        self.path.len() > 1 && self.path[0] == "Remotes" && self.path[1] == part && !part.starts_with("Token")
    }

    /// Counts a value before it is copied, and fails at the limits.
    fn step(&mut self, node: Node) -> Result<(), YamlError> {
        self.steps += 1;
        if let Shape::Scalar(text, _) = node.kind() {
            self.text += text.len();
        }
        if self.steps > MOST_STEPS {
            return Err(self.wrong(node, &too_much()));
        }
        if self.text > self.most_text {
            return Err(self.wrong(node, "aliases expand the file by more than 8 times its size plus 1 MiB"));
        }
        Ok(())
    }
}
