//! `remote list`. Uses no network and writes no files.

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::keyservers::in_order;
use crate::commands::session::layers::Layers;
use crate::commands::session::token::span;
use crate::config::layers::{Effective, Note, Origin, Remote};
use crate::config::{Credential, Keyserver};
use crate::error::Result;
use crate::message::Level;
use crate::paths;
use crate::services::endpoint::account::jwt_expiry;
use crate::uri::{is_plain_http, public, shown};
use crate::view::{self, Cell, Sink, Style, View};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

pub(super) const POSITIONALS: &[Completes] = &[];

/// List remote endpoints, keyservers and logins
///
/// On a terminal, or with --all, also lists the default remote's keyservers and your registry and keyserver
/// logins. In a pipe it prints just the remotes, byte for byte like Apptainer.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote list
  $ {prog} remote list --json | jq -r '.remotes[]|select(.default).name'")]
pub(crate) struct Options {
    /// Show keyservers and logins even in a pipe
    #[arg(short, long)]
    all: bool,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct RemoteList<'a> {
    version: u8,
    files: Files,
    remotes: Vec<RemoteEntry<'a>>,
    keyservers: Vec<KeyserverEntry>,
    logins: Vec<LoginEntry>,
    /// Also show keyservers and logins in text output.
    #[serde(skip)]
    all: bool,
    /// The command to suggest if there are no remotes.
    #[serde(skip)]
    add: String,
}

#[derive(Default, Serialize)]
struct Files {
    user: Option<String>,
    global: String,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools)]
struct RemoteEntry<'a> {
    name: &'a str,
    uri: String,
    default: bool,
    global: bool,
    exclusive: bool,
    insecure: bool,
    token: bool,
    #[serde(skip)]
    login: Cell,
}

#[derive(Serialize)]
struct KeyserverEntry {
    /// `None` if the endpoint's own keyserver is not cached.
    uri: Option<String>,
    global: bool,
    insecure: bool,
    order: usize,
    active: bool,
}

#[derive(Serialize)]
struct LoginEntry {
    uri: String,
    insecure: bool,
}

impl LoginEntry {
    fn new(login: &Credential) -> Self {
        let insecure = login.insecure || is_plain_http(&login.uri);
        Self { uri: public(&login.uri).into_owned(), insecure }
    }
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let options_given = [("--all", options.all), ("--json", options.json)];
    session.exclusive(&options_given)?;
    let layers = session.load()?;
    say_more(session, &layers);
    let all = options.all || session.ctx.terminals.stdout();
    // Only looks up what is printed. In a pipe that is only the remotes.
    let more = all || options.json;
    let effective = &layers.effective;
    let list = RemoteList {
        version: 1,
        files: if options.json { files(session) } else { Files::default() },
        remotes: remotes(session, &layers),
        keyservers: if more { keyservers(session, effective) } else { Vec::new() },
        logins: if more { effective.credentials.iter().map(LoginEntry::new).collect() } else { Vec::new() },
        all,
        add: session.remote("add NAME URI").to_string(),
    };
    session.ctx.show(&list, options.json)
}

/// Prints the notes of the merge, the paths in use, and a warning if the next program in PATH reads another
/// global file.
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

impl View for RemoteList<'_> {
    fn document(&self) -> impl Serialize {
        self
    }

    fn text(&self, sink: Sink) -> String {
        if self.all { self.sections(sink) } else { self.remotes(sink) }
    }
}

impl RemoteList<'_> {
    /// The table of remotes. In a pipe it is byte for byte like that of the real programs.
    fn remotes(&self, sink: Sink) -> String {
        const HEAD: [&str; 7] = ["NAME", "URI", "DEFAULT?", "GLOBAL?", "EXCLUSIVE?", "SECURE?", "LOGIN"];
        let columns = if sink == Sink::Pipe { HEAD.len() - 1 } else { HEAD.len() };
        if self.remotes.is_empty() && sink != Sink::Pipe {
            return format!("\nnone; to add one: {}\n", self.add);
        }
        let tick = |yes: bool| Cell::from(if yes { "✓" } else { "" });
        let row = |remote: &RemoteEntry| {
            let style = if remote.default { Style::Bold } else { Style::Plain };
            let mut row = vec![
                Cell::styled(remote.name, style),
                remote.address(sink),
                tick(remote.default),
                tick(remote.global),
                tick(remote.exclusive),
                Cell::from(if remote.insecure { "✗!" } else { "✓" }),
                remote.login.clone(),
            ];
            row.truncate(columns);
            row
        };
        let rows: Vec<_> = self.remotes.iter().map(row).collect();
        format!("\n{}", view::table(&HEAD[..columns], 1, &rows, sink))
    }

    /// The three sections of the user guide. The last two appear only if they have rows.
    fn sections(&self, sink: Sink) -> String {
        let mut text =
            format!("\nCloud Services Endpoints\n========================\n{}", self.remotes(sink));
        if !self.keyservers.is_empty() {
            let rows: Vec<Vec<Cell>> = self.keyservers.iter().map(KeyserverEntry::cells).collect();
            let table = view::table(&["URI", "GLOBAL", "INSECURE", "ORDER"], 0, &rows, sink);
            let _ = write!(text, "\nKeyservers\n==========\n\n{}", trimmed(&table));
            if self.keyservers.iter().any(|keyserver| keyserver.active && keyserver.uri.is_some()) {
                text.push_str("\n* Active cloud services keyserver\n");
            }
        }
        if !self.logins.is_empty() {
            let rows: Vec<Vec<Cell>> = self
                .logins
                .iter()
                .map(|login| vec![login.uri.as_str().into(), yes(login.insecure)])
                .collect();
            let table = view::table(&["URI", "INSECURE"], 0, &rows, sink);
            let _ = write!(text, "\nAuthenticated Logins\n=================================\n\n{table}");
        }
        text
    }
}

