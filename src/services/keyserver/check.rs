//! Whether a keyserver takes a login.

use crate::http::{Address, Get, HttpError, HttpErrorKind, Login};
use crate::services::Client;

/// What a keyserver said about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It takes it.
    Accepted,
    /// It answers everybody alike, so that nothing is known about the login.
    AsksNobody,
    /// It says no.
    Rejected(HttpError),
}

/// A key that nobody has: every keyserver answers this without much ado.
const LOOKUP: &str = "op=index&options=mr&search=0x0000000000000000";

/// Asks the keyserver at `base` whether it takes this login: its front page, which is all that Apptainer
/// looks at and which many do not have, and a lookup. Both are asked again without the login as far as that
/// is needed to know whether it made a difference.
///
/// # Errors
/// It says neither yes nor no.
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
            // What another server says about a login that it did not get means nothing.
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
        // The page itself does not matter, nor how long it is.
        Err(HttpError { kind: HttpErrorKind::TooLarge(_), .. }) => return Ok(Answer::Status(200)),
        answer => answer?.at_home()?,
    };
    match response.status {
        401 | 403 => Ok(Answer::Rejected(response.failure())),
        404 | 200..300 => Ok(Answer::Status(response.status)),
        _ => Err(response.failure()),
    }
}
