//! Hints after a failure: a command to run and its purpose, or other advice.

use crate::message::{Talk, quoted};
use std::fmt;

/// A hint. Hints are printed below the failure, most useful first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Information or advice.
    Note(String),
    /// A command that can be pasted into a shell.
    Run {
        command: CommandLine,
        /// The purpose, e.g. `to replace it`. `None` if the command needs no explanation.
        reason: Option<String>,
    },
}

impl Hint {
    /// Prints the hint below its message.
    pub fn show(&self, talk: &Talk) {
        match self {
            Self::Note(text) => talk.hint(text, ""),
            Self::Run { command, reason } => talk.hint(reason.as_deref().unwrap_or_default(), &command.0),
        }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(text) => f.write_str(text),
            Self::Run { command, reason: None } => write!(f, "{command}"),
            Self::Run { command, reason: Some(reason) } => write!(f, "{reason}: {command}"),
        }
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Note(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Note(text.into())
    }
}

impl From<CommandLine> for Hint {
    fn from(command: CommandLine) -> Self {
        Self::Run { command, reason: None }
    }
}

/// A shell command line. Everything in it that comes from outside is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine(String);

impl CommandLine {
    /// Starts with fixed words, which are not quoted: `apptainer remote list`.
    pub fn new(words: &str) -> Self {
        Self(words.into())
    }

    /// Appends more fixed words. An empty text appends nothing.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.0.push(' ');
            self.0.push_str(words);
        }
        self
    }

    /// Appends a switch if it was given.
    #[must_use]
    pub fn switch(self, given: bool, option: &str) -> Self {
        if given { self.words(option) } else { self }
    }

    /// Appends one word, quoted if the shell would interpret it otherwise.
    #[must_use]
    pub fn arg(self, word: impl fmt::Display) -> Self {
        let word = word.to_string();
        self.words(&quoted(&word))
    }

    /// Turns the command into a hint with a purpose: `to replace it`.
    pub fn because(self, reason: impl Into<String>) -> Hint {
        Hint::Run { command: self, reason: Some(reason.into()) }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_words_are_quoted() {
        let command = CommandLine::new("apptainer remote use")
            .words("")
            .switch(true, "--global")
            .switch(false, "--all")
            .arg("a b'c")
            .arg("");
        assert_eq!(command.to_string(), r"apptainer remote use --global 'a b'\''c' ''");
        assert_eq!(
            command.because("to use it").to_string(),
            r"to use it: apptainer remote use --global 'a b'\''c' ''"
        );
    }
}
