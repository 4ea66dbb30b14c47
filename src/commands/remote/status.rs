//! `remote status [NAME]`

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::{Access, Keep, host_of};
use crate::commands::session::layers::Layers;
use crate::commands::session::token::{expiry_line, rfc3339, span};
use crate::config::layers::{CLOUD_APPTAINER_KEYSERVER, Remote};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::http::Address;
use crate::message::{cut, escape};
use crate::secret::Secret;
use crate::services::endpoint::account::{self, Account, TokenVerdict};
use crate::services::endpoint::health::{self, ServiceState};
use crate::services::endpoint::policy::Freshness;
use crate::uri::shown;
use crate::view::{self, Cell, Sink, Style, View};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Remote];

/// Show the status of a remote's services and of your login
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote status
  $ {prog} remote status --json mycloud
  $ {prog} remote status --strict --min-ttl 12h mycloud && sbatch job.sh")]
pub(crate) struct Options {
    /// Remote [default: the default remote]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print JSON
    #[arg(short, long)]
    json: bool,
    /// Fail unless all services are up and you are logged in (if the remote has logins)
    #[arg(long)]
    strict: bool,
    /// Fail unless the token is valid for at least this long, e.g. 12h or 7d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_ttl: Option<Duration>,
    /// Also trust the PEM certificates in FILE
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// The maximum number of failing services to name; the others are counted.
const MOST_NAMED: usize = 20;

/// The state of the token.
enum Token {
    /// The remote has no login.
    NoLogin,
    /// No token is set; true if there is a service that needs one.
    Unset(bool),
    Valid,
    /// The endpoint rejected it. Contains the endpoint's response.
    Invalid(String),
    /// It could not be checked. Contains the reason.
    Unchecked(String),
    /// It is not sent, because other users can write a file. Contains the reason and a fix.
    Held {
        why: String,
        remedy: Option<Hint>,
    },
}

/// The findings of the command.
struct Report {
    name: String,
    uri: String,
    services: Vec<ServiceState>,
    account: Option<Account>,
    token: Token,
    /// Seconds since 1970, if the token contains an expiry time.
    expires: Option<u64>,
    now: u64,
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "it needs a number and a unit, such as 90m, 12h or 7d")
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let layers = session.load()?;
    let remote = layers.find(session, options.name.as_deref())?;
    session.say_notes(&layers.effective, Some(&remote.name));
    session.ctx.talk.info(match options.name {
        Some(_) => format!("Checking status of remote: {}", remote.name),
        None => "Checking status of default remote.".into(),
    });
    let report = if remote.is_cloud_apptainer() {
        cloud_apptainer(remote, options, session)?
    } else {
        ask(remote, &layers, options, session)?
    };
    report.warn(session);
    session.ctx.show(&report, options.json)?;
    report.judge(options, session)
}

/// Reports on cloud.apptainer.org, which is never contacted: it only has a keyserver, at another host.
fn cloud_apptainer(remote: &Remote, options: &Options, session: &Session) -> Result<Report> {
    let http = session.http(options.ca_file.clone());
    let address = Address::new(Url::parse(CLOUD_APPTAINER_KEYSERVER).expect("a constant"), false);
    let answer = session.wait_for(&host_of(&address), health::plain_check(&http, &address))?;
    let row = ServiceState::new("keyserver", CLOUD_APPTAINER_KEYSERVER, answer.map(|()| String::new()));
    Ok(Report {
        name: remote.name.clone(),
        uri: shown(&remote.uri),
        services: vec![row],
        account: None,
        token: Token::NoLogin,
        expires: None,
        now: session.now(),
    })
}

/// Queries all services, the token service and the library in parallel.
fn ask(remote: &Remote, layers: &Layers, options: &Options, session: &Session) -> Result<Report> {
    let token = session.token_for(layers, remote)?;
    let access = session.open(remote, options.ca_file.clone(), Freshness::Ask, Keep::WhereThereIsOne)?;
    let names: Vec<String> = access.services.iter().map(|(name, _)| health::title(&cut(name))).collect();
    let board = session.board(&names);
    let (services, verdict, account) = session.wait_showing(&board, async {
        tokio::join!(
            health::check_all(&access.http, &access.services, &access.address, |at, state| {
                board.set(at, state.is_ok(), &format!("{}  {}", state.status(), escape(&state.version)));
            }),
            check_token(&access, token.as_ref()),
            who(&access, token.as_ref()),
        )
    })?;
    if let Err(why) = &account {
        session.ctx.talk.verbose(format!("the library did not return your user name: {why}"));
    }
    let expires = token.as_ref().and_then(account::jwt_expiry);
    let verdict = match layers.held_back(session, remote) {
        Some(failure) => Token::Held { why: failure.message(), remedy: failure.hints.into_iter().next() },
        None => verdict,
    };
    Ok(Report {
        name: remote.name.clone(),
        uri: access.uri.to_string(),
        services,
        account: account.ok().flatten(),
        token: verdict,
        expires,
        now: session.now(),
    })
}

