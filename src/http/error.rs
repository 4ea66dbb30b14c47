//! Why a request failed: the URL, what happened, and the server's message, in words that a person understands.

use super::address::brief;
use super::resolver::NoThread;
use crate::message::{cut, quoted};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;
use url::Url;

/// A failed request.
///
/// Displayed as one line. It never contains a token or the user and password of a URL. From the body of a response it
/// contains only the server's own message. That message is untrusted: escape it before printing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// Without user info, query and fragment; truncated if it is long.
    pub url: Box<str>,
    /// The proxy of the request, without user and password.
    pub proxy: Option<Box<str>>,
    /// Whether the connection, including TLS, was established before the request failed.
    pub connected: bool,
    /// How long the server asks to wait before the next request.
    pub retry_after: Option<Duration>,
    /// Who gave this URL, such as a library, if it was not the user.
    pub named_by: Option<&'static str>,
    /// An additional explanation from this program.
    pub note: Option<Box<str>>,
    pub kind: HttpErrorKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// Nothing listens on that port.
    Refused,
    /// The host name has no IP address.
    UnknownHost,
    /// No connection within this time.
    ConnectTimeout(Duration),
    /// Connected, but the response was not complete within this time.
    Timeout(Duration),
    /// Connected, but no data was transferred for this long.
    Stalled(Duration),
    /// The transfer was slower than `rate` over a whole `window`.
    Crawls {
        /// The minimum, in bytes per second.
        rate: u64,
        window: Duration,
    },
    /// Another network error, with its message.
    Network(String),
    /// The TLS handshake failed, or the server's certificate was rejected.
    Tls(Tls),
    /// The response was longer than this many bytes.
    TooLarge(usize),
    /// A redirect that is not followed: a loop, too many redirects, or a target that is not allowed.
    Redirect(String),
    /// An https server redirected to this http URL.
    Downgrade(String),
    /// An https server gave an http URL for the data. The message says which, in terms of the service.
    PlainAddress(String),
    /// A response with an error status.
    Status {
        status: u16,
        /// The server's own message, as one line of bounded length.
        message: Option<String>,
    },
    /// The response has unexpected content. The message says what it is.
    Unexpected(String),
    /// The request could not be created: the proxy, a certificate file or the token is unusable.
    Setup(String),
}

/// What is wrong with a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet, or the local clock is behind.
    NotYetValid,
    /// The certificate is self-signed or from an unknown authority.
    UnknownIssuer,
    /// The certificate is for a different host name.
    WrongName,
    /// The server requires a client certificate.
    WantsOurs,
    /// The server does not support TLS, or no version of it that is still secure.
    Other(String),
}

impl HttpError {
    /// An error of this `kind` for a request to `url` without a proxy.
    pub fn new(url: &Url, kind: HttpErrorKind) -> Self {
        Self::at(brief(url), kind)
    }

    /// An error of this `kind` for a URL that is displayed as `url`.
    pub(crate) fn at(url: String, kind: HttpErrorKind) -> Self {
        Self {
            url: url.into(),
            proxy: None,
            connected: false,
            retry_after: None,
            named_by: None,
            note: None,
            kind,
        }
    }

    /// Notes that `who`, and not the user, gave the URL.
    #[must_use]
    pub fn named_by(self, who: &'static str) -> Self {
        Self { named_by: Some(who), ..self }
    }

