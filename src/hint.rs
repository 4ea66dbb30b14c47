//! What helps after a failure: a command to run, and why, or something to know.

use crate::message::{Talk, quoted};
use std::fmt;

/// Shown below a failure, most useful first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something to know or to do.
    Note(String),
    /// A command to paste into a shell.
    Run {
        command: CommandLine,
        /// `to replace it`; `None` for a command that speaks for itself.
        reason: Option<String>,
    },
}

impl Hint {
    /// Prints it below the message that it belongs to.
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

/// A command line for a shell, in which everything that comes from outside is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine(String);

impl CommandLine {
    /// Of words of our own, which stand as they are: `apptainer remote list`.
    pub fn new(words: &str) -> Self {
        Self(words.into())
    }

    /// With more words of our own; an empty text adds none.
    #[must_use]
    pub fn words(mut self, words: &str) -> Self {
        if !words.is_empty() {
            self.0.push(' ');
            self.0.push_str(words);
        }
        self
    }

    /// With a switch, if it was given.
    #[must_use]
    pub fn switch(self, given: bool, option: &str) -> Self {
        if given { self.words(option) } else { self }
    }

    /// With one more word, quoted where a shell would read it as something else.
    #[must_use]
    pub fn arg(self, word: impl fmt::Display) -> Self {
        let word = word.to_string();
        self.words(&quoted(&word))
    }

    /// As a hint that says what the command is for: `to replace it`.
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
    fn what_comes_from_outside_is_quoted() {
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
