//! Chooses the library for a command, and decides whether it gets a token.

use crate::commands::session::Session;
use crate::commands::session::access::{Access, Keep};
use crate::commands::session::layers::Layers;
use crate::commands::session::token::expiry_line;
use crate::config::layers::Remote;
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::http::{Address, shown};
use crate::secret::Secret;
use crate::services::Client;
use crate::services::endpoint::account;
use crate::services::endpoint::policy::Freshness;
use crate::services::library::Library;
use crate::uri::LibraryRef;
use url::Url;

/// The parts of the command line that select a library.
pub(crate) struct Choice<'a> {
    /// `--library URL`.
    pub library: Option<&'a String>,
    /// The reference, which may contain a host.
    pub reference: Option<&'a LibraryRef>,
    /// How to use a host in the reference.
    pub host: Host,
}

/// How to use a host in a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// Connect to it over https.
    Https,
    /// Connect to it over http.
    Http,
    /// Do not connect to it: it must be the host of the library that is chosen otherwise.
    Check,
}

/// The chosen library.
pub(crate) struct Chosen {
    pub library: Library,
    /// The web page of the library's remote; `None` if another library was requested.
    pub page: Option<Url>,
    pub login: TokenUse,
}

/// Whether a library gets a token.
pub(crate) enum TokenUse {
    /// A token is sent.
    Sent {
        /// Hints for a rejected token: when it expired, if it says so, and how to log in.
        hints: Vec<Hint>,
    },
    /// No token is sent. The failure says why and has hints.
    None(Failure),
}

/// An address that was given instead of the default remote's library.
struct Named {
    base: Url,
    /// Where it was given: the option, the variable, or "the reference".
    by: String,
}

/// Chooses the library.
///
/// # Errors
/// The given address is invalid or forbidden by an exclusive remote, or the default remote has no library.
pub(crate) fn choose(choice: &Choice, session: &mut Session) -> Result<Chosen> {
    let named = named(choice, session)?;
    let layers = session.load()?;
    let chosen = match named {
        None => of_remote(&layers, session),
        Some(named) => elsewhere(named, &layers, session),
    }?;
    let wanted = choice.reference.and_then(LibraryRef::host).filter(|_| choice.host == Host::Check);
    let own = &chosen.library.base.url;
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
        .hint(session.remote("use NAME").because("to make the remote of that library the default"))),
        _ => Ok(chosen),
    }
}

/// The address from `--library`, else from the host in the reference, else from the environment.
fn named(choice: &Choice, session: &Session) -> Result<Option<Named>> {
    let host = choice.reference.and_then(LibraryRef::host);
    if let Some(url) = choice.library {
        if host.is_some() {
            let message = "--library cannot be used with a reference that names its host";
            return Err(session.usage(message));
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
    let refuse = |why: &str| Err(Failure::new(format!("{by}{shown} is not the address of a library: {why}")));
    let mut base = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return refuse("the address must begin with https:// or http://"),
    };
    if !base.username().is_empty() || base.password().is_some() {
        return refuse("the address must not contain a user or password");
    }
    base.set_query(None);
    base.set_fragment(None);
    Ok(Named { base, by: by.to_string() })
}

/// The library of the default remote.
fn of_remote(layers: &Layers, session: &Session) -> Result<Chosen> {
    let remote = layers.find(session, None).map_err(|failure| {
        failure.hint(session.remote("add NAME URI").because("to add a remote that has a library"))
    })?;
    session.say_notes(&layers.effective, Some(&remote.name));
    if remote.is_cloud_apptainer() {
        return Err(no_library(
            remote,
            &format!("{} ({})", remote.name, crate::uri::shown(&remote.uri)),
            session,
        ));
    }
    let access = open(remote, session)?;
    let base = base(remote, &access, session)?;
    let (token, login) = token(layers, remote, &access, session)?;
    let library = library(access.http.clone(), access.address.at(base), token);
    Ok(Chosen { library, page: Some(access.address.url), login })
}

fn library(http: Client, base: Address, token: Option<Secret>) -> Library {
    Library { http, base, token, http_storage: false }
}

fn open(remote: &Remote, session: &Session) -> Result<Access> {
    session.open(remote, None, Freshness::PreferCache, Keep::WhereThereIsOne)
}

fn base(remote: &Remote, access: &Access, session: &Session) -> Result<Url> {
    let Some(service) = access.service("library") else {
        return Err(no_library(remote, &remote.name, session));
    };
    match Url::parse(&service.uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(Failure::new(format!("the library address of {} is neither http nor https", remote.name))),
    }
}

fn no_library(remote: &Remote, shown: &str, session: &Session) -> Failure {
    Failure::new(format!("{shown} has no library"))
        .hint(session.remote("add NAME URI").because("to add a remote that has a library"))
        .hint(
            session.remote("use NAME").because(format!("to make it the default in place of {}", remote.name)),
        )
}

/// The token for the library of `remote`, or why it gets none.
fn token(
    layers: &Layers,
    remote: &Remote,
    access: &Access,
    session: &Session,
) -> Result<(Option<Secret>, TokenUse)> {
    let log_in = session.remote("login").arg(&remote.name);
    let Some(token) = session.token_for(layers, remote)? else {
        let why = layers
            .held_back(session, remote)
            .unwrap_or_else(|| Failure::new(format!("not logged in to {}", remote.name)).hint(log_in));
        return Ok((None, TokenUse::None(why)));
    };
    let may = access.service("library").map_or(Ok(()), |service| access.may_get_token(service).map(drop));
    match may {
        Ok(()) => {
            let now = session.now();
            let expired = account::jwt_expiry(&token).filter(|end| *end <= now);
            let expired = expired.map(|end| expiry_line(end, now));
            Ok((
                Some(token),
                TokenUse::Sent {
                    hints: expired.into_iter().map(Hint::from).chain([log_in.into()]).collect(),
                },
            ))
        }
        Err(failure) => {
            session.ctx.talk.warning(failure.message());
            Ok((None, TokenUse::None(failure)))
        }
    }
}

/// A library that was given explicitly. It gets the token of the remote that it belongs to. If a remote is
/// exclusive, it must be the library of that remote.
fn elsewhere(named: Named, layers: &Layers, session: &Session) -> Result<Chosen> {
    if let Some(exclusive) = layers.effective.exclusive.as_deref() {
        return only_of(exclusive, named, layers, session);
    }
    let fitting = owners(&named, layers, session);
    // A token of an unverified remote does not take precedence over a verified remote without a token.
    let first_is_insecure = fitting.first().is_some_and(|owner| owner.remote.insecure);
    let counts =
        |owner: &&Owner| has_token(owner.remote, session) && (first_is_insecure || !owner.remote.insecure);
    let owner = fitting.iter().find(counts).or(fitting.first());
    let Some(owner) = owner else {
        let why = stranger(&named, layers, session);
        let library = library(session.http(None), Address::new(named.base, false), None);
        return Ok(Chosen { library, page: None, login: TokenUse::None(why) });
    };
    session.say_notes(&layers.effective, Some(&owner.remote.name));
    of_owner(named, owner, layers, session)
}

/// A remote whose own library was given.
struct Owner<'a> {
    remote: &'a Remote,
    access: Access,
}

