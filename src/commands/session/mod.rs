//! The context of a command: the process, the two layers, and how to change them.

pub(crate) mod access;
pub(crate) mod find;
pub(crate) mod keyservers;
pub mod layers;
pub(crate) mod library;
pub(crate) mod migrate;
pub(crate) mod registry;
pub(crate) mod token;
pub(crate) mod wait;

use crate::config::layers::Effective;
use crate::context::Context;
use crate::error::{Failure, Result, ResultExt};
use crate::executable::{only_roots_path, sudo_finds};
use crate::fsio::Identity;
use crate::hint::CommandLine;
use crate::http::Trace;
use crate::paths::{Paths, Surroundings};
use std::cell::OnceCell;
use std::path::PathBuf;

/// The context of one command.
pub struct Session<'a> {
    pub ctx: &'a mut Context,
    /// The paths of the layers.
    pub paths: Paths,
    /// The command's name, e.g. `remote login`.
    pub typed: &'static str,
    /// The requests that were made, if the user wants to see them.
    trace: OnceCell<Trace>,
}

/// Shows the requests of transfers, which do not wait here.
impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.show_requests();
    }
}

impl<'a> Session<'a> {
    /// Resolves the paths. `typed` is the command's name, and `config` is the group's `--config FILE`.
    pub fn new(ctx: &'a mut Context, typed: &'static str, config: Option<PathBuf>) -> Self {
        let surroundings = Surroundings {
            exe: &ctx.exe,
            persona: ctx.persona,
            uid: ctx.user.uid,
            config_dir: ctx.variable("CONFIGDIR").map(|found| found.value.into()),
            home: ctx.env.get("HOME").map(PathBuf::from),
            passwd_home: &*ctx.passwd_home,
        };
        let paths = Paths::resolve(&surroundings, config);
        Self { ctx, paths, typed, trace: OnceCell::new() }
    }

    /// The current user, for trust checks.
    pub fn identity(&self) -> Identity {
        Identity { uid: self.ctx.user.uid }
    }

    /// A usage error of this command.
    pub fn usage(&self, message: impl Into<String>) -> Failure {
        Failure::usage(&self.typed.split(' ').collect::<Vec<_>>(), message.into())
    }

    /// Rejects options that exclude each other. clap cannot do it, because it would count `--switch=false` as
    /// given.
    ///
    /// # Errors
    /// Two of `options`, each with whether it was given, were given.
    pub fn exclusive(&self, options: &[(&str, bool)]) -> Result<()> {
        let given: Vec<&str> = options.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [one, other, ..] => {
                Err(self.usage(format!("the argument '{one}' cannot be used with '{other}'")))
            }
            _ => Ok(()),
        }
    }

    /// Prompts for a line of input. `None` at end of input.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn ask_line(&mut self, question: &str) -> Result<Option<String>> {
        self.ctx.talk.prompt(question);
        let answer = self.ctx.prompt.line().fail_context(|| "reading the terminal")?;
        if answer.is_none() {
            self.ctx.talk.prompt("\n");
        }
        Ok(answer)
    }

    /// Asks a yes/no question. Only "y" or "yes" counts as yes.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn confirm(&mut self, question: &str) -> Result<bool> {
        let answer = self.ask_line(&format!("{question} [y/N] "))?;
        Ok(answer.is_some_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
    }

    /// `apptainer WORDS`, for hints.
    pub fn command(&self, words: &str) -> CommandLine {
        CommandLine::new(self.ctx.program()).words(words)
    }

    /// `apptainer remote WORDS`, for hints, with the `-c FILE` that was typed.
    pub fn remote(&self, words: &str) -> CommandLine {
        let command = self.command("remote");
        let command = match &self.paths.chosen_file {
            Some(file) => command.words("-c").arg(file.display()),
            None => command,
        };
        command.words(words)
    }

    /// Prints the notes of the merge: all of them, or only those about `name`.
    pub fn say_notes(&self, effective: &Effective, name: Option<&str>) {
        for note in &effective.notes {
            if name.is_none_or(|name| note.remote() == name) {
                let text = note.text(self.ctx.program());
                if note.is_warning() { self.ctx.talk.warning(text) } else { self.ctx.talk.info(text) }
            }
        }
    }

    /// Fails unless the user is root. `what` names the thing to be modified, and `again` is the command for root.
    ///
    /// # Errors
    /// The user is not root.
    pub fn require_root(&self, what: &str, again: CommandLine) -> Result<()> {
        if self.ctx.is_root() {
            return Ok(());
        }
        let failure = Failure::new(format!("Unable to modify {what}: not root user"));
        Err(self.hint_as_root(failure, again))
    }

    /// Adds a command that needs root as a hint, and warns if other users can change the program that root would
    /// run.
    pub fn hint_as_root(&self, failure: Failure, command: CommandLine) -> Failure {
        let failure = failure.hint(command);
        let exe = &self.ctx.exe;
        if self.ctx.is_root() || exe.as_os_str().is_empty() || only_roots_path(exe) {
            return failure;
        }
        let install = CommandLine::new("sudo install").arg(exe.display()).words("/usr/local/bin/");
        failure.hint(install.because(format!(
            "users other than root can change {}: check it first, or install a copy for root",
            exe.display()
        )))
    }

    /// A command that needs root: with `sudo` if the user is not root, and with the path of this program if sudo
    /// would not find it.
    pub fn as_root(&self, words: &str) -> CommandLine {
        if self.ctx.is_root() {
            return self.command(words);
        }
        let exe = &self.ctx.exe;
        let program = if exe.as_os_str().is_empty() || sudo_finds(exe, self.ctx.program()) {
            self.ctx.program().into()
        } else {
            exe.to_string_lossy()
        };
        CommandLine::new("sudo").arg(program).words(words)
    }
}
