//! Environment variables as values, with the persona's prefixes.

mod variables;

pub use variables::{VARIABLES, Variable};

use crate::error::{Failure, Result};
use crate::persona::Persona;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The environment. It is read once, at the start.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// Takes pairs of name and value. The last value of a name wins.
    pub fn new(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The value of a variable. As in the real programs, an empty value counts as unset.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        debug_assert!(variables::is_listed(name), "{name} is missing in the table of variables");
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// All pairs, for a child process.
    pub fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// Sets a variable, for tests.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// The persona's variable `suffix`. For example, `CONFIGDIR` is `APPTAINER_CONFIGDIR`, or else
    /// `SINGULARITY_CONFIGDIR`.
    pub fn variable(&self, persona: Persona, suffix: &str) -> Option<Found<'_>> {
        persona.prefixes().iter().enumerate().find_map(|(at, prefix)| {
            let name = format!("{prefix}{suffix}");
            let value = self.get(&name)?;
            let preferred = (at > 0).then(|| format!("{}{suffix}", persona.prefixes()[0]));
            Some(Found { name, value, preferred })
        })
    }
}

/// A variable that was found.
#[derive(Debug)]
pub struct Found<'a> {
    /// The full name, with its prefix.
    pub name: String,
    /// The value. It is never empty.
    pub value: &'a OsStr,
    /// The name with the preferred prefix, if the variable was found under another prefix.
    pub preferred: Option<String>,
}

impl Found<'_> {
    /// The value as a boolean.
    ///
    /// # Errors
    /// It is neither true nor false.
    pub fn truth(&self) -> Result<bool> {
        self.value.to_str().and_then(truth).ok_or_else(|| {
            Failure::new(format!("{}={}: must be true or false", self.name, self.value.to_string_lossy()))
        })
    }
}

/// Parses a boolean like Go does. `None` if it is invalid.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
