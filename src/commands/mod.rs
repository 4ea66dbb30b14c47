//! The commands, one file each, and what they share.

pub(crate) mod completion;
pub(crate) mod images;
pub(crate) mod keyserver;
pub(crate) mod login;
pub(crate) mod registry;
pub(crate) mod remote;
pub mod session;

use crate::error::Result;
use crate::view::{Sink, View};
use clap::Args;
use serde::Serialize;
use session::Session;
use std::path::PathBuf;

/// Defines the `Command` enum of a group. Each command is a module with its `Options`, the `POSITIONALS` for
/// completion, and `run`. `only` builds the group with a single command, because building all commands takes
/// longer than running one.
macro_rules! commands {
    ($group:literal: $($name:literal $(or $alias:literal)? => $variant:ident($($module:ident)::+),)*) => {
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $(
                #[command(name = $name $(, visible_alias = $alias)?)]
                $variant($($module)::+::Options),
            )*
        }

        pub(crate) fn run(command: Command, session: &mut Session) -> Result<()> {
            match command {
                $(Command::$variant(options) => {
                    session.typed = concat!($group, " ", $name);
                    $($module)::+::run(&options, session)
                })*
            }
        }

        /// The kinds of a command's arguments, for completion.
        pub(crate) fn positionals(name: &str) -> Option<&'static [crate::commands::completion::candidates::Completes]> {
            match name {
                $($name => Some($($module)::+::POSITIONALS),)*
                _ => None,
            }
        }

        /// The group with only the given command.
        pub(crate) fn only(name: &str) -> Option<clap::Command> {
            let command = match name {
                $($name $(| $alias)? => {
                    let command = clap::Command::new($name)$(.visible_alias($alias))?;
                    <$($module)::+::Options as clap::Args>::augment_args(command)
                })*
                _ => return None,
            };
            let group = clap::Command::new($group);
            Some(<crate::commands::GroupOptions as clap::Args>::augment_args(group).subcommand(command))
        }
    };
}
use commands;

/// Options that every group has.
#[derive(Args)]
pub(crate) struct GroupOptions {
    /// Use FILE instead of ~/.apptainer/remote.yaml
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub(crate) user_layer: Option<PathBuf>,
    /// Print the version of this program
    #[arg(long)]
    pub(crate) version: bool,
}

/// The `--json` option of commands that change something.
#[derive(Args)]
struct JsonOption {
    /// Print the result as JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct Changed {
    version: u8,
    changed: bool,
}

impl View for Changed {
    fn document(&self) -> impl Serialize {
        self
    }

    fn text(&self, _: Sink) -> String {
        // The messages already report the result.
        String::new()
    }
}

impl JsonOption {
    /// With `--json`, prints whether anything changed.
    fn changed(&self, session: &mut Session, changed: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        session.ctx.show(&Changed { version: 1, changed }, true)
    }
}
