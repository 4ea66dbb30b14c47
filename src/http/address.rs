//! Addresses of servers: how they are shown, joined and told apart.

use crate::message::cut;
use url::{Host, Url};

/// `url` without user info, query and fragment, where secrets may stand.
pub fn shown(url: &Url) -> String {
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
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}
