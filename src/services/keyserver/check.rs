//! Checks whether a keyserver accepts a login.

use crate::http::{Address, Get, HttpError, HttpErrorKind, Login};
use crate::services::Client;

/// The result of checking a login with a keyserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// The server gives the same response without a login, so the login could not be checked.
    AsksNobody,
    Rejected(HttpError),
}

/// A query for a key ID that does not exist, so the lookup is cheap for the server.
const LOOKUP: &str = "op=index&options=mr&search=0x0000000000000000";

/// Checks a login with the keyserver at `base`. Requests the front page, which is all that Apptainer checks but which
/// many keyservers do not have, and a key lookup. Then repeats them without the login, until a response differs, to see
/// whether the login made a difference.
///
/// # Errors
/// The server neither accepts nor rejects the login.
pub(crate) async fn check(http: &Client, base: &Address, login: Login<'_>) -> Result<Verdict, HttpError> {
    let mut lookup = base.below("pks/lookup");
    lookup.url.set_query(Some(LOOKUP));
    let pages = [base.clone(), lookup];
    let mut with = Vec::new();
    let mut elsewhere = None;
    for page in &pages {
        match status(http, page, Some(login)).await {
            Ok(Answer::Rejected(answer)) => return Ok(Verdict::Rejected(answer)),
            Ok(Answer::Status(status)) => with.push((page, status)),
            // The other server did not receive the login, so its response says nothing about it.
            Err(error @ HttpError { kind: HttpErrorKind::Redirect(_) | HttpErrorKind::Downgrade(_), .. }) => {
                elsewhere = Some(error)
            }
            Err(error) => return Err(error),
        }
    }
    if let (true, Some(error)) = (with.is_empty(), elsewhere) {
        return Err(error);
    }
    for (page, with) in with {
        match status(http, page, None).await {
            Ok(Answer::Status(without)) if without == with => {}
            Ok(_) => return Ok(Verdict::Accepted),
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::AsksNobody)
}

enum Answer {
    /// 2xx or 404.
    Status(u16),
    /// 401 or 403.
    Rejected(HttpError),
}

async fn status(http: &Client, to: &Address, login: Option<Login<'_>>) -> Result<Answer, HttpError> {
    let limits = http.limits();
    let get = Get { to, login, accept: None, timeout: limits.keyserver, limit: limits.json_bytes };
    let response = match http.get(get).await {
        // The content and the length of the page do not matter.
        Err(HttpError { kind: HttpErrorKind::TooLarge(_), .. }) => return Ok(Answer::Status(200)),
        answer => answer?.at_home()?,
    };
    match response.status {
        401 | 403 => Ok(Answer::Rejected(response.failure())),
        404 | 200..300 => Ok(Answer::Status(response.status)),
        _ => Err(response.failure()),
    }
}
