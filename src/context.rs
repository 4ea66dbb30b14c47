//! The process environment as a value: everything that a command knows apart from its arguments.
//!
//! `main` fills it from the operating system, and tests with values of their choice. Only commands take a
//! `Context`; lower layers take the specific values they need.

use crate::environment::{Env, Found};
use crate::error::{Ending, Failure, Result};
use crate::message::Talk;
use crate::passthrough;
use crate::persona::Persona;
use crate::prompt::Prompt;
use crate::services::Limits;
use crate::view::{self, Screen, Sink, View};
use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

/// The user that runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The effective uid: 0 is root.
    pub uid: u32,
    /// Run set-uid or set-gid, or with file capabilities. The program refuses to run then.
    pub elevated: bool,
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// Whether the standard streams are terminals. They are checked only when needed; the answer for standard output
/// is cached.
#[derive(Clone)]
pub struct Terminals {
    is_terminal: Rc<dyn Fn(Stream) -> bool>,
    stdout: OnceCell<bool>,
}

impl Terminals {
    /// `is_terminal` checks a stream.
    pub fn new(is_terminal: impl Fn(Stream) -> bool + 'static) -> Self {
        Self { is_terminal: Rc::new(is_terminal), stdout: OnceCell::new() }
    }

    pub fn stdin(&self) -> bool {
        (self.is_terminal)(Stream::Stdin)
    }

    pub fn stdout(&self) -> bool {
        *self.stdout.get_or_init(|| (self.is_terminal)(Stream::Stdout))
    }

    pub fn stderr(&self) -> bool {
        (self.is_terminal)(Stream::Stderr)
    }
}

/// When to colour output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Only on a terminal.
    Auto,
    /// Also in a pipe.
    Always,
    Never,
}

impl Colours {
    /// Whether to colour a stream.
    pub fn are_on(self, is_terminal: impl FnOnce() -> bool) -> bool {
        self == Self::Always || self == Self::Auto && is_terminal()
    }
}

/// Replaces this process with another program that gets the same environment. Returns only on failure. Arguments:
/// the program's file, the whole argument vector.
pub type Exec = Box<dyn Fn(&Path, &[OsString]) -> std::io::Error>;

/// Everything that a command knows about its process.
pub struct Context {
    /// The path of this program, with symlinks resolved. Empty without /proc, because no other source can be
    /// trusted.
    pub exe: PathBuf,
    /// Derived from the file name of `exe`.
    pub persona: Persona,
    pub env: Env,
    pub user: User,
    /// Looks up a uid's home in the password database. Called only if needed.
    pub passwd_home: Box<dyn Fn(u32) -> Option<PathBuf>>,
    /// Unbuffered, because a secret is read byte by byte, and the rest of the input is for the next command.
    pub stdin: Box<dyn Read>,
    /// Command output.
    pub stdout: Box<dyn Write>,
    /// Messages (standard error).
    pub talk: Talk,
    /// Prompts, if standard input is a terminal.
    pub prompt: Box<dyn Prompt>,
    pub terminals: Terminals,
    /// The width of a terminal in columns. `None` for a pipe, and for a terminal that reports no width.
    pub width: Box<dyn Fn(Stream) -> Option<usize>>,
    /// Whether to colour output. Tables in a pipe are never coloured.
    pub colours: Colours,
    pub now: fn() -> SystemTime,
    /// The limits for requests.
    pub limits: Limits,
    /// Runs another program in place of this process, for commands that this program does not have.
    pub exec: Exec,
}

impl Context {
    /// The persona's variable `suffix`. Prints a note if it was found under a prefix that is not the preferred
    /// one.
    pub fn variable(&self, suffix: &str) -> Option<Found<'_>> {
        let found = self.env.variable(self.persona, suffix)?;
        if let Some(preferred) = &found.preferred {
            self.talk
                .info(format!("Environment variable {} is set, but {preferred} is preferred", found.name));
        }
        Some(found)
    }

    /// The next program in PATH, for commands that this program does not have. `argv0` is the name as called.
    pub fn next_program(&self, argv0: &OsStr) -> Option<PathBuf> {
        passthrough::next_program(&self.env, &self.exe, self.user.uid, argv0)
    }

    /// The value of a switch: the option if it was given, else the first of the persona's variables that is set.
    ///
    /// # Errors
    /// The variable is neither true nor false.
    pub fn switch(&self, option: Option<bool>, suffixes: &[&str]) -> Result<bool> {
        match option {
            Some(option) => Ok(option),
            None => suffixes
                .iter()
                .find_map(|suffix| self.variable(suffix))
                .map_or(Ok(false), |found| found.truth()),
        }
    }

    /// Writes command output to standard output.
    ///
    /// # Errors
    /// Writing failed. If the reader closed the pipe, the ending is `ClosedStdout`.
    pub fn print(&mut self, text: &str) -> Result<()> {
        let written = self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => {
                Failure { ending: Ending::ClosedStdout, ..Failure::from(error) }
            }
            _ => Failure::from(error).context("writing standard output"),
        })
    }

    /// Shows `view` on standard output, as JSON if requested.
    ///
    /// # Errors
    /// Like [`Context::print`].
    pub fn show(&mut self, view: &impl View, as_json: bool) -> Result<()> {
        let sink = if self.terminals.stdout() {
            Sink::Terminal(Screen {
                width: (self.width)(Stream::Stdout).unwrap_or(80),
                colour: self.colours != Colours::Never,
            })
        } else {
            Sink::Pipe
        };
        self.print(&view::render(view, as_json, sink))
    }

    /// The width of help texts in columns: that of standard output, else of standard error, else `COLUMNS`, else
    /// 80. It is limited to 100 columns, because long lines are hard to read, and to 80 in a pipe.
    pub fn help_width(&self) -> usize {
        let columns = || self.env.get("COLUMNS")?.to_str()?.parse().ok();
        let width = match (self.width)(Stream::Stdout) {
            Some(width) => width.min(100),
            None => (self.width)(Stream::Stderr).or_else(columns).unwrap_or(80).min(80),
        };
        width.max(40)
    }

    /// Whether the user is root, who may change the global layer.
    pub fn is_root(&self) -> bool {
        self.user.uid == 0
    }

    /// The program's command name.
    pub fn program(&self) -> &'static str {
        self.persona.name()
    }
}
