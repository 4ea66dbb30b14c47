//! The process as a value: everything that a command may know of the world outside its arguments.
//!
//! `main` fills it from the operating system, tests fill it as they like. It stops at the commands: modules
//! below take the exact value that they need.

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

/// Who runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The effective uid: 0 is root.
    pub uid: u32,
    /// Run set-uid or set-gid, or with capabilities of the file: refused.
    pub elevated: bool,
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// Which of the standard streams are terminals. Each is asked once, where it matters.
#[derive(Clone)]
pub struct Terminals {
    is_terminal: Rc<dyn Fn(Stream) -> bool>,
    stdout: OnceCell<bool>,
}

impl Terminals {
    /// By what `is_terminal` says of each.
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

/// When to colour what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal.
    Auto,
    /// In a pipe too.
    Always,
    Never,
}

impl Colours {
    /// Whether to colour a stream.
    pub fn are_on(self, is_terminal: impl FnOnce() -> bool) -> bool {
        self == Self::Always || self == Self::Auto && is_terminal()
    }
}

/// Replaces this process by another program, which keeps the environment; returns only if that failed.
/// Arguments: the program's file, the whole argument vector.
pub type Exec = Box<dyn Fn(&Path, &[OsString]) -> std::io::Error>;

/// The process.
pub struct Context {
    /// The file of this program, links resolved; empty where nothing trustworthy names it (no /proc).
    pub exe: PathBuf,
    /// By the name of `exe`.
    pub persona: Persona,
    /// The environment.
    pub env: Env,
    /// Effective user and group.
    pub user: User,
    /// The home in the password database, asked for only when it is needed.
    pub passwd_home: Box<dyn Fn(u32) -> Option<PathBuf>>,
    /// Unbuffered: a secret is read byte by byte, and the rest belongs to the next command.
    pub stdin: Box<dyn Read>,
    /// Data.
    pub stdout: Box<dyn Write>,
    /// Talk.
    pub talk: Talk,
    /// Questions, where standard input is a terminal.
    pub prompt: Box<dyn Prompt>,
    /// Which streams are terminals.
    pub terminals: Terminals,
    /// Columns of a terminal; `None` for a pipe and for a terminal that reports none.
    pub width: Box<dyn Fn(Stream) -> Option<usize>>,
    /// Whether to colour. Tables in a pipe never are.
    pub colours: Colours,
    /// The clock.
    pub now: fn() -> SystemTime,
    /// How long and how much every request may take.
    pub limits: Limits,
    /// Takes over the process for a command that is not ours.
    pub exec: Exec,
}

impl Context {
    /// The persona's variable `suffix`, with a line about it where it is the second choice.
    pub fn variable(&self, suffix: &str) -> Option<Found<'_>> {
        let found = self.env.variable(self.persona, suffix)?;
        if let Some(preferred) = &found.preferred {
            self.talk
                .info(format!("Environment variable {} is set, but {preferred} is preferred", found.name));
        }
        Some(found)
    }

    /// The program that takes a command that is not ours, which was called by the name `argv0`.
    pub fn next_program(&self, argv0: &OsStr) -> Option<PathBuf> {
        passthrough::next_program(&self.env, &self.exe, self.user.uid, argv0)
    }

    /// A switch: the option if it was given, else the first of the persona's variables that is set.
    ///
    /// # Errors
    /// That variable is neither true nor false.
    pub fn switch(&self, option: Option<bool>, suffixes: &[&str]) -> Result<bool> {
        match option {
            Some(option) => Ok(option),
            None => suffixes
                .iter()
                .find_map(|suffix| self.variable(suffix))
                .map_or(Ok(false), |found| found.truth()),
        }
    }

    /// Prints data on standard output.
    ///
    /// # Errors
    /// The stream's own; that its reader went away is of a kind of its own.
    pub fn print(&mut self, text: &str) -> Result<()> {
        let written = self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush());
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => {
                Failure { ending: Ending::ClosedStdout, ..Failure::from(error) }
            }
            _ => Failure::from(error).context("writing standard output"),
        })
    }

    /// Shows data on standard output, as JSON if that is asked for.
    ///
    /// # Errors
    /// Those of [`Context::print`].
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

    /// Columns for help texts: those of standard output, else of standard error, else `COLUMNS`, else 80. Long lines
    /// are hard to read, so at most 100, and 80 in a pipe.
    pub fn help_width(&self) -> usize {
        let columns = || self.env.get("COLUMNS")?.to_str()?.parse().ok();
        let width = match (self.width)(Stream::Stdout) {
            Some(width) => width.min(100),
            None => (self.width)(Stream::Stderr).or_else(columns).unwrap_or(80).min(80),
        };
        width.max(40)
    }

    /// Root may change the global layer.
    pub fn is_root(&self) -> bool {
        self.user.uid == 0
    }

    /// The word that people type for this program.
    pub fn program(&self) -> &'static str {
        self.persona.name()
    }
}