async fn check_token(access: &Access, token: Option<&Secret>) -> Token {
    let service = access.service("token");
    let Some(token) = token else { return Token::Unset(service.is_some()) };
    let Some(service) = service else {
        return Token::Unchecked("the endpoint has no token service".into());
    };
    if let Err(failure) = access.may_get_token(service) {
        return Token::Unchecked(failure.message());
    }
    match account::token_status(&access.http, &service.uri, &access.address, token).await {
        Ok(TokenVerdict::Valid) => Token::Valid,
        Ok(TokenVerdict::Invalid(answer)) => Token::Invalid(answer.to_string()),
        Err(error) => Token::Unchecked(error.to_string()),
    }
}

/// The user that the library associates with the token. `None` without a library or a token.
async fn who(access: &Access, token: Option<&Secret>) -> std::result::Result<Option<Account>, String> {
    let (Some(library), Some(token)) = (access.service("library"), token) else { return Ok(None) };
    access.may_get_token(library).map_err(|failure| failure.message())?;
    let account = account::identity(&access.http, &library.uri, &access.address, Some(token)).await;
    account.map(Some).map_err(|error| error.to_string())
}

/// Shortens a problem to fit into a row. The WARNING above the table shows all of it.
fn short(problem: &str) -> String {
    const LONGEST: usize = 32;
    match problem.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &problem[..end]),
        None => problem.to_string(),
    }
}

impl View for Report {
    fn document(&self) -> impl Serialize {
        let (status, problem) = match &self.token {
            Token::NoLogin | Token::Unset(_) => ("none", None),
            Token::Valid => ("valid", None),
            Token::Invalid(why) => ("invalid", Some(why.as_str())),
            Token::Unchecked(why) | Token::Held { why, .. } => ("unchecked", Some(why.as_str())),
        };
        StatusDocument {
            version: 1,
            remote: &self.name,
            uri: &self.uri,
            services: self.services.iter().map(ServiceEntry::from).collect(),
            account: self
                .account
                .as_ref()
                .map(|account| Who { username: &account.username, email: &account.email }),
            token: TokenEntry { status, expires: self.expires.map(rfc3339), problem },
        }
    }

    fn text(&self, sink: Sink) -> String {
        const HEAD: [&str; 4] = ["SERVICE", "STATUS", "VERSION", "URI"];
        let row = |state: &ServiceState| {
            let style = if state.is_ok() { Style::Good } else { Style::Bad };
            // On a terminal, the reason is where the version would be.
            let version = match &state.problem {
                Some(problem) if sink != Sink::Pipe => Cell::styled(short(&problem.kind.to_string()), style),
                _ => state.version.as_str().into(),
            };
            vec![
                state.service.as_str().into(),
                Cell::styled(state.status(), style),
                version,
                state.uri.as_str().into(),
            ]
        };
        let rows: Vec<_> = self.services.iter().map(row).collect();
        let mut text = view::table(&HEAD, 3, &rows, sink);
        if let Some(account) = self.account.as_ref().filter(|account| !account.username.is_empty()) {
            let (user, email) = (escape(&account.username), escape(&account.email));
            let email = if email.is_empty() { String::new() } else { format!(" <{email}>") };
            text += &format!("\nLogged in as: {user}{email}\n\n");
        }
        let line = match &self.token {
            Token::NoLogin => return text,
            Token::Unset(_) => "No authentication token set (logged out).".to_string(),
            Token::Valid => "Valid authentication token set (logged in).".to_string(),
            Token::Invalid(_) => "Authentication token is invalid (please login again).".to_string(),
            Token::Unchecked(why) => format!("Authentication token could not be checked: {}", escape(why)),
            Token::Held { why, .. } => format!("Authentication token was not sent: {}", escape(why)),
        };
        text += &format!("\n{line}\n");
        if let Some(expires) = self.expires {
            text += &format!("{}\n", expiry_line(expires, self.now));
        }
        text
    }
}

