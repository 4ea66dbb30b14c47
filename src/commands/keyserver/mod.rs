//! The `keyserver` command group.

pub(super) mod add;
mod list;
mod login;
mod logout;
pub(super) mod remove;

use super::GroupOptions;
use super::session::Session;
use crate::error::Result;
use clap::Args;

/// Manage keyservers and logins to them
///
/// Keys are looked up on the endpoint's own keyserver and on those that an administrator has added, in order.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver list
  $ sudo {prog} keyserver add https://keys.example.com
  $ {prog} keyserver login -u ada https://keys.example.com")]
pub(crate) struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "keyserver":
    "add" => Add(add),
    "list" or "ls" => List(list),
    "login" => Login(login),
    "logout" => Logout(logout),
    "remove" or "rm" => Remove(remove),
}
