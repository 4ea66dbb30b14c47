//! `search`, `pull`, `push` and `delete` for images of a library.

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

/// The commands of this module. They are top-level commands: they have no group.
pub(crate) const COMMANDS: [&str; 4] = ["delete", "pull", "push", "search"];
/// The commands that the real program also has for images from other sources.
pub(crate) const SHARED: [&str; 2] = ["pull", "push"];

/// The kinds of a command's arguments, for completion.
pub(crate) fn positionals(name: &str) -> Option<&'static [Completes]> {
    match name {
        "delete" => Some(delete::POSITIONALS),
        "pull" => Some(pull::POSITIONALS),
        "push" => Some(push::POSITIONALS),
        "search" => Some(search::POSITIONALS),
        _ => None,
    }
}

/// Hints for when image data would be transferred over plain http.
const HTTP_STORAGE_HINTS: [&str; 2] = [
    "ask the library's administrator to serve its storage over https",
    "to transfer the image over http, where others can read it: --allow-http-storage",
];

/// Hint for when an image transfers too slowly.
const SLOW_HINT: &str = "to allow a slower transfer: set APPTAINER_DOWNLOAD_MIN_RATE (SINGULARITY_…) to fewer bytes a second, or to 0";

/// The value of an option, or of the first set variable if the option was not given.
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

/// A number from the environment, or `otherwise` if the variable is not set.
fn number(suffix: &str, otherwise: u64, allowed: RangeInclusive<u64>, session: &Session) -> Result<u64> {
    let Some(found) = session.ctx.variable(suffix) else { return Ok(otherwise) };
    let value = found.value.to_str().and_then(|text| text.parse::<u64>().ok());
    value.filter(|value| allowed.contains(value)).ok_or_else(|| {
        let (value, least, most) = (found.value.to_string_lossy(), allowed.start(), allowed.end());
        Failure::new(format!("{}={value}: this must be a number from {least} to {most}", found.name))
    })
}

/// The minimum transfer rate in bytes per second: 1 KiB unless the environment sets another. 0 means no minimum.
fn min_rate(session: &Session) -> Result<u64> {
    number("DOWNLOAD_MIN_RATE", 1 << 10, 0..=1 << 40, session)
}

/// The requested architecture, or this machine's.
fn architecture(option: Option<&String>, variable: &str, session: &Session) -> Result<Arch> {
    let arch = text(option, &[variable], session)?;
    arch.as_deref().unwrap_or(go_arch()).parse().map_err(Failure::from)
}

impl Chosen {
    /// Converts a failed request to this library into a command failure with hints.
    fn failure(&self, error: HttpError) -> Failure {
        // Only the library itself uses the login. Its storage servers do not.
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

    /// Explains why a rejected request carried no token, if the server may have wanted one.
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

    /// Converts a failed transfer between this library and `file` into a command failure.
    fn transfer_failure(&self, error: TransferError, file: &Path) -> Failure {
        match error {
            TransferError::Http(error) => self.failure(error),
            TransferError::File(error) => Failure::from(error).context(file.display().to_string()),
        }
    }
}

/// Rejects a reference with several tags for a command that takes a single image.
fn one_tag(reference: &LibraryRef, command: &str, session: &Session) -> Result<()> {
    if reference.tags().len() < 2 {
        return Ok(());
    }
    let first = reference.to_string();
    let first = first.rsplit_once(':').map_or("", |(path, _)| path);
    let again = session.command(command).arg(format!("{first}:{}", reference.tags()[0]));
    Err(Failure::new(format!("{command} takes one tag, and {reference} has several")).hint(again))
}

/// A hint for a reference with four parts, if its first part was used as a host and that host is unknown.
fn four_parts(reference: &LibraryRef, error: &HttpError) -> Option<Hint> {
    let host = reference.host().filter(|host| !host.contains('.'))?;
    let unknown = matches!(error.kind, HttpErrorKind::UnknownHost);
    unknown.then(|| {
        Hint::Note(format!(
            "the reference has four parts, so {host:?} is taken for a host; without one it has at most three: ENTITY/COLLECTION/CONTAINER"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_nobody_knows_may_be_an_entity() {
        let url = Url::parse("https://lab/v1/images").unwrap();
        let hint = |text: &str, kind: HttpErrorKind| {
            let reference = LibraryRef::parse(text).unwrap();
            four_parts(&reference, &HttpError::new(&url, kind)).map(|hint| hint.to_string())
        };
        let unknown = || HttpErrorKind::UnknownHost;
        let said = hint("library://lab/tools/blast/v1", unknown()).unwrap();
        assert!(said.starts_with("the reference has four parts, so \"lab\" is taken for a host"), "{said}");
        assert_eq!(hint("library://lab.example/tools/blast/v1", unknown()), None);
        assert_eq!(hint("library://tools/blast/v1", unknown()), None);
        assert_eq!(hint("library://lab/tools/blast/v1", HttpErrorKind::Refused), None);
    }
}
