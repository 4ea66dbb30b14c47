//! `registry list`: lists logins and where they are stored. Uses no network and runs no credential helper.

use crate::auth_file::{Document, Entry, Keeper, is_same_login};
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::registry::{ENVIRONMENT, Store, environment};
use crate::config::Credential;
use crate::error::Result;
use crate::uri::{ServiceUri, is_plain_http};
use crate::view::{self, Cell, Sink, Style, View};
use clap::Args;
use serde::Serialize;

pub(super) const POSITIONALS: &[Completes] = &[];

/// List logins to OCI registries
///
/// Includes logins that Docker, Podman and Skopeo stored in the same file.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} registry list
  $ {prog} registry list --json | jq -r '.registries[].uri'")]
pub(crate) struct Options {
    /// Print JSON
    #[arg(short, long)]
    json: bool,
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct LoginList {
    version: u8,
    files: Files,
    registries: Vec<LoginEntry>,
    /// The command to suggest if there are no logins.
    #[serde(skip)]
    login: String,
}

#[derive(Serialize)]
struct Files {
    auth: String,
}

#[derive(Serialize)]
struct LoginEntry {
    uri: String,
    secure: bool,
    /// `None` if `remote.yaml` lists the login but no password is stored.
    source: Option<Source>,
    /// The suffix of the credential helper that stores it.
    helper: Option<String>,
}

/// The maximum number of unusable helpers to warn about.
const MOST_HELPERS: usize = 20;

/// Where a login comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    File,
    Helper,
    Environment,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let layers = session.load()?;
    let store = session.auth_store(None)?;
    let loaded = store.load(session)?;
    if let Some(distrust) = &loaded.distrust {
        session.ctx.talk.warning(format!("{}; {}", distrust.sentence(), distrust.remedy.advice()));
    }
    let sources = Sources { file: loaded.document, environment: environment(session) };
    let rows = rows(&layers.effective.credentials, &sources);
    warn(&rows, &sources, &store, session);
    let files = Files { auth: store.file.path.display().to_string() };
    let login = session.command("registry login docker://HOST").to_string();
    session.ctx.show(&LoginList { version: 1, files, registries: rows, login }, options.json)
}

impl View for LoginList {
    fn document(&self) -> impl Serialize {
        self
    }

    fn text(&self, sink: Sink) -> String {
        if self.registries.is_empty() && sink != Sink::Pipe {
            return format!("\nnone; to log in to a registry: {}\n", self.login);
        }
        const HEAD: [&str; 3] = ["URI", "SECURE?", "PROBLEM"];
        let shows_problems = sink != Sink::Pipe && self.registries.iter().any(|login| login.source.is_none());
        let columns = if shows_problems { HEAD.len() } else { HEAD.len() - 1 };
        let secure = |login: &LoginEntry| if login.secure { "✓" } else { "✗!" };
        let rows: Vec<Vec<Cell>> = self
            .registries
            .iter()
            .map(|login| {
                let problem = if login.source.is_none() { "no password" } else { "" };
                let mut row =
                    vec![login.uri.as_str().into(), secure(login).into(), Cell::styled(problem, Style::Bad)];
                row.truncate(columns);
                row
            })
            .collect();
        format!("\n{}", view::table(&HEAD[..columns], 0, &rows, sink))
    }
}

struct Sources {
    file: Document,
    environment: Option<Document>,
}

/// The logins listed in `remote.yaml`, then those of other programs in the auth file, then those in the
/// environment.
fn rows(listed: &[Credential], sources: &Sources) -> Vec<LoginEntry> {
    let mut rows: Vec<LoginEntry> = Vec::new();
    for login in listed {
        if let Some(uri) = ServiceUri::from_stored(&login.uri).filter(ServiceUri::is_registry) {
            rows.push(sources.row(&uri, !login.insecure && !plain_http(&uri, sources)));
        }
    }
    let found = [Some(&sources.file), sources.environment.as_ref()].into_iter().flatten();
    for uri in found.flat_map(Document::registries) {
        let Some(uri) = ServiceUri::from_stored(&uri) else { continue };
        let is_listed =
            |row: &LoginEntry| ServiceUri::from_stored(&row.uri).is_some_and(|own| is_same_login(&own, &uri));
        let row = sources.row(&uri, !plain_http(&uri, sources));
        if row.source.is_some() && !rows.iter().any(is_listed) {
            rows.push(row);
        }
    }
    rows
}

/// Whether a file lists this registry with `http://`.
fn plain_http(uri: &ServiceUri, sources: &Sources) -> bool {
    let documents = [Some(&sources.file), sources.environment.as_ref()].into_iter().flatten();
    documents.flat_map(|document| document.keys_of(uri)).any(is_plain_http)
}

impl Sources {
    fn row(&self, uri: &ServiceUri, secure: bool) -> LoginEntry {
        let (source, helper) = self.of(uri);
        LoginEntry { uri: uri.to_string(), secure, source, helper: helper.map(String::from) }
    }

    /// Where programs find this login, and the helper that stores it.
    fn of(&self, uri: &ServiceUri) -> (Option<Source>, Option<&str>) {
        let environment = self.environment.as_ref().and_then(|document| document.entry_of(uri));
        if environment == Some(Entry::Secret) {
            return (Some(Source::Environment), None);
        }
        match self.file.keeper(uri) {
            Some(Keeper::Helper(helper)) => (Some(Source::Helper), Some(helper)),
            Some(Keeper::File) => (Some(Source::File), None),
            None => (None, None),
        }
    }
}

/// Prints warnings about unusable logins.
fn warn(rows: &[LoginEntry], sources: &Sources, store: &Store, session: &Session) {
    let talk = &session.ctx.talk;
    let file = store.file.path.display();
    let names = sources.file.helpers();
    for failure in names.iter().filter_map(|suffix| store.find_helper(suffix).err()).take(MOST_HELPERS) {
        talk.warning(format!(
            "{}, but {file} is configured to use it; logins kept there are unusable",
            failure.message()
        ));
    }
    for row in rows {
        let uri = ServiceUri::from_stored(&row.uri).expect("it was one above");
        // Only a login to a whole registry can be repeated with this program. A login to a path in it was made by
        // another program and can only be removed here.
        let command = if uri.path().is_empty() { "login" } else { "logout" };
        let again = || session.command("registry").words(command).arg(&row.uri);
        if row.source.is_none() {
            talk.warning(format!(
                "no password for {} found in {file} or {ENVIRONMENT}. To fix: {}",
                row.uri,
                again()
            ));
        } else if row.source == Some(Source::File) && sources.file.entry_of(&uri) == Some(Entry::Broken) {
            talk.warning(format!("invalid \"auth\" entry for {} in {file}. To fix: {}", row.uri, again()));
        }
    }
}