    /// Adds an explanation to the message.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into().into()), ..self }
    }

    /// Whether the server did not respond, so that a cached copy of an earlier response may be used. A server whose
    /// certificate is rejected *has* responded.
    pub fn is_no_answer(&self) -> bool {
        match &self.kind {
            HttpErrorKind::Refused
            | HttpErrorKind::UnknownHost
            | HttpErrorKind::ConnectTimeout(_)
            | HttpErrorKind::Timeout(_)
            | HttpErrorKind::Stalled(_)
            | HttpErrorKind::Network(_) => true,
            HttpErrorKind::Status { status, .. } => matches!(status, 502..=504),
            _ => false,
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self.kind {
            HttpErrorKind::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What the user can do, if the message does not make that obvious.
    pub fn hint(&self) -> Option<String> {
        let unreachable = matches!(
            self.kind,
            HttpErrorKind::Refused | HttpErrorKind::UnknownHost | HttpErrorKind::ConnectTimeout(_)
        );
        let Some(who) = self.named_by.filter(|_| unreachable) else {
            return self.plain_hint();
        };
        Some(format!(
            "the {who} gave this address: ask its administrator to correct it or to make it reachable from here"
        ))
    }

    fn plain_hint(&self) -> Option<String> {
        let text = match &self.kind {
            HttpErrorKind::Tls(Tls::UnknownIssuer) => {
                "if you trust this server, pass its CA: --ca-file FILE (login commands), or export SSL_CERT_FILE=FILE"
            }
            HttpErrorKind::Tls(Tls::NotYetValid) => "check this machine's clock: date",
            HttpErrorKind::Tls(Tls::Expired) => {
                "check this machine's clock: date; if it is right, the server needs a new certificate"
            }
            HttpErrorKind::UnknownHost => {
                let host = self.host().unwrap_or_else(|| "HOST".into());
                return Some(format!("check the spelling, or test DNS with: getent hosts {}", quoted(&host)));
            }
            HttpErrorKind::Refused | HttpErrorKind::ConnectTimeout(_) => {
                "check the address and its port, and whether a proxy is needed: env | grep -i _proxy"
            }
            HttpErrorKind::Status { status: 429, .. } => {
                "the server has received too many requests: wait, then repeat the command"
            }
            HttpErrorKind::Status { .. } if self.retry_after.is_some() => "wait, then repeat the command",
            _ => return None,
        };
        Some(text.to_string())
    }

    /// The host that the client connects to: the proxy's, if there is one.
    fn host(&self) -> Option<String> {
        let url = Url::parse(self.proxy.as_ref().unwrap_or(&self.url)).ok()?;
        url.host_str().map(String::from)
    }

    /// Classifies an error of the client. `connect` is the timeout for setting up a connection.
    pub(super) fn from_reqwest(url: &Url, error: &reqwest::Error, connect: Duration) -> Self {
        Self { connected: !error.is_connect(), ..Self::new(url, classify(error, connect)) }
    }

    /// Adds the proxy of the request.
    pub(super) fn through(mut self, proxy: Option<&Url>) -> Self {
        self.proxy = proxy.map(|proxy| super::proxy::shown(proxy).into());
        self
    }
}

/// The message if a server, or a reverse proxy in front of it, requires a client certificate.
pub(super) const WANTS_OURS: &str = "the server requires a client certificate, which is not supported yet";

impl StdError for HttpError {}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.kind)?;
        if let Some(wait) = self.retry_after {
            write!(f, " (the server asks to wait {} s)", wait.as_secs())?;
        }
        if let Some(note) = &self.note {
            write!(f, "; {note}")?;
        }
        match &self.proxy {
            Some(proxy) => write!(f, " (through the proxy {proxy})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HttpErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::UnknownHost => f.write_str("host not found"),
            Self::ConnectTimeout(time) => write!(f, "connection timed out after {}", seconds(*time)),
            Self::Timeout(time) => write!(f, "timed out after {}", seconds(*time)),
            Self::Stalled(time) => write!(f, "stalled for {}", seconds(*time)),
            Self::Crawls { rate, window } => write!(
                f,
                "the transfer is too slow: less than {rate} bytes per second for {}",
                seconds(*window)
            ),
            Self::Tls(problem) => write!(f, "{problem}"),
            Self::TooLarge(limit) => write!(f, "the response is longer than {limit} bytes"),
            Self::Status { status, message } => {
                write!(f, "{status}")?;
                let name = reqwest::StatusCode::from_u16(*status).ok().and_then(|s| s.canonical_reason());
                name.map_or(Ok(()), |name| write!(f, " {name}"))?;
                message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Downgrade(to) => write!(f, "the server redirects from https to {}", cut(to)),
            Self::PlainAddress(text)
            | Self::Network(text)
            | Self::Redirect(text)
            | Self::Unexpected(text)
            | Self::Setup(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => f.write_str("the server's certificate is not valid yet"),
            Self::UnknownIssuer => {
                f.write_str("the server's certificate is self-signed or from an unknown authority")
            }
            Self::WrongName => f.write_str("the server's certificate is for a different host name"),
            Self::WantsOurs => f.write_str(WANTS_OURS),
            Self::Other(text) => write!(f, "TLS failed: {text}"),
        }
    }
}

fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// An error and all of its causes. For an I/O error that wraps another error, `source` returns the cause of the
/// wrapped error. That would skip the wrapped error, which may be the TLS error, so it is read with `get_ref`.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    let mut all = Vec::new();
    let mut next = Some(error);
    while let Some(current) = next {
        all.push(current);
        next = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => current.source(),
        };
    }
    all
}

