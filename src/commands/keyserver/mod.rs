//! The group `keyserver`.

pub(super) mod add;
mod list;
mod login;
mod logout;
pub(super) mod remove;

use super::GroupOptions;
use super::session::Session;
use crate::context::Context;
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
    options: GroupOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

super::commands! {
    "add": Add(add::Options),
    "list": List(list::Options),
    "login": Login(login::Options),
    "logout": Logout(logout::Options),
    "remove": Remove(remove::Options),
}

/// Runs a command of the group; without one prints its help.
///
/// # Errors
/// Those of the command.
pub fn run(group: Group, ctx: &mut Context) -> Result<()> {
    let Some(command) = group.command.filter(|_| !group.options.version) else {
        return super::without_command("keyserver", group.options.version, ctx);
    };
    let session = &mut Session::new(ctx, group.options.user_layer);
    match command {
        Command::Add(options) => add::run(&options, session, "keyserver add"),
        Command::List(options) => list::run(&options, session),
        Command::Login(options) => login::run(&options, session),
        Command::Logout(options) => logout::run(&options, session),
        Command::Remove(options) => remove::run(&options, session, "keyserver remove"),
    }
}
