//! The requests that were made, for a user who asked to see them. One line each, without secrets.

use super::address::brief;
use super::login::Login;
use crate::message::cut;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, Response};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use url::Url;

/// Lines that are kept until they are shown: a transfer shows them at its end.
const MOST_LINES: usize = 1000;

/// Lines that were not shown yet. Off by default, and then costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Arc<Mutex<Vec<String>>>>);

impl Trace {
    /// One that keeps lines.
    pub fn on() -> Self {
        Self(Some(Arc::default()))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The lines since the last call.
    pub fn take(&self) -> Vec<String> {
        let lines = self.0.as_ref().map(|lines| lines.lock().unwrap_or_else(PoisonError::into_inner));
        lines.map(|mut lines| std::mem::take(&mut *lines)).unwrap_or_default()
    }

    /// Begins a line about one request.
    pub(super) fn begin(
        &self,
        method: &Method,
        url: &Url,
        login: Option<Login<'_>>,
        proxy: Option<String>,
    ) -> Option<Exchange> {
        let trace = self.0.clone()?;
        let query = if url.query().is_some() { "?…" } else { "" };
        let what = format!("{method} {}{query}", brief(url));
        let mut how = match login.filter(|login| !login.secret().is_empty()) {
            None => ", no login sent".to_string(),
            Some(Login::Bearer(_)) => ", token sent".to_string(),
            Some(Login::Basic(user, _)) => format!(", login of {} sent", cut(user)),
        };
        if let Some(proxy) = proxy {
            let _ = write!(how, ", through the proxy {proxy}");
        }
        Some(Exchange { trace, what, how, begun: Instant::now(), is_over: false })
    }
}

/// A request that is under way. One that is dropped without a response has timed out.
pub(super) struct Exchange {
    trace: Arc<Mutex<Vec<String>>>,
    what: String,
    how: String,
    begun: Instant,
    is_over: bool,
}

impl Exchange {
    /// Ends the line with the response.
    pub(super) fn end(mut self, response: &Result<Response, reqwest::Error>) {
        let text = match response {
            Ok(response) => {
                let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
                let length = length.and_then(|length| length.parse::<u64>().ok());
                let length =
                    length.map_or_else(|| "length unknown".into(), |length| format!("{length} bytes"));
                format!("{}, {length}", response.status())
            }
            Err(_) => "no response".to_string(),
        };
        self.note(&text);
    }

    fn note(&mut self, text: &str) {
        self.is_over = true;
        let line = format!("{}: {text}, {} ms{}", self.what, self.begun.elapsed().as_millis(), self.how);
        let mut lines = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.len() {
            0..MOST_LINES => lines.push(line),
            MOST_LINES => lines.push("more requests are not listed".into()),
            _ => {}
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            self.note("no response in time");
        }
    }
}