impl RemoteEntry<'_> {
    /// The address, or on a terminal a note if there is none.
    fn address(&self, sink: Sink) -> Cell {
        match sink {
            Sink::Terminal(_) if self.uri.is_empty() => Cell::styled("(no URI)", Style::Bad),
            _ => Cell::from(self.uri.as_str()),
        }
    }
}

impl KeyserverEntry {
    fn cells(&self) -> Vec<Cell> {
        match &self.uri {
            Some(uri) => {
                let order = format!("{}{}", self.order, if self.active { "*" } else { "" });
                vec![uri.as_str().into(), yes(self.global), yes(self.insecure), order.into()]
            }
            None => {
                let unknown = "(unknown until \"remote status\" has asked)";
                [unknown, "", "", ""].map(Cell::from).into()
            }
        }
    }
}

fn yes(is: bool) -> Cell {
    if is { "YES" } else { "NO" }.into()
}

/// Removes the trailing spaces that pad empty cells.
fn trimmed(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The keyservers of the default remote in lookup order.
fn keyservers(session: &Session, effective: &Effective) -> Vec<KeyserverEntry> {
    let Some(remote) = effective.default.as_ref().map(|name| &effective.remotes[name]) else {
        return Vec::new();
    };
    let own = if remote.keyservers.is_empty() { session.known_own_keyserver(remote) } else { None };
    let all = in_order(remote, own.as_ref().and_then(|own| own.as_deref().ok()));
    if all.is_empty() && remote.keyservers.is_empty() {
        return vec![KeyserverEntry {
            uri: None,
            global: true,
            insecure: remote.insecure,
            order: 1,
            active: true,
        }];
    }
    let row = |(at, keyserver): (usize, &Keyserver)| KeyserverEntry {
        uri: Some(public(&keyserver.uri).into_owned()),
        global: true,
        insecure: remote.keyserver_is_insecure(keyserver),
        order: at + 1,
        active: !keyserver.external,
    };
    all.iter().enumerate().map(row).collect()
}

fn remotes<'a>(session: &Session, layers: &'a Layers) -> Vec<RemoteEntry<'a>> {
    let effective = &layers.effective;
    let entry = |remote: &'a Remote| RemoteEntry {
        name: &remote.name,
        uri: shown(&remote.uri),
        default: effective.default.as_ref() == Some(&remote.name),
        global: remote.origin == Origin::Global,
        exclusive: remote.exclusive,
        insecure: remote.insecure,
        token: remote.token.is_some() || session.environment_has_token(&remote.uri),
        login: if session.ctx.terminals.stdout() { login(session, layers, remote) } else { Cell::default() },
    };
    effective.remotes.values().map(entry).collect()
}

/// Whether the user is logged in, when the token expires, and why it cannot be used.
fn login(session: &Session, layers: &Layers, remote: &Remote) -> Cell {
    if layers.held_back(session, remote).is_some() {
        return Cell::styled("not sent", Style::Bad);
    }
    if session.environment_has_token(&remote.uri) {
        return "✓".into();
    }
    let is_elsewhere = |note: &Note| matches!(note, Note::TokenForOther(name, _) if *name == remote.name);
    if layers.effective.notes.iter().any(is_elsewhere) {
        return Cell::styled("for another host", Style::Bad);
    }
    let now = session.now();
    match remote.token.as_ref().map(jwt_expiry) {
        None => Cell::default(),
        Some(None) => "✓".into(),
        Some(Some(expires)) if expires <= now => Cell::styled("expired", Style::Bad),
        Some(Some(expires)) => format!("ends in {}", span(expires - now)).into(),
    }
}

fn files(session: &Session) -> Files {
    let path = |path: &Path| path.display().to_string();
    Files {
        user: session.paths.user_file_to_read().ok().map(|file| path(&file)),
        global: path(&session.paths.global_file),
    }
}
