//! `keyserver list [NAME]`: the keyservers of every remote, in the order in which they are asked.

use crate::commands::session::Session;
use crate::commands::session::find::no_remote;
use crate::commands::session::keyservers::{in_order, is_login_to};
use crate::config::layers::{Effective, Origin, Remote};
use crate::config::{Credential, Keyserver};
use crate::error::Result;
use crate::message::json_line;
use crate::table;
use crate::uri::{ServiceUri, public};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;

/// List the keyservers of remote endpoints
///
/// An endpoint whose keyserver is not known yet is asked for it.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} keyserver list
  $ {prog} keyserver list --json company | jq -r '.remotes[0].keyservers[].uri'")]
pub struct Options {
    /// Only the keyservers of this remote
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct Listing {
    version: u8,
    remotes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    global: bool,
    default: bool,
    keyservers: Vec<KeyserverRow>,
    /// Why the endpoint's own keyserver is not known.
    problem: Option<String>,
}

#[derive(Serialize)]
struct KeyserverRow {
    uri: String,
    order: usize,
    secure: bool,
    /// What Apptainer shows: that it is not configured as insecure.
    #[serde(skip)]
    flagged_secure: bool,
    external: bool,
    login: bool,
}

pub fn run(options: &Options, session: &mut Session) -> Result<()> {
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
            session.ctx.talk.warning(format!("the keyserver of {} is not known: {problem}", row.name));
        }
    }
    let text = if options.json {
        json_line(&Listing { version: 1, remotes: rows })
    } else {
        text(&rows, session.ctx.terminals.stdout())
    };
    session.ctx.print(&text)
}

fn rows(effective: &Effective, session: &Session) -> Result<Vec<Row>> {
    let own = session.own_keyservers(effective)?;
    let row = |remote: &Remote| {
        let own = own.get(&remote.name);
        let keyservers = in_order(remote, own.and_then(|own| own.as_deref().ok()));
        let keyservers = keyservers.iter().enumerate();
        Row {
            name: remote.name.clone(),
            global: remote.origin == Origin::Global,
            default: effective.default.as_ref() == Some(&remote.name),
            keyservers: keyservers
                .map(|(at, keyserver)| KeyserverRow::new(at + 1, keyserver, remote, &effective.credentials))
                .collect(),
            problem: own.and_then(|own| own.clone().err()),
        }
    };
    Ok(effective.remotes.values().map(row).collect())
}

impl KeyserverRow {
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

/// The real programs' layout. On a terminal a lock says that the keyserver is secure; in a pipe, as theirs, that
/// it is not configured as insecure.
fn text(rows: &[Row], terminal: bool) -> String {
    let mut text = String::new();
    for row in rows {
        let marks = format!("{}{}", if row.global { "*" } else { "" }, if row.default { "^" } else { "" });
        let _ = writeln!(text, "\n{} {marks}", crate::message::escape(&row.name));
        if row.problem.is_some() {
            text.push_str("   (unable to fetch associated keyserver info for this endpoint)\n");
        }
        let cells: Vec<Vec<String>> = row.keyservers.iter().map(|row| row.cells(terminal)).collect();
        text.push_str(&table::layout(&cells));
    }
    text.push_str("\n(* = system endpoint, ^ = default endpoint");
    if rows.iter().flat_map(|row| &row.keyservers).any(|keyserver| keyserver.login) {
        text.push_str(",\n + = user is logged in directly to this keyserver");
    }
    text.push_str(")\n");
    text
}

impl KeyserverRow {
    fn cells(&self, terminal: bool) -> Vec<String> {
        let locked = if terminal { self.secure } else { self.flagged_secure };
        let lock = if locked { "🔒" } else { "" };
        let mut cells = vec![" ".to_string(), format!("#{}", self.order), self.uri.clone(), lock.to_string()];
        if self.login {
            cells.push("+".to_string());
        }
        cells
    }
}
