//! Which library a command speaks to, and whether it gets a token.

use crate::cli;
use crate::commands::endpoint::{Access, Keep, expiry_line};
use crate::commands::session::{Layers, Session};
use crate::config::layers::Remote;
use crate::error::{Failure, Result};
use crate::message::quoted;
use crate::secret::Secret;
use crate::services::library::Library;
use crate::services::policy::Freshness;
use crate::services::{Http, account};
use crate::uri::LibraryRef;
use url::Url;

/// What the command line says of the library.
pub struct Choice<'a> {
    /// The command, for the usage.
    pub command: &'a str,
    /// `--library URL`.
    pub library: Option<&'a String>,
    /// What may name its host.
    pub reference: Option<&'a LibraryRef>,
    /// What becomes of a host in the reference.
    pub host: Host,
}

/// What a host in a reference is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It is asked, over https.
    Https,
    /// It is asked, over http.
    Http,
    /// It must be that of the library that is in use anyway.
    Check,
}

/// The library that a command speaks to.
pub struct Chosen {
    /// The library.
    pub library: Library,
    /// The page of the remote that it belongs to, where no other was named.
    pub page: Option<Url>,
    /// Whether it gets a token.
    pub login: Login,
}

/// Whether a library gets a token.
pub enum Login {
    /// It does.
    Sent {
        /// Where it is refused: when it ended, if it says so, and what to type.
        hints: Vec<String>,
    },
    /// It does not: why, and what to do about it.
    None(Failure),
}

/// An address that was named instead of the active remote's library.
struct Named {
    base: Url,
    /// By an option, a variable or the reference.
    by: String,
}

/// Decides.
///
/// # Errors
/// The named address is none, or forbidden by an exclusive remote; the active remote has no library.
pub fn choose(choice: &Choice, session: &mut Session) -> Result<Chosen> {
    let named = named(choice, session)?;
    let layers = session.load()?;
    let chosen = match named {
        None => of_remote(&layers, session),
        Some(named) => elsewhere(named, &layers, session),
    }?;
    let wanted = choice.reference.and_then(LibraryRef::host).filter(|_| choice.host == Host::Check);
    let own = &chosen.library.base;
    let is_own = |host: &str| {
        address(&format!("{}://{host}", own.scheme()), "").is_ok_and(|named| {
            (named.base.host(), named.base.port_or_known_default())
                == (own.host(), own.port_or_known_default())
        })
    };
    match wanted {
        Some(host) if !is_own(host) => Err(Failure::new(format!(
            "push to location other than current remote is not supported: its library is {own}, not {host}"
        ))
        .hint(session.command("use NAME: make the remote of that library the default"))),
        _ => Ok(chosen),
    }
}

/// `--library`, else the host in the reference, else the environment.
fn named(choice: &Choice, session: &Session) -> Result<Option<Named>> {
    let host = choice.reference.and_then(LibraryRef::host);
    if let Some(url) = choice.library {
        if host.is_some() {
            let message = "--library cannot be used with a reference that names its host";
            return Err(cli::usage_error(session.ctx, &[choice.command], message));
        }
        return address(url, "--library").map(Some);
    }
    match (host, choice.host) {
        (Some(host), Host::Https) => address(&format!("https://{host}"), "the reference").map(Some),
        (Some(host), Host::Http) => address(&format!("http://{host}"), "the reference").map(Some),
        _ => match session.ctx.variable("LIBRARY") {
            Some(found) => address(&found.value.to_string_lossy(), &found.name).map(Some),
            None => Ok(None),
        },
    }
}

fn address(text: &str, by: &str) -> Result<Named> {
    let shown = if text.contains('@') { String::new() } else { format!(" {text:?}") };
    let refuse = |why: &str| Err(Failure::new(format!("{by} names no library{shown}: {why}")));
    let mut base = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return refuse("its address begins with https:// or http://"),
    };
    if !base.username().is_empty() || base.password().is_some() {
        return refuse("user and password are not taken from an address");
    }
    base.set_query(None);
    base.set_fragment(None);
    Ok(Named { base, by: by.to_string() })
}

