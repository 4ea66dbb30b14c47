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

use super::session::Session;
use crate::cli;
use crate::context::Context;
use crate::error::{Failure, Result};
use clap::{Args, Subcommand};
use std::path::PathBuf;

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
    /// Use FILE instead of your own remote.yaml
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    user_layer: Option<PathBuf>,
    /// Print the version of this program
    #[arg(long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Add(add::Options),
    AddKeyserver(AddKeyserver),
    Check(check::Options),
    GetLoginPassword(get_login_password::Options),
    List(list::Options),
    Login(login::Options),
    Logout(logout::Options),
    Remove(remove::Options),
    RemoveKeyserver(RemoveKeyserver),
    Status(status::Options),
    Use(use_::Options),
}

/// Add a keyserver to a global remote (not in this version yet)
#[derive(Args)]
struct AddKeyserver {
    /// The global remote, if not the default one
    #[arg(value_name = "NAME")]
    first: String,
    /// The keyserver's address
    #[arg(value_name = "URI")]
    second: Option<String>,
    /// Its place in the order in which keyservers are asked, from 1
    #[arg(short, long, value_name = "N")]
    order: Option<u32>,
    /// Allow http, and https without verification
    #[arg(short, long)]
    insecure: bool,
}

/// Remove a keyserver from a global remote (not in this version yet)
#[derive(Args)]
struct RemoveKeyserver {
    /// The global remote, if not the default one
    #[arg(value_name = "NAME")]
    first: String,
    /// The keyserver's address
    #[arg(value_name = "URI")]
    second: Option<String>,
}

/// `--json` of the commands that change something.
#[derive(Args)]
struct JsonOption {
    /// Print what was changed as JSON
    #[arg(short, long)]
    json: bool,
}

impl JsonOption {
    /// Says in JSON, if asked to, whether anything was changed.
    fn changed(&self, session: &mut Session, changed: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        session.ctx.print(&format!("{{\"version\":1,\"changed\":{changed}}}\n"))
    }
}

/// Runs a command of the group; without one prints its help.
///
/// # Errors
/// Those of the command.
pub fn run(group: Group, ctx: &mut Context) -> Result<()> {
    if group.version {
        return ctx.print(&format!("{} version {}\n", ctx.program(), cli::version()));
    }
    let Some(command) = group.command else {
        let mut tree = cli::tree(ctx.persona).term_width(ctx.width);
        tree.build();
        let help = tree.find_subcommand_mut("remote").map(|remote| remote.render_help().to_string());
        return ctx.print(&help.unwrap_or_default());
    };
    let mut session = Session::new(ctx, group.user_layer);
    let session = &mut session;
    match command {
        Command::Add(options) => add::run(options, session),
        Command::AddKeyserver(_) => Err(not_yet("add-keyserver", session)),
        Command::Check(options) => check::run(&options, session),
        Command::GetLoginPassword(options) => get_login_password::run(&options, session),
        Command::List(options) => list::run(&options, session),
        Command::Login(options) => login::run(options, session),
        Command::Logout(options) => logout::run(&options, session),
        Command::Remove(options) => remove::run(&options, session),
        Command::RemoveKeyserver(_) => Err(not_yet("remove-keyserver", session)),
        Command::Status(options) => status::run(&options, session),
        Command::Use(options) => use_::run(&options, session),
    }
}

/// What the services will do, and who does it today.
fn not_yet(command: &str, session: &Session) -> Failure {
    Failure::new(format!(
        "remote {command}: this version does not manage keyservers and registries yet; nothing was done"
    ))
    .hint(format!("use the command of an installation of {} for it", session.ctx.persona.title()))
}
