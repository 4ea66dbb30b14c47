//! What every command works on: the process, the two layers, and the way to change one of them.

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

/// One command's view of the world.
pub struct Session<'a> {
    /// The process.
    pub ctx: &'a mut Context,
    /// Where the layers are.
    pub paths: Paths,
    /// The words that name the command: `remote login`.
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
    /// Resolves the paths; `typed` are the words that name the command, and `config` is `--config FILE` of the group.
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

    /// Who acts, for the rules of trust.
    pub fn identity(&self) -> Identity {
        Identity { uid: self.ctx.user.uid }
    }

    /// A wrong command line of this command.
    pub fn usage(&self, message: impl Into<String>) -> Failure {
        Failure::usage(&self.typed.split(' ').collect::<Vec<_>>(), message.into())
    }

    /// Refuses two options that exclude each other. clap cannot: it would count `--switch=false` as given.
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

    /// Asks a person a question, who answers with a line; `None` if nobody does.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn ask_line(&mut self, question: &str) -> Result<Option<String>> {
        self.ctx.talk.prompt(question);
        let answer = self.ctx.prompt.line().fail_context(|| "reading the terminal")?;
        if answer.is_none() {
            self.ctx.talk.prompt("\n");
        }
        Ok(answer)
    }

    /// Asks a person a question that only y or yes answers with yes.
    ///
    /// # Errors
    /// Those of the terminal.
    pub fn confirm(&mut self, question: &str) -> Result<bool> {
        let answer = self.ask_line(&format!("{question} [y/N] "))?;
        Ok(answer.is_some_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
    }

    /// `apptainer WORDS`, for hints.
    pub fn command(&self, words: &str) -> CommandLine {
        CommandLine::new(self.ctx.program()).words(words)
    }

    /// `apptainer remote WORDS`, for hints.
    pub fn remote(&self, words: &str) -> CommandLine {
        self.command("remote").words(words)
    }

    /// Says what the merge noticed: all of it, or only what is about `name`.
    pub fn say_notes(&self, effective: &Effective, name: Option<&str>) {
        for note in &effective.notes {
            if name.is_none_or(|name| note.remote() == name) {
                let text = note.text(self.ctx.program());
                if note.is_warning() { self.ctx.talk.warning(text) } else { self.ctx.talk.info(text) }
            }
        }
    }

    /// Refuses everybody but root. `what` is not theirs to modify, `again` is what root has to type.
    ///
    /// # Errors
    /// Somebody else than root asks.
    pub fn require_root(&self, what: &str, again: CommandLine) -> Result<()> {
        if self.ctx.is_root() {
            return Ok(());
        }
        let failure = Failure::new(format!("Unable to modify {what}: not root user"));
        Err(self.hint_as_root(failure, again))
    }

    /// Adds a command line that takes root as a hint, and says so where root would run a file that others can
    /// change.
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

    /// A command line that takes root: with `sudo` for others, and with the path of this program where sudo would
    /// not find it.
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
