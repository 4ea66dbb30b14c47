//! The result of parsing, and errors with their positions.

use crate::config::Config;
use std::fmt;
use std::path::Path;

/// A position in the text. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// Why a text is not a valid layer. Contains keys but never values, because a value may be a token.
#[derive(Debug, PartialEq, Eq)]
pub struct YamlError {
    /// The position, if the error has one.
    pub place: Option<Place>,
    /// The path of keys: `Remotes.lab.System`.
    pub key: Option<String>,
    pub message: String,
}

impl YamlError {
    /// `FILE:LINE:COLUMN: KEY: MESSAGE`.
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

/// A key that is not part of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    pub place: Place,
    /// The path of keys: `Remotes.lab.Tokn`.
    pub key: String,
}

impl UnknownKey {
    /// `FILE:LINE:COLUMN: unknown key "KEY"`.
    pub fn at(&self, file: &Path) -> String {
        let Place { line, column } = self.place;
        format!("{}:{line}:{column}: unknown key \"{}\"", file.display(), self.key)
    }
}

/// The result of parsing a text.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed {
    pub config: Config,
    /// Keys that were ignored: the first 100.
    pub unknown: Vec<UnknownKey>,
    /// The number of unknown keys after the first 100.
    pub more_unknown: usize,
    /// Content that we accept but the real programs reject or crash on: the first 100.
    pub concerns: Vec<YamlError>,
    /// The number of concerns after the first 100.
    pub more_concerns: usize,
}
