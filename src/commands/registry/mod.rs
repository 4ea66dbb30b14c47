//! The `registry` command group.

mod list;
mod login;
mod logout;

use super::GroupOptions;
use super::session::Session;
use crate::error::Result;
use clap::Args;

/// Manage logins to OCI registries
///
/// Logins are verified with the registry and stored where Apptainer, Docker, Podman and Skopeo look for them.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry login -u ada docker://ghcr.io
  $ {prog} registry list
  $ {prog} registry logout docker://ghcr.io")]
pub(crate) struct Group {
    #[command(flatten)]
    pub(crate) options: GroupOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

super::commands! {
    "registry":
    "list" or "ls" => List(list),
    "login" => Login(login),
    "logout" => Logout(logout),
}
