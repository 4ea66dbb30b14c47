//! The one error type of the program: what went wrong, how bad it is, and what to type next.
//!
//! Modules below the commands add context; the command decides the ending; `lib::run` reports it once.

use crate::hint::Hint;
use std::fmt;

/// What a failure means for the exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The command line is wrong; nothing was done. Exit status 1. With the words of the command (`remote`,
    /// `login`), whose usage is shown.
    Usage(Vec<String>),
    /// The command failed. Exit status 255.
    Failed,
    /// The reader of standard output went away. Exit status 141, and no word.
    ClosedStdout,
}

/// A failure with the commands that would help. Shown as one FATAL line and a `hint` line for each hint.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit status.
    pub ending: Ending,
    /// The chain of causes, outermost first.
    pub source: anyhow::Error,
    /// What to type or look at next, most useful first.
    pub hints: Vec<Hint>,
}

/// The result of everything that can end a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure that ends in [`Ending::Failed`] with this message.
    pub fn new(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { ending: Ending::Failed, source: anyhow::Error::msg(message), hints: Vec::new() }
    }

    /// A failure that ends in [`Ending::Usage`]; `command` are the words that name the command, and no other word that was
    /// typed, which may be a secret.
    pub fn usage<M>(command: &[&str], message: M) -> Self
    where
        M: fmt::Display + fmt::Debug + Send + Sync + 'static,
    {
        let command = command.iter().map(ToString::to_string).collect();
        Self { ending: Ending::Usage(command), ..Self::new(message) }
    }

    /// Adds a hint: a command to type, or where to look.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts `context` in front of the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.source = self.source.context(context);
        self
    }

    /// The whole message in one line: every context and its cause, joined by `: `.
    pub fn message(&self) -> String {
        format!("{:#}", self.source)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { ending: Ending::Failed, source: error.into(), hints: Vec::new() }
    }
}

/// Adds context and hints to the error side of a result.
pub trait ResultExt<T> {
    /// Puts `context()` in front of the message.
    fn fail_context<C: fmt::Display + Send + Sync + 'static>(self, context: impl FnOnce() -> C) -> Result<T>;
    /// Adds a hint to the failure.
    fn fail_hint<H: Into<Hint>>(self, hint: impl FnOnce() -> H) -> Result<T>;
}

impl<T, E: Into<Failure>> ResultExt<T> for std::result::Result<T, E> {
    fn fail_context<C: fmt::Display + Send + Sync + 'static>(self, context: impl FnOnce() -> C) -> Result<T> {
        self.map_err(|error| error.into().context(context()))
    }

    fn fail_hint<H: Into<Hint>>(self, hint: impl FnOnce() -> H) -> Result<T> {
        self.map_err(|error| error.into().hint(hint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_one_line_outermost_first() {
        let failure = Failure::new("no such file").context("opening x").hint("touch x");
        assert_eq!(failure.message(), "opening x: no such file");
        assert_eq!(failure.hints, [Hint::from("touch x")]);
        assert_eq!(failure.ending, Ending::Failed);
        assert_eq!(Failure::usage(&["x"], "x").ending, Ending::Usage(vec!["x".into()]));
    }
}
