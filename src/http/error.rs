//! Why a request failed, in the words of a person: the URL, what happened, and what the server said.

use super::address::brief;
use super::resolver::NoThread;
use crate::message::cut;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;
use url::Url;

/// A request that did not bring what was asked for.
///
/// Displayed in one line. It never holds a token, the user or password of a URL, or the body of an answer
/// beyond the server's own message, which comes from outside: escape it before printing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// What was asked, without user info, query and fragment, cut where it is long.
    pub url: Box<str>,
    /// The proxy it was asked through, without user and password.
    pub proxy: Option<Box<str>>,
    /// Whether there was a connection, TLS included: what went wrong came after it.
    pub connected: bool,
    /// How long the server says to wait before it is asked again.
    pub retry_after: Option<Duration>,
    /// What named this address, such as a library, where the user did not.
    pub named_by: Option<&'static str>,
    /// What else a person should know, in our words.
    pub note: Option<Box<str>>,
    /// What happened.
    pub kind: HttpErrorKind,
}

/// What happened to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpErrorKind {
    /// Nobody listens there.
    Refused,
    /// The name has no address.
    UnknownHost,
    /// No connection within the time.
    ConnectTimeout(Duration),
    /// Connected, but the answer was not whole within the time.
    Timeout(Duration),
    /// Connected, but nothing moved for this long.
    Stalled(Duration),
    /// Fewer bytes moved over this long than so many a second.
    Crawls {
        /// The least, in bytes a second.
        rate: u64,
        /// Over this time.
        window: Duration,
    },
    /// The network said no, in its words.
    Network(String),
    /// The server's certificate, or the talk about it, did not pass.
    Tls(Tls),
    /// The answer was longer than this many bytes.
    TooLarge(usize),
    /// The server sent the client round in a circle, too far, or from https to http.
    Redirect(String),
    /// The server, asked over https, sent the client on to this address, which is an http one.
    Downgrade(String),
    /// A server, asked over https, names an http address for what is wanted; says which, in the words of the service.
    PlainAddress(String),
    /// An answer that means failure.
    Status {
        /// The status code.
        status: u16,
        /// The server's own message, in one line of bounded length.
        message: Option<String>,
    },
    /// The answer arrived but is not what was asked for; says what it is instead.
    Unexpected(String),
    /// The request could not be made: a proxy, certificate file or token that cannot be used.
    Setup(String),
}

/// What is wrong with a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Its time is over.
    Expired,
    /// Its time has not begun, or this machine's clock is slow.
    NotYetValid,
    /// Self-signed, or by an authority that is not known here.
    UnknownIssuer,
    /// It belongs to another name.
    WrongName,
    /// The server wants to see a certificate of ours.
    WantsOurs,
    /// The other side does not talk TLS, or no version that is still safe.
    Other(String),
}

impl HttpError {
    /// `kind` at `url`, asked directly.
    pub fn new(url: &Url, kind: HttpErrorKind) -> Self {
        Self::at(brief(url), kind)
    }

    /// `kind` at what is shown as `url`.
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

    /// Says that `who`, and not the user, chose the address.
    #[must_use]
    pub fn named_by(self, who: &'static str) -> Self {
        Self { named_by: Some(who), ..self }
    }

