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

/// The commands of a group by their names, as `Command`: each a module with its `Options`, the `POSITIONALS` that can
/// be completed, and `run`. And `only`, the group with one of them in it: to make them all takes longer than to run
/// one.
macro_rules! commands {
    ($group:literal: $($name:literal => $variant:ident($($module:ident)::+),)*) => {
        #[derive(clap::Subcommand)]
        pub(crate) enum Command {
            $(
                #[command(name = $name)]
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

        /// What the arguments of a command are, for completion.
        pub(crate) fn positionals(name: &str) -> Option<&'static [crate::commands::completion::candidates::Completes]> {
            match name {
                $($name => Some($($module)::+::POSITIONALS),)*
                _ => None,
            }
        }

        /// The group with the command of this name alone.
        pub(crate) fn only(name: &str) -> Option<clap::Command> {
            let command = match name {
                $($name => <$($module)::+::Options as clap::Args>::augment_args(clap::Command::new($name)),)*
                _ => return None,
            };
            let group = clap::Command::new($group);
            Some(<crate::commands::GroupOptions as clap::Args>::augment_args(group).subcommand(command))
        }
    };
}
use commands;

/// What stands behind the name of every group.
#[derive(Args)]
pub(crate) struct GroupOptions {
    /// Use FILE instead of your own remote.yaml
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub(crate) user_layer: Option<PathBuf>,
    /// Print the version of this program
    #[arg(long)]
    pub(crate) version: bool,
}

/// `--json` of the commands that change something.
#[derive(Args)]
struct JsonOption {
    /// Print what was changed as JSON
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
    /// Says in JSON, if asked to, whether anything was changed.
    fn changed(&self, session: &mut Session, changed: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        session.ctx.show(&Changed { version: 1, changed }, true)
    }
}