impl Report {
    fn down(&self) -> Vec<&ServiceState> {
        self.services.iter().filter(|row| !row.is_ok()).collect()
    }

    fn warn(&self, session: &Session) {
        let down = self.down();
        for row in down.iter().take(MOST_NAMED) {
            if let Some(problem) = &row.problem {
                session.ctx.talk.warning(format!("{}: {problem}", row.service));
            }
        }
        if let Some(more) = down.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            session.ctx.talk.warning(format!("{more} more services are not available"));
        }
    }

    /// The exit status, from the findings and the options.
    fn judge(&self, options: &Options, session: &Session) -> Result<()> {
        let login = || session.remote("login").arg(&self.name);
        match &self.token {
            Token::Invalid(why) => {
                return Err(Failure::new(format!("the token is not valid: {why}")).hint(login()));
            }
            Token::Unchecked(why) => {
                return Err(Failure::new(format!("the authentication token could not be checked: {why}")));
            }
            Token::Held { why, remedy } if options.strict || options.min_ttl.is_some() => {
                return Err(remedy.iter().cloned().fold(Failure::new(why.clone()), Failure::hint));
            }
            Token::Held { remedy, .. } => {
                remedy.iter().for_each(|remedy| remedy.show(&session.ctx.talk));
            }
            _ => {}
        }
        if options.strict {
            let down = self.down();
            if !down.is_empty() {
                let named: Vec<_> = down.iter().take(MOST_NAMED).map(|row| row.service.as_str()).collect();
                let more = match down.len() - named.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                return Err(Failure::new(format!("services down: {}{more}", named.join(", "))));
            }
            if matches!(self.token, Token::Unset(true)) {
                return Err(Failure::new(format!("not logged in to {}", self.name)).hint(login()));
            }
        }
        match options.min_ttl {
            Some(least) => {
                let hopeless = matches!(self.token, Token::NoLogin);
                let hint = |failure: Failure| if hopeless { failure } else { failure.hint(login()) };
                self.judge_ttl(least, options.strict, session).map_err(hint)
            }
            None => Ok(()),
        }
    }

    fn judge_ttl(&self, least: Duration, strict: bool, session: &Session) -> Result<()> {
        if !matches!(self.token, Token::Valid) {
            let why = if matches!(self.token, Token::NoLogin) {
                format!("{} has no logins", self.name)
            } else {
                format!("not logged in to {}", self.name)
            };
            return Err(Failure::new(why));
        }
        match self.expires {
            None if strict => Err(Failure::new("the token has no expiry date")),
            None => {
                session.ctx.talk.warning("the token has no expiry date");
                Ok(())
            }
            Some(expires) if expires < session.now().saturating_add(least.as_secs()) => {
                let required = span(least.as_secs());
                Err(Failure::new(match expires.checked_sub(session.now()) {
                    Some(left) => {
                        format!("the token expires in {}, sooner than the required {required}", span(left))
                    }
                    None => format!("the token expired {} ago", span(session.now() - expires)),
                }))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The document of `--json`; see docs/json.md.
#[derive(Serialize)]
struct StatusDocument<'a> {
    version: u8,
    remote: &'a str,
    uri: &'a str,
    services: Vec<ServiceEntry<'a>>,
    account: Option<Who<'a>>,
    token: TokenEntry<'a>,
}

#[derive(Serialize)]
struct ServiceEntry<'a> {
    service: &'a str,
    ok: bool,
    version: &'a str,
    uri: &'a str,
    problem: Option<String>,
}

#[derive(Serialize)]
struct Who<'a> {
    username: &'a str,
    email: &'a str,
}

#[derive(Serialize)]
struct TokenEntry<'a> {
    status: &'static str,
    expires: Option<String>,
    problem: Option<&'a str>,
}

impl<'a> From<&'a ServiceState> for ServiceEntry<'a> {
    fn from(row: &'a ServiceState) -> Self {
        Self {
            service: &row.service,
            ok: row.is_ok(),
            version: &row.version,
            uri: &row.uri,
            problem: row.problem.as_ref().map(ToString::to_string),
        }
    }
}
