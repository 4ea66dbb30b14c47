//! A tree → [`Config`], as Go's reader takes it into Apptainer's structures.

use super::tree::{Kind, Node, fail, parse};
use super::{Parsed, UnknownKey, YamlError};
use crate::config::{Config, Credential, Endpoint, Keyserver};
use crate::secret::Secret;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Aliases make a small text say much: each value taken costs one of these.
const MOST_STEPS: usize = 4_000_000;
/// More is no configuration.
const MOST_REMOTES: usize = 100_000;

type Pairs<'t, 'a> = Vec<(&'t str, &'t Node<'a>, &'t Rc<Node<'a>>)>;

/// Reads a layer.
///
/// # Errors
/// With line, column and key; see [`YamlError`].
pub fn read(bytes: &[u8]) -> Result<Parsed, YamlError> {
    let mut reader = Reader::default();
    match parse(bytes)? {
        Some(root) if !root.is_null() => reader.config(&root)?,
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
}

impl Reader {
    fn config(&mut self, root: &Node) -> Result<(), YamlError> {
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

    fn remotes(&mut self, value: &Node, config: &mut Config) -> Result<(), YamlError> {
        let pairs = self.pairs(value)?;
        if pairs.len() > MOST_REMOTES {
            return Err(self.wrong(value, "there are more than 100,000 remotes"));
        }
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

    fn endpoint(&mut self, node: &Node) -> Result<Endpoint, YamlError> {
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

    fn keyserver(&mut self, node: &Node) -> Result<Keyserver, YamlError> {
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

    fn credential(&mut self, node: &Node) -> Result<Credential, YamlError> {
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
        node: &Node,
        mut field: impl FnMut(&mut Self, &str, &Node, &Node) -> Result<(), YamlError>,
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
        node: &Node,
        item: impl Fn(&mut Self, &Node) -> Result<T, YamlError>,
    ) -> Result<Vec<T>, YamlError> {
        let Kind::List(nodes) = &node.kind else {
            return if node.is_null() {
                Ok(Vec::new())
            } else {
                Err(self.wrong(node, "a list belongs here"))
            };
        };
        let mut items = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            self.step(node)?;
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
    fn text(&mut self, node: &Node) -> Result<String, YamlError> {
        self.step(node)?;
        match &node.kind {
            Kind::Scalar(..) if node.is_null() => Ok(String::new()),
            Kind::Scalar(text, _) => Ok(text.to_string()),
            _ => Err(self.wrong(node, "a text belongs here")),
        }
    }

    /// What Go's reader takes for a boolean: the words of YAML 1.1 and 1.2, not quoted.
    fn boolean(&mut self, node: &Node) -> Result<bool, YamlError> {
        self.step(node)?;
        if node.is_null() {
            return Ok(false);
        }
        match &node.kind {
            Kind::Scalar(text, true) => match &**text {
                "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Ok(true),
                "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
                    Ok(false)
                }
                _ => Err(self.wrong(node, "true or false belongs here")),
            },
            _ => Err(self.wrong(node, "true or false belongs here, without quotes")),
        }
    }

    /// The pairs of a mapping, merges (`<<`) resolved: a key's own value stands before a merged one.
    fn pairs<'t, 'a>(&mut self, node: &'t Node<'a>) -> Result<Pairs<'t, 'a>, YamlError> {
        let Kind::Map(entries) = &node.kind else {
            return Err(self.wrong(node, "a mapping belongs here"));
        };
        let mut pairs: Pairs = Vec::with_capacity(entries.len());
        let mut seen = BTreeSet::new();
        let mut merges = Vec::new();
        for (key, value) in entries {
            self.step(key)?;
            let Kind::Scalar(text, plain) = &key.kind else {
                return Err(self.wrong(key, "a key has to be a text"));
            };
            if *plain && text == "<<" {
                merges.push(value);
                continue;
            }
            if !seen.insert(&**text) {
                self.path.push(text.to_string());
                return Err(self.wrong(key, "this key stands there twice"));
            }
            pairs.push((text, key, value));
        }
        for merge in merges {
            let sources = match &merge.kind {
                Kind::Map(_) => std::slice::from_ref(merge),
                Kind::List(nodes) => nodes.as_slice(),
                Kind::Scalar(..) => return Err(self.wrong(merge, "a merge (<<) needs a mapping")),
            };
            for source in sources {
                for pair in self.pairs(source)? {
                    if seen.insert(pair.0) {
                        pairs.push(pair);
                    }
                }
            }
        }
        Ok(pairs)
    }

    fn unknown(&mut self, at: &Node) {
        self.parsed.unknown.push(UnknownKey { place: at.place, key: self.key() });
    }

    fn concern(&mut self, at: Option<&Node>, message: &str) {
        let key = Some(self.key()).filter(|key| !key.is_empty());
        self.parsed.concerns.push(YamlError {
            place: at.map(|node| node.place),
            key,
            message: message.into(),
        });
    }

    fn wrong(&self, node: &Node, message: &str) -> YamlError {
        let key = Some(self.key()).filter(|key| !key.is_empty());
        YamlError { key, ..fail(node.place, message.into()) }
    }

    /// The keys above and this one. A key that holds a colon or a blank may be a key and its value that
    /// lack the blank between them, a long one a token in the wrong place: so the rest is left out.
    fn key(&self) -> String {
        const LONGEST: usize = 24;
        let shown = |part: &String| {
            let before = part.split([':', ' ', '=']).next().unwrap_or_default();
            let long = before.chars().nth(LONGEST).is_some();
            let kept = if long { before.chars().take(4).collect() } else { before.to_string() };
            if kept == *part || self.is_name(part) { part.clone() } else { format!("{kept}…") }
        };
        self.path.iter().map(shown).collect::<Vec<_>>().join(".")
    }

    /// Whether this part of the path is the name of a remote, which may hold anything and is no secret.
    fn is_name(&self, part: &str) -> bool {
        self.path.len() > 1 && self.path[0] == "Remotes" && self.path[1] == part && !part.starts_with("Token")
    }

    fn step(&mut self, node: &Node) -> Result<(), YamlError> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return Err(self.wrong(node, "there is more in this than 100,000 remotes need"));
        }
        Ok(())
    }
}
