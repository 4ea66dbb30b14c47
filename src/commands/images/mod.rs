//! `search`, `pull`, `push`, `delete`: images of a library.

pub(crate) mod delete;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod search;

use crate::arch::{Arch, go_arch};
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::library::{Chosen, TokenUse};
use crate::environment::Found;
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::http::shown;
use crate::http::{HttpError, HttpErrorKind};
use crate::image::transfer::TransferError;
use crate::uri::LibraryRef;
use std::ops::RangeInclusive;
use std::path::Path;
use url::Url;

/// The commands of this module, which have no group.
pub(crate) const COMMANDS: [&str; 4] = ["delete", "pull", "push", "search"];
/// Those of them that the real program has for images from elsewhere too.
pub(crate) const SHARED: [&str; 2] = ["pull", "push"];

/// What the arguments of a command are, for completion.
pub(crate) fn positionals(name: &str) -> Option<&'static [Completes]> {
    match name {
        "delete" => Some(delete::POSITIONALS),
        "pull" => Some(pull::POSITIONALS),
        "push" => Some(push::POSITIONALS),
        "search" => Some(search::POSITIONALS),
        _ => None,
    }
}

/// What to do where the bytes of an image would go over http.
const HTTP_STORAGE_HINTS: [&str; 2] = [
    "ask the library's administrator to serve its storage over https",
    "to transfer the image over http, where others can read it: --allow-http-storage",
];

/// What to do where the bytes of an image come too slowly.
const SLOW_HINT: &str = "to allow a slower transfer: set APPTAINER_DOWNLOAD_MIN_RATE (SINGULARITY_…) to fewer bytes a second, or to 0";

/// An option that the environment may stand for.
fn text(option: Option<&String>, variables: &[&str], session: &Session) -> Result<Option<String>> {
    if let Some(option) = option {
        return Ok(Some(option.clone()));
    }
    let found = variables.iter().find_map(|name| session.ctx.variable(name));
    found
        .map(|Found { name, value, .. }| match value.to_str() {
            Some(value) => Ok(value.to_string()),
            None => Err(Failure::new(format!("{name} is not valid text"))),
        })
        .transpose()
}

/// A number that the environment may set.
fn number(suffix: &str, otherwise: u64, allowed: RangeInclusive<u64>, session: &Session) -> Result<u64> {
    let Some(found) = session.ctx.variable(suffix) else { return Ok(otherwise) };
    let value = found.value.to_str().and_then(|text| text.parse::<u64>().ok());
    value.filter(|value| allowed.contains(value)).ok_or_else(|| {
        let (value, least, most) = (found.value.to_string_lossy(), allowed.start(), allowed.end());
        Failure::new(format!("{}={value}: this must be a number from {least} to {most}", found.name))
    })
}

/// The least speed of a transfer, in bytes a second: 1 KiB unless the environment says otherwise; 0: none.
fn min_rate(session: &Session) -> Result<u64> {
    number("DOWNLOAD_MIN_RATE", 1 << 10, 0..=1 << 40, session)
}

/// The architecture that is asked for, this machine's where none is.
fn architecture(option: Option<&String>, variable: &str, session: &Session) -> Result<Arch> {
    let arch = text(option, &[variable], session)?;
    arch.as_deref().unwrap_or(go_arch()).parse().map_err(Failure::from)
}

impl Chosen {
    /// A failed request to this library as a failed command.
    fn failure(&self, error: HttpError) -> Failure {
        // A place that the library sends its data to has nothing to do with a login here.
        let own = Url::parse(&error.url).is_ok_and(|url| url.origin() == self.library.base.url.origin());
        let log_in = match (&self.login, error.status()) {
            (TokenUse::Sent { hints }, Some(401)) if own => hints.clone(),
            (TokenUse::None(why), Some(401 | 403 | 500)) if own => why.hints.clone(),
            _ => Vec::new(),
        };
        let advice: &[&str] = match error.kind {
            HttpErrorKind::PlainAddress(_) => &HTTP_STORAGE_HINTS,
            HttpErrorKind::Crawls { .. } => &[SLOW_HINT],
            _ => &[],
        };
        let unsent = self.unsent(&error, own);
        let error = match self.page {
            _ if !own => error.named_by("library"),
            Some(_) => error.named_by("endpoint"),
            None => error,
        };
        let failure = crate::commands::session::access::failure(error);
        let failure = match unsent {
            Some(why) => {
                Failure { source: anyhow::Error::msg(format!("{}; {why}", failure.message())), ..failure }
            }
            None => failure,
        };
        let advice = advice.iter().map(|hint| Hint::from(*hint));
        log_in.into_iter().chain(advice).fold(failure, Failure::hint)
    }

    /// Why a server that refuses a request got no token with it, where it may have wanted one.
    fn unsent(&self, error: &HttpError, own: bool) -> Option<String> {
        match (&self.login, error.status()?) {
            (TokenUse::None(why), 401 | 403 | 500) if own => {
                Some(format!("no token was sent: {}", why.message()))
            }
            (_, 401 | 403) if !own => {
                let library = shown(&self.library.base.url);
                Some(format!("no token was sent: this server is not the library, {library}"))
            }
            _ => None,
        }
    }

    /// A transfer between this library and `file` that failed.
    fn transfer_failure(&self, error: TransferError, file: &Path) -> Failure {
        match error {
            TransferError::Http(error) => self.failure(error),
            TransferError::File(error) => Failure::from(error).context(file.display().to_string()),
        }
    }
}

/// Refuses a reference with several tags where one image is meant.
fn one_tag(reference: &LibraryRef, command: &str, session: &Session) -> Result<()> {
    if reference.tags().len() < 2 {
        return Ok(());
    }
    let first = reference.to_string();
    let first = first.rsplit_once(':').map_or("", |(path, _)| path);
    let again = session.command(command).arg(format!("{first}:{}", reference.tags()[0]));
    Err(Failure::new(format!("{command} takes one tag, and {reference} has several")).hint(again))
}

/// What to say of a reference whose first of four parts is taken for a host that nobody knows.
fn four_parts(reference: &LibraryRef, error: &HttpError) -> Option<Hint> {
    let host = reference.host().filter(|host| !host.contains('.'))?;
    let unknown = matches!(error.kind, HttpErrorKind::UnknownHost);
    unknown.then(|| {
        Hint::Note(format!(
            "the reference has four parts, so {host:?} is taken for a host; without one it has at most three: ENTITY/COLLECTION/CONTAINER"
        ))
    })
}
