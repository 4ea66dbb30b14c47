//! `remote list`: what there is. Never asks the network, never writes.

use crate::commands::session::Session;
use crate::commands::session::keyservers::in_order;
use crate::commands::session::layers::Layers;
use crate::config::layers::{Effective, Origin};
use crate::config::{Credential, Keyserver};
use crate::error::{Result, exclusive};
use crate::message::{Level, json_line};
use crate::paths;
use crate::table;
use crate::uri::{is_plain_http, public, shown};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;

/// List remote endpoints, keyservers and logins
///
/// On a terminal, or with --all, the keyservers of the default remote and your logins to registries and
/// keyservers follow. In a pipe it prints the remotes alone, exactly as the real program does.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote list
  $ {prog} remote list --json | jq -r '.remotes[] | select(.default).name'")]
pub struct Options {
    /// Show keyservers and logins too, also in a pipe
    #[arg(short, long)]
    all: bool,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    files: Files,
    remotes: Vec<RemoteRow<'a>>,
    keyservers: Vec<KeyserverRow>,
    logins: Vec<LoginRow>,
}

#[derive(Serialize)]
struct Files {
    user: Option<String>,
    global: String,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools)]
struct RemoteRow<'a> {
    name: &'a str,
    uri: String,
    default: bool,
    global: bool,
    exclusive: bool,
    insecure: bool,
    token: bool,
}

#[derive(Serialize)]
struct KeyserverRow {
    /// `None` where only the endpoint itself could tell.
    uri: Option<String>,
    global: bool,
    insecure: bool,
    order: usize,
    active: bool,
}

#[derive(Serialize)]
struct LoginRow {
    uri: String,
    insecure: bool,
}

impl LoginRow {
    fn new(login: &Credential) -> Self {
        let insecure = login.insecure || is_plain_http(&login.uri);
        Self { uri: public(&login.uri).into_owned(), insecure }
    }
}

pub fn run(options: &Options, session: &mut Session) -> Result<()> {
    let options_given = [("--all", options.all), ("--json", options.json)];
    exclusive(&["remote", "list"], &options_given)?;
    let layers = session.load()?;
    say_more(session, &layers);
    let effective = &layers.effective;
    let text = if options.json {
        document(session, effective)
    } else if options.all || session.ctx.terminals.stdout() {
        sections(session, effective)
    } else {
        remotes(effective)
    };
    session.ctx.print(&text)
}

/// The notes of the merge, the paths in use, and a global file that only the other program reads.
fn say_more(session: &Session, layers: &Layers) {
    session.say_notes(&layers.effective, None);
    let talk = &session.ctx.talk;
    let global = &session.paths.global_file;
    if talk.shows(Level::Verbose) {
        let user = session.paths.user_file_to_read();
        let user = user.map_or_else(|_| String::new(), |user| format!("user file: {}, ", user.display()));
        talk.verbose(format!("{user}global file: {}", global.display()));
    }
    let Some(next) = session.ctx.next_program(session.ctx.program().as_ref()) else { return };
    let theirs = std::fs::canonicalize(&next).map(|file| paths::global_file(&file, session.ctx.persona));
    if let Ok(theirs) = theirs
        && theirs != *global
        && theirs.exists()
    {
        talk.warning(format!(
            "{} reads another global file: {} there, {} here",
            next.display(),
            theirs.display(),
            global.display()
        ));
    }
}

/// The table of remotes, byte for byte as the real programs print it.
fn remotes(effective: &Effective) -> String {
    const HEAD: [&str; 6] = ["NAME", "URI", "DEFAULT?", "GLOBAL?", "EXCLUSIVE?", "SECURE?"];
    let tick = |yes: bool| if yes { "✓" } else { "" }.to_string();
    let mut rows = vec![HEAD.map(String::from)];
    rows.extend(effective.remotes.values().map(|remote| {
        [
            remote.name.clone(),
            shown(&remote.uri),
            tick(effective.default.as_ref() == Some(&remote.name)),
            tick(remote.origin == Origin::Global),
            tick(remote.exclusive),
            if remote.insecure { "✗!" } else { "✓" }.to_string(),
        ]
    }));
    format!("\n{}", table::layout(&rows))
}

