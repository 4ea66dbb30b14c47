//! The commands, one file each, and what they share: the session, and what every group has.

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

/// Defines the commands of a group, as `Command`: each is a module with its `Options`, the `POSITIONALS` that
/// can be completed, and `run`. `only` builds the group with just one of its commands, because building all
/// of them takes longer than running one.
macro_rules! commands {
    ($group:literal: $($name:literal $(or $alias:literal)? => $variant:ident($($module:ident)::+),)*) => {
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $(
                #[command(name = $name $(, visible_alias = $alias)?)]
                $variant($($module)::+::Options),
            )*
        }

        /// Runs a command of the group.
        ///
        /// # Errors
        /// Those of the command.
        pub(crate) fn run(command: Command, session: &mut Session) -> Result<()> {
            match command {
                $(Command::$variant(options) => {
                    session.typed = concat!($group, " ", $name);
                    $($module)::+::run(&options, session)
                })*
            }
        }

        /// What each argument of a command is, for completion.
        pub(crate) fn positionals(name: &str) -> Option<&'static [crate::commands::completion::candidates::Completes]> {
            match name {
                $($name => Some($($module)::+::POSITIONALS),)*
                _ => None,
            }
        }

        /// The group with only the command of this name.
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

/// The options of every group.
#[derive(Args)]
pub(crate) struct GroupOptions {
    /// Use FILE instead of ~/.apptainer/remote.yaml
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub(crate) user_layer: Option<PathBuf>,
    /// Print the version of this program
    #[arg(long)]
    pub(crate) version: bool,
}

/// `--json` of the commands that change something.
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
        // The messages say it.
        String::new()
    }
}

impl JsonOption {
    /// Prints in JSON, if asked to, whether anything changed.
    fn changed(&self, session: &mut Session, changed: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        session.ctx.show(&Changed { version: 1, changed }, true)
    }
}
