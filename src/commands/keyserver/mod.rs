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
pub(crate) struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "keyserver":
    "add" => Add(add),
    "list" => List(list),
    "login" => Login(login),
    "logout" => Logout(logout),
    "remove" => Remove(remove),
}
