//! URLs of servers: how they are displayed, joined and compared.

use crate::message::cut;
use url::{Host, Url};

/// How the traffic to and from a server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// https with a verified certificate: nobody in between can read or change anything.
    Verified,
    /// https that accepts any certificate.
    Unverified,
    /// Plain http.
    Plain,
}

/// The URL of a request, and whether an unprotected connection is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`. A user and password in the URL are not sent.
    pub url: Url,
    insecure: bool,
}

impl Address {
    /// `insecure`: accept any certificate, and allow a login over plain http.
    pub fn new(url: Url, insecure: bool) -> Self {
        Self { url, insecure }
    }

    /// Another URL with the same `insecure` setting.
    pub fn at(&self, url: Url) -> Self {
        Self { url, insecure: self.insecure }
    }

    /// See [`below`].
    pub fn below(&self, path: &str) -> Self {
        self.at(below(&self.url, path))
    }

    /// Whether any certificate is accepted and a login may be sent over plain http.
    pub fn allows_insecure(&self) -> bool {
        self.insecure
    }

    pub fn transport(&self) -> Transport {
        match (self.url.scheme(), self.insecure) {
            ("https", false) => Transport::Verified,
            ("https", true) => Transport::Unverified,
            _ => Transport::Plain,
        }
    }
}

/// `url` without user info, query and fragment, which may contain secrets.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = without_userinfo(url);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Like [`shown`], but truncated if it is long.
pub(crate) fn brief(url: &Url) -> String {
    cut(&shown(url)).into_owned()
}

/// `url` without username and password.
pub(crate) fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs that cannot have user info.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// Appends `path` to the path of `base`, with exactly one slash between them. Drops query and fragment.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// Whether the server runs on this machine, so that nobody else can see what is sent to it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}