fn of_owner(named: Named, owner: &Owner, layers: &Layers, session: &Session) -> Result<Chosen> {
    let Owner { remote, access } = owner;
    let (token, login) = token(layers, remote, access, session)?;
    let library = library(access.http.clone(), access.address.at(named.base), token);
    Ok(Chosen { library, page: None, login })
}

/// The library of the exclusive remote, if that is the one that was given.
fn only_of(exclusive: &str, named: Named, layers: &Layers, session: &Session) -> Result<Chosen> {
    let remote = layers.find(session, Some(exclusive))?;
    let refused =
        || Failure::new(format!("only {:?} can be used (set exclusive by the administrator)", remote.name));
    if remote.is_cloud_apptainer() {
        return Err(refused());
    }
    let access = open(remote, session)?;
    let below = |url: &Url| url.path().trim_end_matches('/').to_string();
    match base(remote, &access, session) {
        Ok(own) if own.origin() == named.base.origin() && below(&own) == below(&named.base) => {}
        _ => return Err(refused()),
    }
    session.say_notes(&layers.effective, Some(&remote.name));
    of_owner(named, &Owner { remote, access }, layers, session)
}

fn has_token(remote: &Remote, session: &Session) -> bool {
    remote.token.is_some() || session.environment_has_token(&remote.uri)
}

/// The remotes whose library has the same origin as the given one. The order is: the default remote, then
/// verified ones, then insecure ones, each by name. Verified ones come first so that an unverified endpoint
/// cannot turn off verification for the library of another remote.
fn owners<'a>(named: &Named, layers: &'a Layers, session: &Session) -> Vec<Owner<'a>> {
    let default = layers.effective.default.as_deref();
    let is_default = |remote: &Remote| Some(remote.name.as_str()) == default;
    let mut remotes: Vec<&Remote> = layers.effective.remotes.values().collect();
    remotes.sort_by_key(|remote| (!is_default(remote), remote.insecure));
    let owner = |remote: &'a Remote| {
        let access = if is_default(remote) && has_token(remote, session) {
            // The given library may be up even if the remote is down.
            let opened = (!remote.is_cloud_apptainer()).then(|| open(remote, session))?;
            opened
                .inspect_err(|failure| {
                    session.ctx.talk.verbose(format!("not looking for a token: {}", failure.message()));
                })
                .ok()?
        } else {
            session.recall(remote)?
        };
        let own = Url::parse(&access.service("library")?.uri).ok()?;
        (own.origin() == named.base.origin()).then_some(Owner { remote, access })
    };
    remotes.into_iter().filter_map(owner).collect()
}

/// Why a library that belongs to no known remote gets no token, with hints for finding its remote.
fn stranger(named: &Named, layers: &Layers, session: &Session) -> Failure {
    /// The maximum number of remotes to suggest.
    const MOST: usize = 3;
    let unknown = |remote: &&Remote| has_token(remote, session) && !remote.is_cloud_apptainer();
    let unknown = layers.effective.remotes.values().filter(unknown);
    let unknown = unknown.filter(|remote| session.recall(remote).is_none()).take(MOST);
    // Read-only commands such as `status` do not create the cache directory, so only `login` would save the
    // result.
    let look_up = if session.keeps_services() { "status" } else { "login" };
    let hint =
        |name: &str| session.remote(look_up).arg(name).because("to look up the library of this remote");
    let mut hints: Vec<Hint> = unknown.map(|remote| hint(&remote.name)).collect();
    if hints.is_empty() {
        let add = session.remote("add NAME URI");
        hints.push(add.because("to add the remote of this library and log in to it"));
    }
    let own = shown(&named.base);
    let why = format!("not logged in: {} names {own}, and no configured remote uses this library", named.by);
    hints.into_iter().fold(Failure::new(why), Failure::hint)
}
