//! The error type of the whole program: what went wrong, the exit status, and hints on what to do next.
//!
//! Lower modules add context, the command chooses the ending, and `lib::run` reports the error once.

use crate::hint::Hint;
use std::fmt;

/// The exit status of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The command line is invalid, and nothing was done. Exit status 1. Contains the words of the command
    /// (`remote`, `login`), whose usage is shown.
    Usage(Vec<String>),
    /// The command failed. Exit status 255.
    Failed,
    /// The reader closed standard output. Exits with status 141 and prints nothing.
    ClosedStdout,
}

/// A failure with hints. Printed as one FATAL line and one `hint` line per hint.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit status.
    pub ending: Ending,
    /// The chain of causes, outermost first.
    pub source: anyhow::Error,
    /// What to do next, most useful first.
    pub hints: Vec<Hint>,
}

/// The result of any operation whose failure ends the command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// A failure with this message that ends in [`Ending::Failed`].
    pub fn new(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self { ending: Ending::Failed, source: anyhow::Error::msg(message), hints: Vec::new() }
    }

    /// A failure that ends in [`Ending::Usage`]. `command` contains only the words that name the command: other
    /// typed words may be secrets.
    pub fn usage<M>(command: &[&str], message: M) -> Self
    where
        M: fmt::Display + fmt::Debug + Send + Sync + 'static,
    {
        let command = command.iter().map(ToString::to_string).collect();
        Self { ending: Ending::Usage(command), ..Self::new(message) }
    }

    /// Adds a hint: a command to run, or other advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Prepends `context` to the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.source = self.source.context(context);
        self
    }

    /// The whole message on one line: all contexts and the cause, joined by `: `.
    pub fn message(&self) -> String {
        format!("{:#}", self.source)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { ending: Ending::Failed, source: error.into(), hints: Vec::new() }
    }
}

/// Adds context and hints to the error of a result.
pub trait ResultExt<T> {
    /// Prepends `context()` to the message.
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
    fn the_message_is_one_line_with_the_outermost_context_first() {
        let failure = Failure::new("no such file").context("opening x").hint("touch x");
        assert_eq!(failure.message(), "opening x: no such file");
        assert_eq!(failure.hints, [Hint::from("touch x")]);
        assert_eq!(failure.ending, Ending::Failed);
        assert_eq!(Failure::usage(&["x"], "x").ending, Ending::Usage(vec!["x".into()]));
    }
}