/// The three sections of the user guide, the last two only where they have rows.
fn sections(session: &Session, effective: &Effective) -> String {
    let mut text = format!("\nCloud Services Endpoints\n========================\n{}", remotes(effective));
    let keyservers = keyservers(session, effective);
    if !keyservers.is_empty() {
        let mut rows = vec![["URI", "GLOBAL", "INSECURE", "ORDER"].map(String::from)];
        rows.extend(keyservers.iter().map(|row| match &row.uri {
            Some(uri) => {
                let order = format!("{}{}", row.order, if row.active { "*" } else { "" });
                [uri.clone(), yes(row.global), yes(row.insecure), order]
            }
            None => [
                format!("(unknown until \"{}\" has asked)", "remote status"),
                String::new(),
                String::new(),
                String::new(),
            ],
        }));
        let _ = write!(text, "\nKeyservers\n==========\n\n{}", trimmed(&table::layout(&rows)));
        if keyservers.iter().any(|row| row.active && row.uri.is_some()) {
            text.push_str("\n* Active cloud services keyserver\n");
        }
    }
    if !effective.credentials.is_empty() {
        let mut rows = vec![["URI", "INSECURE"].map(String::from)];
        rows.extend(
            effective.credentials.iter().map(LoginRow::new).map(|login| [login.uri, yes(login.insecure)]),
        );
        let _ = write!(
            text,
            "\nAuthenticated Logins\n=================================\n\n{}",
            table::layout(&rows)
        );
    }
    text
}

fn yes(is: bool) -> String {
    if is { "YES" } else { "NO" }.into()
}

/// Without the blanks that pad towards empty cells.
fn trimmed(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The keyservers of the default remote, in the order in which they are asked.
fn keyservers(session: &Session, effective: &Effective) -> Vec<KeyserverRow> {
    let Some(remote) = effective.default.as_ref().map(|name| &effective.remotes[name]) else {
        return Vec::new();
    };
    let own = if remote.keyservers.is_empty() { session.known_own_keyserver(remote) } else { None };
    let all = in_order(remote, own.as_ref().and_then(|own| own.as_deref().ok()));
    if all.is_empty() && remote.keyservers.is_empty() {
        return vec![KeyserverRow {
            uri: None,
            global: true,
            insecure: remote.insecure,
            order: 1,
            active: true,
        }];
    }
    let row = |(at, keyserver): (usize, &Keyserver)| KeyserverRow {
        uri: Some(public(&keyserver.uri).into_owned()),
        global: true,
        insecure: remote.keyserver_is_insecure(keyserver),
        order: at + 1,
        active: !keyserver.external,
    };
    all.iter().enumerate().map(row).collect()
}

fn document(session: &Session, effective: &Effective) -> String {
    let remotes = effective.remotes.values().map(|remote| RemoteRow {
        name: &remote.name,
        uri: shown(&remote.uri),
        default: effective.default.as_ref() == Some(&remote.name),
        global: remote.origin == Origin::Global,
        exclusive: remote.exclusive,
        insecure: remote.insecure,
        token: remote.token.is_some() || session.environment_has_token(&remote.uri),
    });
    let path = |path: &std::path::Path| path.display().to_string();
    let document = Document {
        version: 1,
        files: Files {
            user: session.paths.user_file_to_read().ok().map(|file| path(&file)),
            global: path(&session.paths.global_file),
        },
        remotes: remotes.collect(),
        keyservers: keyservers(session, effective),
        logins: effective.credentials.iter().map(LoginRow::new).collect(),
    };
    json_line(&document)
}
