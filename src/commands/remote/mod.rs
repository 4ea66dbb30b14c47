//! The group `remote`.

mod add;
mod check;
mod get_login_password;
mod list;
mod login;
mod logout;
mod remove;
mod rename;
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
pub(crate) struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "remote":
    "add" => Add(add),
    "add-keyserver" => AddKeyserver(keyserver::add),
    "check" => Check(check),
    "get-login-password" => GetLoginPassword(get_login_password),
    "list" => List(list),
    "login" => Login(login),
    "logout" => Logout(logout),
    "remove" => Remove(remove),
    "remove-keyserver" => RemoveKeyserver(keyserver::remove),
    "rename" => Rename(rename),
    "status" => Status(status),
    "use" => Use(use_),
}