    /// Adds what else a person should know.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into().into()), ..self }
    }

    /// Whether nobody answered: then a copy of an earlier answer may serve. A server whose certificate does
    /// not pass *has* answered.
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

    /// The status code, where the server gave one.
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            HttpErrorKind::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What to do about it, where that is not plain from the message.
    pub fn hint(&self) -> Option<String> {
        let unreachable = matches!(
            self.kind,
            HttpErrorKind::Refused | HttpErrorKind::UnknownHost | HttpErrorKind::ConnectTimeout(_)
        );
        let Some(who) = self.named_by.filter(|_| unreachable) else {
            return self.plain_hint().map(String::from);
        };
        Some(format!(
            "the {who} named this address: its administrator has to correct it, or to make it reachable from here"
        ))
    }

    fn plain_hint(&self) -> Option<&'static str> {
        match &self.kind {
            HttpErrorKind::Tls(Tls::UnknownIssuer) => Some(
                "if you trust this server, name its certificate authority: export SSL_CERT_FILE=FILE (a login: --ca-file FILE)",
            ),
            HttpErrorKind::Tls(Tls::NotYetValid) => Some("check this machine's clock: date"),
            HttpErrorKind::Tls(Tls::Expired) => {
                Some("check this machine's clock: date; else the server needs a new certificate")
            }
            HttpErrorKind::UnknownHost => {
                Some("check the spelling of the address, and the name server: getent hosts HOST")
            }
            HttpErrorKind::Refused | HttpErrorKind::ConnectTimeout(_) => {
                Some("check the address and its port, and whether a proxy is needed: env | grep -i _proxy")
            }
            HttpErrorKind::Status { status: 429, .. } => {
                Some("the server has had too many requests: wait, then repeat the command")
            }
            HttpErrorKind::Status { .. } if self.retry_after.is_some() => {
                Some("wait, then repeat the command")
            }
            _ => None,
        }
    }

    /// Reads what the client says about a failed request; `connect` is the time it had for a connection.
    pub(super) fn from_reqwest(url: &Url, error: &reqwest::Error, connect: Duration) -> Self {
        Self { connected: !error.is_connect(), ..Self::new(url, classify(error, connect)) }
    }

    /// Adds the proxy through which the request went.
    pub(super) fn through(mut self, proxy: Option<&Url>) -> Self {
        self.proxy = proxy.map(|proxy| super::proxy::shown(proxy).into());
        self
    }
}

/// What is said where a server, or another one in front of it, wants a client certificate.
pub(super) const WANTS_OURS: &str = "the server demands a client certificate, which is not supported yet";

impl StdError for HttpError {}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.url, self.kind)?;
        if let Some(wait) = self.retry_after {
            write!(f, " (the server says to wait {} s)", wait.as_secs())?;
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
            Self::UnknownHost => f.write_str("the host name is not known"),
            Self::ConnectTimeout(time) => write!(f, "no connection within {}", seconds(*time)),
            Self::Timeout(time) => write!(f, "no whole answer within {}", seconds(*time)),
            Self::Stalled(time) => write!(f, "nothing came or went for {}", seconds(*time)),
            Self::Crawls { rate, window } => write!(
                f,
                "the transfer is too slow: fewer than {rate} bytes a second for {}",
                seconds(*window)
            ),
            Self::Tls(problem) => write!(f, "{problem}"),
            Self::TooLarge(limit) => write!(f, "the answer is longer than {limit} bytes"),
            Self::Status { status, message } => {
                write!(f, "{status}")?;
                let name = reqwest::StatusCode::from_u16(*status).ok().and_then(|s| s.canonical_reason());
                name.map_or(Ok(()), |name| write!(f, " {name}"))?;
                message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Downgrade(to) => write!(f, "the server sends requests on from https to {}", cut(to)),
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
            Self::UnknownIssuer => f.write_str(
                "the server's certificate is self-signed or by an authority that is not known here",
            ),
            Self::WrongName => f.write_str("the server's certificate belongs to another name"),
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

/// All causes of an error. Of an IO error that wraps another one `source` gives the cause of the inner one,
/// so that the inner one, which is TLS's, would be passed over.
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

/// How the client's words about a proxy begin; its type for them is not within reach.
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
            "the server closed the connection before the answer was whole".to_string()
        }
        io::ErrorKind::NetworkUnreachable => "the network is unreachable".to_string(),
        io::ErrorKind::HostUnreachable => "the host is unreachable".to_string(),
        _ => error.to_string(),
    }
}

/// What the innermost cause says, in words for the common case of a server that hangs up.
fn last_words(causes: &[&(dyn StdError + 'static)]) -> String {
    let text = causes.last().map(ToString::to_string).unwrap_or_default();
    match text.as_str() {
        "connection closed before message completed" | "end of file before message length reached" => {
            "the server closed the connection before the answer was whole".to_string()
        }
        _ if text.starts_with("peer closed connection without sending TLS close_notify") => {
            "the server closed the connection before the answer was whole".to_string()
        }
        "invalid dns name" => "the host name is not known".to_string(),
        _ if text.starts_with("invalid HTTP") => "the answer is not HTTP".to_string(),
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
        rustls::Error::InvalidMessage(_) => Tls::Other("the server does not talk https".to_string()),
        other => Tls::Other(cut(&other.to_string()).into_owned()),
    }
}
