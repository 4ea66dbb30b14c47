//! `keyserver list [NAME]`: lists the keyservers of every remote in lookup order.

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::find::no_remote;
use crate::commands::session::keyservers::{in_order, is_login_to};
use crate::config::layers::{Effective, Origin, Remote};
use crate::config::{Credential, Keyserver};
use crate::error::Result;
use crate::message::escape;
use crate::uri::{ServiceUri, public};
use crate::view::{self, Cell, Sink, Style, View};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Remote];

/// List the keyservers of remote endpoints
///
/// Queries endpoints whose keyserver is not cached yet.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver list
  $ {prog} keyserver list --json lab | jq -r '.remotes[].keyservers[].uri'")]
pub(crate) struct Options {
    /// Remote whose keyservers to list [default: all remotes]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct KeyserverList {
    version: u8,
    remotes: Vec<RemoteEntry>,
    /// The command to suggest if there are no remotes.
    #[serde(skip)]
    add: String,
}

#[derive(Serialize)]
struct RemoteEntry {
    name: String,
    global: bool,
    default: bool,
    keyservers: Vec<KeyserverEntry>,
    /// Why the endpoint's own keyserver is unknown.
    problem: Option<String>,
}

#[derive(Serialize)]
struct KeyserverEntry {
    uri: String,
    order: usize,
    secure: bool,
    /// The column that Apptainer shows: whether the keyserver is not configured as insecure.
    #[serde(skip)]
    flagged_secure: bool,
    external: bool,
    login: bool,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let mut effective = session.load()?.effective;
    session.say_notes(&effective, options.name.as_deref());
    if let Some(name) = &options.name {
        if !effective.remotes.contains_key(name) {
            return Err(no_remote(session, name));
        }
        effective.remotes.retain(|own, _| own == name);
    }
    let rows = rows(&effective, session)?;
    for row in &rows {
        if let Some(problem) = &row.problem {
            session.ctx.talk.warning(format!("cannot determine the keyserver of {}: {problem}", row.name));
        }
    }
    let add = session.remote("add NAME URI").to_string();
    session.ctx.show(&KeyserverList { version: 1, remotes: rows, add }, options.json)
}

fn rows(effective: &Effective, session: &Session) -> Result<Vec<RemoteEntry>> {
    let own = session.own_keyservers(effective)?;
    let row = |remote: &Remote| {
        let own = own.get(&remote.name);
        let keyservers = in_order(remote, own.and_then(|own| own.as_deref().ok()));
        let keyservers = keyservers.iter().enumerate();
        RemoteEntry {
            name: remote.name.clone(),
            global: remote.origin == Origin::Global,
            default: effective.default.as_ref() == Some(&remote.name),
            keyservers: keyservers
                .map(|(at, keyserver)| KeyserverEntry::new(at + 1, keyserver, remote, &effective.credentials))
                .collect(),
            problem: own.and_then(|own| own.clone().err()),
        }
    };
    Ok(effective.remotes.values().map(row).collect())
}

impl KeyserverEntry {
    fn new(order: usize, keyserver: &Keyserver, remote: &Remote, logins: &[Credential]) -> Self {
        let uri = ServiceUri::from_stored(&keyserver.uri);
        Self {
            uri: public(&keyserver.uri).into_owned(),
            order,
            secure: !remote.keyserver_is_insecure(keyserver),
            flagged_secure: !keyserver.insecure,
            external: keyserver.external,
            login: uri.is_some_and(|uri| logins.iter().any(|login| is_login_to(login, &uri))),
        }
    }
}

impl View for KeyserverList {
    fn document(&self) -> impl Serialize {
        self
    }

    /// The layout of the real programs. On a terminal, a lock means that the keyserver is secure. In a pipe, as
    /// in the real programs, it means that the keyserver is not configured as insecure.
    fn text(&self, sink: Sink) -> String {
        if self.remotes.is_empty() && sink != Sink::Pipe {
            return format!("\nnone; to add a remote: {}\n", self.add);
        }
        let mut text = String::new();
        for remote in &self.remotes {
            let marks =
                format!("{}{}", if remote.global { "*" } else { "" }, if remote.default { "^" } else { "" });
            let _ = writeln!(text, "\n{} {marks}", escape(&remote.name));
            if remote.problem.is_some() {
                text.push_str("   (unable to fetch associated keyserver info for this endpoint)\n");
                if let (Some(problem), Sink::Terminal(screen)) = (&remote.problem, sink) {
                    let _ = writeln!(text, "   {}", Style::Bad.paint(&escape(problem), screen));
                }
            }
            let rows: Vec<Vec<Cell>> =
                remote.keyservers.iter().map(|keyserver| keyserver.cells(sink)).collect();
            text.push_str(&view::table(&[], 2, &rows, sink));
        }
        text.push_str("\n(* = system endpoint, ^ = default endpoint");
        if self.remotes.iter().flat_map(|remote| &remote.keyservers).any(|keyserver| keyserver.login) {
            text.push_str(",\n + = user is logged in directly to this keyserver");
        }
        text.push_str(")\n");
        text
    }
}

impl KeyserverEntry {
    fn cells(&self, sink: Sink) -> Vec<Cell> {
        let locked = if sink == Sink::Pipe { self.flagged_secure } else { self.secure };
        let lock = if locked { "🔒" } else { "" };
        let mut cells: Vec<Cell> =
            vec![" ".into(), format!("#{}", self.order).into(), self.uri.as_str().into(), lock.into()];
        if self.login {
            cells.push("+".into());
        }
        cells
    }
}
