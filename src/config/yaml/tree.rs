//! Events of the parser → a tree with places, aliases resolved, everything bounded.

use super::{Place, YamlError};
use granit_parser::{Event, Marker, Parser, ScalarStyle};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Larger than this is no configuration.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// A layer is five deep; more is an attack, or a mistake.
const MOST_DEPTH: usize = 32;
/// 100,000 remotes with a keyserver each, and some room.
const MOST_NODES: usize = 3_000_000;

/// A node of the text.
#[derive(Debug)]
pub struct Node<'a> {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind<'a>,
}

/// The three kinds of nodes.
#[derive(Debug)]
pub enum Kind<'a> {
    /// A text, and whether it stands there plain: only then can it be null, a boolean or a merge.
    Scalar(Cow<'a, str>, bool),
    /// A list.
    List(Vec<Rc<Node<'a>>>),
    /// A mapping in the order of the text.
    Map(Vec<(Rc<Node<'a>>, Rc<Node<'a>>)>),
}

impl Node<'_> {
    /// An empty, `~` or `null` scalar.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// An open collection and the anchor that it will be known by.
struct Open<'a> {
    node: Node<'a>,
    anchor: usize,
    /// A key that waits for its value.
    key: Option<Rc<Node<'a>>>,
}

/// The tree of the one document in `bytes`; `None` where there is none at all.
///
/// # Errors
/// Not UTF-8, not YAML, a second document, or beyond the bounds.
pub fn parse(bytes: &[u8]) -> Result<Option<Rc<Node<'_>>>, YamlError> {
    let text = text_of(bytes)?;
    let options = granit_parser::options! {
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: MOST_DEPTH,
        block_nesting_limit: MOST_DEPTH,
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| fail(place(error.marker()), not_yaml(&error)))?;
        builder.take(event, place(&span.start))?;
    }
    Ok(builder.root)
}

#[derive(Default)]
struct Builder<'a> {
    open: Vec<Open<'a>>,
    anchors: BTreeMap<usize, Rc<Node<'a>>>,
    root: Option<Rc<Node<'a>>>,
    documents: usize,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn take(&mut self, event: Event<'a>, place: Place) -> Result<(), YamlError> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fail(place, "a second document begins here, and a layer is one".into()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                let kind = Kind::Scalar(text, style == ScalarStyle::Plain);
                self.place(Rc::new(Node { place, kind }), anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.place(Rc::clone(node), 0),
                None => Err(fail(place, "an alias stands inside of what it names".into())),
            },
            Event::SequenceStart(_, anchor, _) => self.begin(place, Kind::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => self.begin(place, Kind::Map(Vec::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.place(Rc::new(open.node), open.anchor),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, kind: Kind<'a>, anchor: usize) -> Result<(), YamlError> {
        // Depth is bounded here too: dropping the tree goes as deep as it is.
        if self.open.len() >= MOST_DEPTH {
            return Err(fail(place, format!("this is nested more than {MOST_DEPTH} deep")));
        }
        self.open.push(Open { node: Node { place, kind }, anchor, key: None });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Rc<Node<'a>>, anchor: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(fail(node.place, "there is more in this than 100,000 remotes need".into()));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::Map(pairs), Some(key)) => pairs.push((key, node)),
            (Kind::Map(_), None) => open.key = Some(node),
            (Kind::List(items), _) => items.push(node),
            (Kind::Scalar(..), _) => {}
        }
        Ok(())
    }
}

/// The text, if it is one that YAML may hold.
fn text_of(bytes: &[u8]) -> Result<&str, YamlError> {
    if bytes.len() > MOST_BYTES {
        return Err(YamlError { place: None, key: None, message: "the file is larger than 64 MiB".into() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        fail(after(&String::from_utf8_lossy(before)), "this is not text (UTF-8)".into())
    })?;
    // A null byte or an escape would be refused by the real programs, and drive a terminal.
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    match text.find(forbidden) {
        Some(at) => Err(fail(after(&text[..at]), "control characters are not allowed".into())),
        None => Ok(text),
    }
}

/// The place right after `text`.
fn after(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line, column }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// The parser's own words may quote the text, so only its kind of complaint is kept.
fn not_yaml(error: &granit_parser::ScanError) -> String {
    let kind = format!("{:?}", error.kind());
    let deep = kind.contains("Nesting") || kind.contains("Recursion");
    if deep { format!("this is nested more than {MOST_DEPTH} deep") } else { "this is not valid YAML".into() }
}

pub(super) fn fail(place: Place, message: String) -> YamlError {
    YamlError { place: Some(place), key: None, message }
}
