//! Proxies from the environment: the lines of an input are `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and
//! requested addresses.

use super::endpoint_uri::CANARY;
use crate::target::{Outcome, Target};
use apptainer_remote::http::Settings;
use apptainer_remote::http::proxy::{Proxies, shown};
use std::ffi::OsString;
use url::Url;

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "http://p.example:3128",
    "p.example:3128",
    "https://",
    "socks5://p:1080",
    "ada:canary@",
    "*",
    "*.",
    ".",
    ".example.com",
    "h.example:443",
    "10.0.0.0/8",
    "::/0",
    "/33",
    "::1",
    "[::1]:80",
    "::ffff:127.0.0.1",
    "localhost",
    "https://h.example/",
    "http://10.1.2.3:81/",
    "https://[::1]/",
    "bücher.example",
    ",",
    " ",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    let values = names.map(|name| (name, lines.next().unwrap_or_default()));
    let value =
        |name: &str| values.iter().find(|(own, _)| *own == name).map(|(_, value)| OsString::from(value));
    let settings = Settings::from_env(value);
    // The password of a proxy occurs only in its address.
    let secret = !values[2].1.contains(CANARY);
    assert!(!(secret && format!("{settings:?}").contains(CANARY)), "{settings:?}");
    let proxies = match Proxies::new(&settings) {
        Ok(proxies) => proxies,
        Err(error) => {
            assert!(!error.contains(CANARY), "{error}");
            return Outcome::refused(&error);
        }
    };
    // So does its user.
    assert!(!format!("{proxies:?}").contains('@'), "{proxies:?}");
    let asked: Vec<Url> = lines.take(4).filter_map(|line| Url::parse(line).ok()).collect();
    let ways = asked.iter().map(|url| {
        let proxy = proxies.for_url(url);
        if let Some(proxy) = proxy {
            assert!(matches!(proxy.scheme(), "http" | "https") && proxy.has_host(), "{}", shown(proxy));
            assert!(!is_here(url), "{url} is requested through a proxy");
            assert!(
                shown(proxy).matches('/').count() == 2 && !shown(proxy).contains('@'),
                "{}",
                shown(proxy)
            );
        }
        Outcome::of((proxy.is_some(), url.scheme() == "https"))
    });
    let whole = Outcome::of((settings.no_proxy.is_some(), settings.http_proxy.is_some()));
    Outcome::all(ways.chain([whole]))
}

/// Requests to this machine use no proxy.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => true,
    }
}
