//! `keyserver list [NAME]`: the keyservers of every remote, in the order in which they are asked.

use crate::commands::login::keyserver::is_of;
use crate::commands::session::Session;
use crate::commands::session::access::{Keep, address_of, wait};
use crate::commands::session::find::no_remote;
use crate::config::layers::{CLOUD_APPTAINER_KEYSERVER, Effective, Origin, Remote};
use crate::config::{Credential, Keyserver};
use crate::error::Result;
use crate::http::{Address, HttpError};
use crate::message::{cut, json_line};
use crate::services::Client;
use crate::services::endpoint::discovery::{self, Services};
use crate::table;
use crate::uri::{EndpointUri, ServiceUri, public};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
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
    let own = OwnKeyservers::of(effective, session)?;
    let row = |remote: &Remote| {
        let (own, problem) = match own.0.get(&remote.name) {
            Some(Ok(uri)) => (Some(Keyserver { uri: uri.clone(), ..Keyserver::default() }), None),
            Some(Err(problem)) => (None, Some(problem.clone())),
            None => (None, None),
        };
        let all = own.iter().chain(&remote.keyservers).filter(|keyserver| !keyserver.skip);
        Row {
            name: remote.name.clone(),
            global: remote.origin == Origin::Global,
            default: effective.default.as_ref() == Some(&remote.name),
            keyservers: all
                .enumerate()
                .map(|(at, keyserver)| KeyserverRow::new(at + 1, keyserver, remote, &effective.credentials))
                .collect(),
            problem,
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
            login: uri.is_some_and(|uri| logins.iter().any(|login| is_of(login, &uri))),
        }
    }
}

/// The keyservers that the endpoints themselves name, where no others are configured: by remote, with why
/// it is not known.
struct OwnKeyservers(BTreeMap<String, Result<String, String>>);

impl OwnKeyservers {
    /// From what is known already, and from the endpoints, all asked at once.
    fn of(effective: &Effective, session: &Session) -> Result<Self> {
        let mut own = BTreeMap::new();
        let mut asked = Vec::new();
        for remote in effective.remotes.values().filter(|remote| remote.keyservers.is_empty()) {
            let name = &remote.name;
            if remote.is_cloud_apptainer() {
                own.insert(name.clone(), Ok(CLOUD_APPTAINER_KEYSERVER.to_string()));
                continue;
            }
            let Some(uri) = EndpointUri::from_stored(&remote.uri) else {
                own.insert(name.clone(), Err("the remote has no usable address".to_string()));
                continue;
            };
            let address = address_of(&uri, remote);
            match session.cached_services(&address) {
                Some((services, _)) => drop(own.insert(name.clone(), keyserver_of(&services))),
                None => asked.push((name.clone(), address)),
            }
        }
        if asked.is_empty() {
            return Ok(Self(own));
        }
        let http = session.http(None);
        let answers = wait(ask(&http, &asked))?;
        for ((name, address), answer) in asked.into_iter().zip(answers) {
            let keyserver = match answer {
                Ok(services) => {
                    session.keep_services(&address, &services, Keep::WhereThereIsOne);
                    keyserver_of(&services)
                }
                Err(error) => Err(error.to_string()),
            };
            own.insert(name, keyserver);
        }
        Ok(Self(own))
    }
}

fn keyserver_of(services: &Services) -> Result<String, String> {
    let service = services.get("keyserver").map(|service| cut(&service.uri).into_owned());
    service.ok_or_else(|| "the endpoint names none".to_string())
}

/// Asks all endpoints at once; the answers come in their order.
async fn ask(http: &Client, endpoints: &[(String, Address)]) -> Vec<Result<Services, HttpError>> {
    let tasks: Vec<_> = endpoints
        .iter()
        .map(|(_, address)| {
            let (http, address) = (http.clone(), address.clone());
            let patience = http.limits().listing;
            tokio::spawn(async move { discovery::fetch_within(&http, &address, patience).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            // A task only ends like this when it panics, which is a fault of the program.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
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
