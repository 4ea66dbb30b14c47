//! The group `remote`.

mod add;
mod check;
mod get_login_password;
mod list;
mod login;
mod logout;
mod remove;
mod status;
mod use_;

use super::GroupOptions;
use super::keyserver;
use super::session::Session;
use crate::error::Result;
use clap::Args;

/// Manage remote endpoints and their logins
///
/// A remote endpoint is a server that tells where the services that belong together are: a library of
/// images, a keyserver, a builder, and who may use them. Remotes are kept in two layers: your own file,
/// and a global one that root manages for everybody.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote add mycloud cloud.example.com
  $ {prog} remote login mycloud
  $ {prog} remote list
  $ sudo {prog} remote add --global company https://cloud.company.example")]
pub struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "add": Add(add::Options),
    "add-keyserver": AddKeyserver(keyserver::add::Options),
    "check": Check(check::Options),
    "get-login-password": GetLoginPassword(get_login_password::Options),
    "list": List(list::Options),
    "login": Login(login::Options),
    "logout": Logout(logout::Options),
    "remove": Remove(remove::Options),
    "remove-keyserver": RemoveKeyserver(keyserver::remove::Options),
    "status": Status(status::Options),
    "use": Use(use_::Options),
}

/// Runs a command of the group.
///
/// # Errors
/// Those of the command.
pub(crate) fn run(command: Command, session: &mut Session) -> Result<()> {
    match command {
        Command::Add(options) => add::run(options, session),
        Command::AddKeyserver(options) => keyserver::add::run(&options, session, "remote add-keyserver"),
        Command::Check(options) => check::run(&options, session),
        Command::GetLoginPassword(options) => get_login_password::run(&options, session),
        Command::List(options) => list::run(&options, session),
        Command::Login(options) => login::run(options, session),
        Command::Logout(options) => logout::run(options, session),
        Command::Remove(options) => remove::run(&options, session),
        Command::RemoveKeyserver(options) => {
            keyserver::remove::run(&options, session, "remote remove-keyserver")
        }
        Command::Status(options) => status::run(&options, session),
        Command::Use(options) => use_::run(&options, session),
    }
}
