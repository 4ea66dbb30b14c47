//! What a text says, and what is wrong with it, with places.

use crate::config::Config;
use std::fmt;
use std::path::Path;

/// A place in the text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// Why a text is no layer. Names keys, never values: one of them may be a token.
#[derive(Debug, PartialEq, Eq)]
pub struct YamlError {
    /// Where, if it is about one place.
    pub place: Option<Place>,
    /// The key that it is about, with the keys above it: `Remotes.lab.System`.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl YamlError {
    /// `FILE:LINE:COLUMN: KEY: what is wrong`.
    pub fn at(&self, file: &Path) -> String {
        let between = if self.place.is_some() { ":" } else { ": " };
        format!("{}{between}{self}", file.display())
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{}:{}: ", place.line, place.column)?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for YamlError {}

/// A key that no program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Where it stands.
    pub place: Place,
    /// With the keys above it.
    pub key: String,
}

impl UnknownKey {
    /// `FILE:LINE:COLUMN: unknown key KEY`.
    pub fn at(&self, file: &Path) -> String {
        let Place { line, column } = self.place;
        format!("{}:{line}:{column}: unknown key {}", file.display(), self.key)
    }
}

/// What a text says.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed {
    /// The layer.
    pub config: Config,
    /// Keys that were left out; the first 100.
    pub unknown: Vec<UnknownKey>,
    /// How many more there are.
    pub more_unknown: usize,
    /// What we read and the real programs refuse, or crash at; the first 100.
    pub concerns: Vec<YamlError>,
    /// How many more there are.
    pub more_concerns: usize,
}
