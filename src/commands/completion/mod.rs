//! `completion SHELL`, and the hidden command that the shell scripts run on every TAB.

mod answer;
pub(crate) mod candidates;
mod known;
mod other;

pub(crate) use answer::answer;

use crate::context::Context;
use crate::error::Result;
use clap::{Args, ValueEnum};

/// Print a shell completion script
///
/// Completes commands, options, and the names of your remotes, keyservers and logins. Commands of an
/// Apptainer further down PATH are completed too.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ . <({prog} completion bash)
  $ cd ~/.local/share/bash-completion/completions
  $ {prog} completion bash > {prog}
  $ {prog} completion zsh > ~/.zfunc/_{prog}
  $ {prog} completion fish > ~/.config/fish/completions/{prog}.fish")]
pub(crate) struct Options {
    /// Shell to generate the script for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// A shell for which there is a completion script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

impl Shell {
    /// Whether there is a script for the shell called `name`.
    pub(crate) fn is_known(name: &str) -> bool {
        Self::from_str(name, false).is_ok()
    }

    /// The script template, in which `{prog}` is replaced by the program's name.
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("script.bash"),
            Self::Fish => include_str!("script.fish"),
            Self::Zsh => include_str!("script.zsh"),
        }
    }
}

pub(crate) fn run(options: &Options, ctx: &mut Context) -> Result<()> {
    let script = options.shell.script().replace("{prog}", ctx.program());
    ctx.print(&script)
}
