//! The group `registry`.

mod list;
mod login;
mod logout;

use super::GroupOptions;
use super::session::Session;
use crate::context::Context;
use crate::error::Result;
use clap::Args;

/// Manage logins to OCI registries
///
/// A login is checked with the registry and stored where Apptainer, docker, podman and skopeo find it.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry login -u ada docker://ghcr.io
  $ {prog} registry list
  $ {prog} registry logout docker://ghcr.io")]
pub struct Group {
    #[command(flatten)]
    options: GroupOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

super::commands! {
    "list": List(list::Options),
    "login": Login(login::Options),
    "logout": Logout(logout::Options),
}

/// Runs a command of the group; without one prints its help.
///
/// # Errors
/// Those of the command.
pub fn run(group: Group, ctx: &mut Context) -> Result<()> {
    let Some(command) = group.command.filter(|_| !group.options.version) else {
        return super::without_command("registry", group.options.version, ctx);
    };
    let session = &mut Session::new(ctx, group.options.user_layer);
    match command {
        Command::List(options) => list::run(&options, session),
        Command::Login(options) => login::run(options, session),
        Command::Logout(options) => logout::run(options, session),
    }
}
