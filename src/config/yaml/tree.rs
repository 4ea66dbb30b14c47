//! Builds a tree from the parser's events, with positions and resolved aliases. All sizes are limited.

use super::parsed::{Place, YamlError};
use granit_parser::{Event, Marker, Parser, ScalarStyle};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Maximum size of the text.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Maximum nesting. A valid layer has five levels.
pub(super) const MOST_DEPTH: usize = 32;
/// Enough for 100,000 remotes with a keyserver each, with a margin.
const MOST_NODES: usize = 3_000_000;
/// One for each of 100,000 remotes.
const MOST_ANCHORS: usize = 100_000;

/// The document: its nodes in text order, parents before their children. A hostile file contains millions of nodes, so
/// a node takes only 20 bytes and has no list of children.
pub(super) struct Tree {
    nodes: Vec<Slot>,
    /// The texts of all scalars, concatenated.
    texts: Zeroizing<String>,
}

/// The stored form of a node. The reader uses [`Node`]. Files are at most 64 MiB, so `u32` is large enough.
#[derive(Clone, Copy)]
struct Slot {
    line: u32,
    column: u32,
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    /// The range of its text in `texts`, and whether the scalar is plain, that is, unquoted.
    Scalar {
        at: u32,
        length: u32,
        plain: bool,
    },
    /// `end` is the index after its last descendant.
    List {
        end: u32,
    },
    Map {
        end: u32,
    },
    /// The index of the node that it refers to.
    Alias(u32),
}

/// A node. Aliases are already resolved.
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    tree: &'t Tree,
    index: usize,
}

/// The three types of nodes.
pub(super) enum Shape<'t> {
    /// A text, and whether it is plain. Only a plain scalar can be null, a boolean or a merge key.
    Scalar(&'t str, bool),
    List(Items<'t>),
    /// A mapping in text order: a key, its value, the next key.
    Map(Items<'t>),
}

/// The nodes in a list or mapping.
pub(super) struct Items<'t> {
    tree: &'t Tree,
    next: usize,
    end: usize,
}

impl<'t> Iterator for Items<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        let index = Some(self.next).filter(|next| *next < self.end)?;
        let (node, behind) = match self.tree.nodes[index].content {
            Content::Scalar { .. } => (index, index + 1),
            Content::List { end } | Content::Map { end } => (index, end as usize),
            Content::Alias(target) => (target as usize, index + 1),
        };
        self.next = behind;
        Some(Node { tree: self.tree, index: node })
    }
}

impl<'t> Node<'t> {
    /// Where the node starts.
    pub(super) fn place(&self) -> Place {
        let Slot { line, column, .. } = self.tree.nodes[self.index];
        Place { line: line as usize, column: column as usize }
    }

    pub(super) fn kind(&self) -> Shape<'t> {
        let items = |end: u32| Items { tree: self.tree, next: self.index + 1, end: end as usize };
        match self.tree.nodes[self.index].content {
            Content::Scalar { at, length, plain } => {
                Shape::Scalar(&self.tree.texts[at as usize..(at + length) as usize], plain)
            }
            Content::List { end } => Shape::List(items(end)),
            Content::Map { end } => Shape::Map(items(end)),
            Content::Alias(target) => Node { index: target as usize, ..*self }.kind(),
        }
    }

    /// An empty, `~` or `null` scalar.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind(), Shape::Scalar("" | "~" | "null" | "Null" | "NULL", true))
    }
}

impl Tree {
    /// The root node, or `None` if the text has no nodes.
    pub(super) fn root(&self) -> Option<Node<'_>> {
        (!self.nodes.is_empty()).then_some(Node { tree: self, index: 0 })
    }
}

