//! Addresses of servers: how they are shown, joined and told apart.

use crate::message::cut;
use url::{Host, Url};

/// How the bytes to and from a server are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// https, whose certificate is verified: nobody on the way can read or change anything.
    Verified,
    /// https with any certificate.
    Unverified,
    /// http.
    Plain,
}

/// Where a server is asked, and whether it may be asked without protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`. User and password in it are not sent.
    pub url: Url,
    insecure: bool,
}

impl Address {
    /// `insecure`: take any certificate, and let a login go over http.
    pub fn new(url: Url, insecure: bool) -> Self {
        Self { url, insecure }
    }

    /// Another place that is asked by the same rules.
    pub fn at(&self, url: Url) -> Self {
        Self { url, insecure: self.insecure }
    }

    /// `path` below the own path, however that ends; query and fragment are cut.
    pub fn below(&self, path: &str) -> Self {
        self.at(below(&self.url, path))
    }

    /// Whether any certificate is taken, and a login may go over http.
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

/// `url` without user info, query and fragment, where secrets may stand.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = without_userinfo(url);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// As [`shown`], cut where it is long.
pub(crate) fn brief(url: &Url) -> String {
    cut(&shown(url)).into_owned()
}

/// `url` without user and password.
pub(crate) fn without_userinfo(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only where there can be no user info.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// `base` with `path` below its own path, however that ends; query and fragment are cut.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// Whether a server is this machine itself, so that nobody else sees what is sent to it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}