/// The prefix of the client's messages about a proxy. Its error type for them is not public.
const TUNNEL: &str = "tunnel error: ";

fn classify(error: &reqwest::Error, connect: Duration) -> HttpErrorKind {
    let causes = causes(error);
    if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return HttpErrorKind::Tls(classify_tls(tls));
    }
    if error.is_timeout() {
        return HttpErrorKind::ConnectTimeout(connect);
    }
    if let Some(cause) = causes.iter().find_map(|cause| cause.downcast_ref::<NoThread>()) {
        return HttpErrorKind::Setup(cause.to_string());
    }
    if error.is_dns() {
        return HttpErrorKind::UnknownHost;
    }
    let tunnel = causes.iter().map(ToString::to_string).find(|text| text.starts_with(TUNNEL));
    if let Some(tunnel) = tunnel.filter(|_| !causes.iter().any(|cause| cause.is::<io::Error>())) {
        return HttpErrorKind::Network(tunnel.replacen(TUNNEL, "the proxy refused: ", 1));
    }
    match causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => HttpErrorKind::Refused,
        Some(io) if io.get_ref().is_none() => HttpErrorKind::Network(io_words(io)),
        _ => HttpErrorKind::Network(last_words(&causes)),
    }
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            "the server closed the connection".to_string()
        }
        _ if error.to_string().contains("close_notify") => {
            "the server closed the connection before the response was complete".to_string()
        }
        io::ErrorKind::NetworkUnreachable => "the network is unreachable".to_string(),
        io::ErrorKind::HostUnreachable => "the host is unreachable".to_string(),
        _ => error.to_string(),
    }
}

/// The message of the innermost cause, reworded if the server closed the connection.
fn last_words(causes: &[&(dyn StdError + 'static)]) -> String {
    let text = causes.last().map(ToString::to_string).unwrap_or_default();
    match text.as_str() {
        "connection closed before message completed" | "end of file before message length reached" => {
            "the server closed the connection before the response was complete".to_string()
        }
        _ if text.starts_with("peer closed connection without sending TLS close_notify") => {
            "the server closed the connection before the response was complete".to_string()
        }
        "invalid dns name" => "host not found".to_string(),
        _ if text.starts_with("invalid HTTP") => "the response is not HTTP".to_string(),
        _ => text,
    }
}

fn classify_tls(error: &rustls::Error) -> Tls {
    use rustls::CertificateError as Bad;
    if super::tls::is_authority(error) {
        return Tls::UnknownIssuer;
    }
    match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => Tls::Expired,
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => Tls::NotYetValid,
            Bad::UnknownIssuer | Bad::BadSignature => Tls::UnknownIssuer,
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => Tls::WrongName,
            other => Tls::Other(cut(&other.to_string()).into_owned()),
        },
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => Tls::WantsOurs,
        rustls::Error::InvalidMessage(_) => Tls::Other("the server does not support https".to_string()),
        other => Tls::Other(cut(&other.to_string()).into_owned()),
    }
}