/// The library of the active remote.
fn of_remote(layers: &Layers, session: &Session) -> Result<Chosen> {
    let (name, remote) = layers
        .find(session, None)
        .map_err(|failure| failure.hint(session.command("add NAME URI: a remote with a library")))?;
    session.say_notes(&layers.effective, Some(&name));
    if session.is_cloud_apptainer(remote) {
        return Err(no_library(&name, &format!("{name} ({})", remote.uri), session));
    }
    let access = open(&name, remote, session)?;
    let base = base(&name, &access, session)?;
    let (token, login) = token(layers, &name, remote, &access, session)?;
    let library = library(access.http.clone(), base, access.insecure, token);
    Ok(Chosen { library, page: Some(access.url), login })
}

fn library(http: Http, base: Url, insecure: bool, token: Option<Secret>) -> Library {
    Library { http, base, insecure, token, http_storage: false }
}

fn open(name: &str, remote: &Remote, session: &Session) -> Result<Access> {
    session.open(name, remote, None, Freshness::PreferCache, Keep::WhereThereIsOne)
}

fn base(name: &str, access: &Access, session: &Session) -> Result<Url> {
    let Some(service) = access.service("library") else {
        return Err(no_library(name, name, session));
    };
    match Url::parse(&service.uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(Failure::new(format!(
            "{name} names an address of its library that is neither http nor https"
        ))),
    }
}

fn no_library(name: &str, shown: &str, session: &Session) -> Failure {
    Failure::new(format!("{shown} has no library"))
        .hint(session.command("add NAME URI: add a remote that has a library"))
        .hint(session.command(&format!("use NAME: make it the default in place of {}", quoted(name))))
}

/// The token for the library of `remote`, or why it gets none.
fn token(
    layers: &Layers,
    name: &str,
    remote: &Remote,
    access: &Access,
    session: &Session,
) -> Result<(Option<Secret>, Login)> {
    let log_in = session.command(&format!("login {}", quoted(name)));
    let Some(token) = session.token_for(layers, name, remote)? else {
        return Ok((None, Login::None(Failure::new(format!("not logged in to {name}")).hint(log_in))));
    };
    let may = access.service("library").map_or(Ok(()), |service| access.may_get_token(service).map(drop));
    match may {
        Ok(()) => {
            let now = session.now();
            let expired = account::jwt_expiry(&token).filter(|end| *end <= now);
            let expired = expired.map(|end| expiry_line(end, now));
            Ok((Some(token), Login::Sent { hints: expired.into_iter().chain([log_in]).collect() }))
        }
        Err(failure) => {
            session.ctx.talk.warning(failure.message());
            Ok((None, Login::None(failure)))
        }
    }
}

/// Another library than that of the active remote, unless it is the same after all: then it gets the token
/// too. Under an exclusive remote it must be.
fn elsewhere(named: Named, layers: &Layers, session: &Session) -> Result<Chosen> {
    let stranger = Failure::new(format!(
        "not logged in: {} names another library than that of the default remote",
        named.by
    ));
    let plain = |why| Chosen {
        library: library(session.http(None), named.base.clone(), false, None),
        page: None,
        login: Login::None(why),
    };
    let exclusive = layers.effective.exclusive.as_deref();
    let Some((name, remote)) = layers.find(session, exclusive).ok() else { return Ok(plain(stranger)) };
    let only = || {
        Failure::new(format!(
            "endpoint is set as exclusive by the system administrator: only {name:?} can be used"
        ))
    };
    if session.is_cloud_apptainer(remote) {
        return if exclusive.is_some() { Err(only()) } else { Ok(plain(stranger)) };
    }
    let has_token = remote.token.is_some() || session.environment_has_token(&remote.uri);
    if exclusive.is_none() && !has_token {
        return Ok(plain(stranger));
    }
    let access = match open(&name, remote, session) {
        Ok(access) => access,
        Err(failure) if exclusive.is_some() => return Err(failure),
        Err(failure) => {
            // The named library may be up while the remote is not.
            session.ctx.talk.verbose(format!("no token is looked for: {}", failure.message()));
            return Ok(plain(stranger));
        }
    };
    let own = base(&name, &access, session);
    let same = own.as_ref().is_ok_and(|own| own.origin() == named.base.origin());
    let below = |url: &Url| url.path().trim_end_matches('/').to_string();
    if exclusive.is_some() && !(same && own.as_ref().is_ok_and(|own| below(own) == below(&named.base))) {
        return Err(only());
    }
    if !same {
        return Ok(plain(stranger));
    }
    session.say_notes(&layers.effective, Some(&name));
    let (token, login) = token(layers, &name, remote, &access, session)?;
    let library = library(access.http.clone(), named.base, access.insecure, token);
    Ok(Chosen { library, page: None, login })
}