/// Parses the single document in `bytes`.
///
/// # Errors
/// Invalid UTF-8, invalid YAML, a second document, or an exceeded limit.
pub(super) fn parse(bytes: &[u8]) -> Result<Tree, YamlError> {
    let text = text_of(bytes)?;
    let options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MOST_DEPTH,
        block_nesting_limit: MOST_DEPTH,
    };
    let texts = Zeroizing::new(String::with_capacity(text.len()));
    let mut builder = Builder {
        tree: Tree { nodes: Vec::new(), texts },
        open: Vec::new(),
        anchors: BTreeMap::new(),
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| fail(place(error.marker()), not_yaml(&error)))?;
        builder.take(event, place(&span.start))?;
    }
    Ok(builder.tree)
}

struct Builder {
    tree: Tree,
    /// The unfinished collections: index and anchor (0 for none).
    open: Vec<(usize, usize)>,
    /// The finished nodes that have an anchor, by anchor.
    anchors: BTreeMap<usize, u32>,
    documents: usize,
}

impl Builder {
    fn take(&mut self, event: Event, place: Place) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fail(place, "only one YAML document is allowed".into()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let (at, length) = (small(self.tree.texts.len()), small(text.len()));
                self.tree.texts.push_str(&text);
                let plain = style == ScalarStyle::Plain;
                let index = self.push(place, Content::Scalar { at, length, plain })?;
                self.name(index, anchor, place)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(target) => self.push(place, Content::Alias(*target)).map(drop),
                None => Err(fail(place, "an alias refers to a node that contains it".into())),
            },
            Event::SequenceStart(_, anchor, _) => self.begin(place, Content::List { end: 0 }, anchor),
            Event::MappingStart(_, anchor, _) => self.begin(place, Content::Map { end: 0 }, anchor),
            Event::SequenceEnd | Event::MappingEnd => self.end(place),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, content: Content, anchor: usize) -> Result<(), YamlError> {
        if self.open.len() >= MOST_DEPTH {
            return Err(fail(place, too_deep()));
        }
        let index = self.push(place, content)?;
        self.open.push((index, anchor));
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), YamlError> {
        let Some((index, anchor)) = self.open.pop() else { return Ok(()) };
        let behind = small(self.tree.nodes.len());
        if let Content::List { end } | Content::Map { end } = &mut self.tree.nodes[index].content {
            *end = behind;
        }
        self.name(index, anchor, place)
    }

    fn push(&mut self, place: Place, content: Content) -> Result<usize, YamlError> {
        let index = self.tree.nodes.len();
        if index == MOST_NODES {
            return Err(fail(place, too_much()));
        }
        self.tree.nodes.push(Slot { line: small(place.line), column: small(place.column), content });
        Ok(index)
    }

    /// Registers the anchor of a finished node.
    fn name(&mut self, index: usize, anchor: usize, place: Place) -> Result<(), YamlError> {
        if anchor != 0 {
            if self.anchors.len() == MOST_ANCHORS {
                return Err(fail(place, too_much()));
            }
            self.anchors.insert(anchor, small(index));
        }
        Ok(())
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn too_deep() -> String {
    format!("nested more than {MOST_DEPTH} levels deep")
}

pub(super) fn too_much() -> String {
    "more values than 100,000 remotes need".into()
}

/// Checks the size, the encoding and the characters.
fn text_of(bytes: &[u8]) -> Result<&str, YamlError> {
    if bytes.len() > MOST_BYTES {
        return Err(YamlError { place: None, key: None, message: "the file is larger than 64 MiB".into() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        fail(after(&String::from_utf8_lossy(before)), "invalid UTF-8".into())
    })?;
    // The real programs reject null bytes and escapes too. In a message, they could control the terminal.
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    match text.find(forbidden) {
        Some(at) => Err(fail(after(&text[..at]), "control characters are not allowed".into())),
        None => Ok(text),
    }
}

/// The position right after `text`.
fn after(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line, column }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// The parser's message may quote the text, so only the kind of the error is used.
fn not_yaml(error: &granit_parser::ScanError) -> String {
    let kind = format!("{:?}", error.kind());
    let deep = kind.contains("Nesting") || kind.contains("Recursion");
    if deep { too_deep() } else { "invalid YAML".into() }
}

pub(super) fn fail(place: Place, message: String) -> YamlError {
    YamlError { place: Some(place), key: None, message }
}
