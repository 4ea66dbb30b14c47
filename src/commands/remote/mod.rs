//! The `remote` command group.

mod add;
mod check;
mod get_login_password;
mod list;
mod login;
mod logout;
mod mistaken;
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
/// A remote endpoint is a server that advertises a set of services: an image library, a keyserver, a builder
/// and authentication. Remotes come from two files: yours, and a global one that root manages for all users.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote add mycloud cloud.example.com
  $ {prog} remote login mycloud
  $ {prog} remote list
  $ sudo {prog} remote add --global company cloud.company.example")]
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
    "list" or "ls" => List(list),
    "login" => Login(login),
    "logout" => Logout(logout),
    "remove" or "rm" => Remove(remove),
    "remove-keyserver" => RemoveKeyserver(keyserver::remove),
    "rename" => Rename(rename),
    "status" => Status(status),
    "use" => Use(use_),
}
