//! The group `keyserver`.

pub(super) mod add;
mod list;
mod login;
mod logout;
pub(super) mod remove;

use super::GroupOptions;
use super::session::Session;
use crate::error::Result;
use clap::Args;

/// Manage the keyservers of remote endpoints, and logins to them
///
/// Keys are looked up at the keyserver that the endpoint names, and at those that an administrator added to
/// a global remote, in their order.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver list
  $ sudo {prog} keyserver add https://keys.example.com
  $ {prog} keyserver login -u ada https://keys.example.com")]
pub struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "add": Add(add::Options),
    "list": List(list::Options),
    "login": Login(login::Options),
    "logout": Logout(logout::Options),
    "remove": Remove(remove::Options),
}

/// Runs a command of the group.
///
/// # Errors
/// Those of the command.
pub(crate) fn run(command: Command, session: &mut Session) -> Result<()> {
    match command {
        Command::Add(options) => add::run(&options, session, "keyserver add"),
        Command::List(options) => list::run(&options, session),
        Command::Login(options) => login::run(&options, session),
        Command::Logout(options) => logout::run(&options, session),
        Command::Remove(options) => remove::run(&options, session, "keyserver remove"),
    }
}
