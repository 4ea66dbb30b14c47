//! Chooses the proxy for a request, by Go's rules, which differ from those of most clients.
//!
//! `localhost` and loopback addresses never use a proxy. An entry in `NO_PROXY` is `*` (everything), an IP address, a
//! network (`10.0.0.0/8`), or a domain. `example.com` means the domain and its subdomains; `.example.com` and
//! `*.example.com` mean only the subdomains. `:port` after an address or a domain restricts it to that port.

use super::settings::Settings;
use std::fmt;
use std::net::IpAddr;
use url::{Host, Url};

/// The configured proxies.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    direct: NoProxy,
}

impl Proxies {
    /// Parses the proxies in `settings`.
    ///
    /// # Errors
    ///
    /// One line that names the variable if its value is not the URL of an HTTP proxy. (Go silently uses no proxy
    /// then.) The value is not included, because it may contain a password.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let parse = |variable: &str, value: &Option<String>| {
            value.as_deref().map(|text| parse_proxy(variable, text)).transpose()
        };
        Ok(Self {
            http: parse("HTTP_PROXY", &settings.http_proxy)?,
            https: parse("HTTPS_PROXY", &settings.https_proxy)?,
            direct: NoProxy::parse(settings.no_proxy.as_deref().unwrap_or_default()),
        })
    }

    /// The proxy for a request to `url`, with its user and password; `None` for a direct connection.
    pub fn for_url(&self, url: &Url) -> Option<&Url> {
        let proxy = if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }?;
        let (host, port) = (url.host()?, url.port_or_known_default()?);
        (!self.direct.covers(&host, port)).then_some(proxy)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |proxy: &Option<Url>| proxy.as_ref().map(shown);
        write!(f, "Proxies {{ http: {:?}, https: {:?} }}", shown(&self.http), shown(&self.https))
    }
}

/// A proxy's URL without user and password, for display.
pub fn shown(proxy: &Url) -> String {
    match (proxy.host_str(), proxy.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", proxy.scheme()),
        (host, _) => format!("{}://{}", proxy.scheme(), host.unwrap_or_default()),
    }
}

fn parse_proxy(variable: &str, text: &str) -> Result<Url, String> {
    let text = text.trim();
    // Without a scheme, `proxy:3128` would parse as a URL with the scheme `proxy`.
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("http://{text}")) };
    match url {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        // Do not include the scheme: it may be part of a password.
        Ok(url) if url.scheme().starts_with("socks") => {
            Err(format!("{variable} is a SOCKS proxy, which is not supported: use an http or https proxy"))
        }
        _ => Err(format!("{variable} is not the address of a proxy (http://host:port)")),
    }
}

/// A parsed `NO_PROXY` list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Rule>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Everything,
    Network {
        address: IpAddr,
        bits: u8,
    },
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
    /// `suffix` starts with a dot. `itself`: the domain itself matches too, not only its subdomains.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl NoProxy {
    /// Parses a list. Invalid entries are ignored, as in Go.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(|item| parse_rule(&item.trim().to_lowercase())).collect())
    }

    /// Whether a connection to this server uses no proxy.
    pub fn covers(&self, host: &Host<&str>, port: u16) -> bool {
        let address = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
            Host::Domain(_) => None,
        };
        let name = host.to_string().to_lowercase();
        name == "localhost"
            || address.is_some_and(|address| address.is_loopback())
            || self.0.iter().any(|rule| rule.covers(&name, address, port))
    }
}

impl Rule {
    fn covers(&self, name: &str, host: Option<IpAddr>, to: u16) -> bool {
        let right_port = |port: &Option<u16>| port.is_none_or(|port| port == to);
        match self {
            Self::Everything => true,
            Self::Network { address, bits } => host.is_some_and(|host| contains(*address, *bits, host)),
            Self::Address { address, port } => host == Some(*address) && right_port(port),
            Self::Domain { suffix, itself, port } => {
                (name.ends_with(suffix.as_str()) || *itself && name == &suffix[1..]) && right_port(port)
            }
        }
    }
}

fn parse_rule(item: &str) -> Option<Rule> {
    if item == "*" {
        return Some(Rule::Everything);
    }
    if let Some(network) = parse_network(item) {
        return Some(network);
    }
    let (host, port) = split_port(item)?;
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(Rule::Address { address: address.to_canonical(), port });
    }
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    let (itself, name) = match host.strip_prefix('.') {
        Some(name) => (false, name),
        None => (true, host),
    };
    let name = match Host::parse(name) {
        // Compare an internationalized name in the ASCII form that a URL uses.
        Ok(Host::Domain(ascii)) => ascii,
        _ => name.to_string(),
    };
    (!name.is_empty()).then(|| Rule::Domain { suffix: format!(".{name}"), itself, port })
}

/// Splits `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. `None` if the port is invalid.
fn split_port(item: &str) -> Option<(&str, Option<u16>)> {
    match item.rsplit_once(':') {
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => Some((item, None)),
        Some((host, port)) if !item.ends_with(']') => Some((host, Some(port.parse().ok()?))),
        _ => Some((item, None)),
    }
}

fn parse_network(item: &str) -> Option<Rule> {
    let (address, bits) = item.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let bits: u8 = bits.parse().ok()?;
    (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Rule::Network { address, bits })
}

/// Whether the first `bits` bits of both addresses are equal.
fn contains(network: IpAddr, bits: u8, host: IpAddr) -> bool {
    let bits = u32::from(bits);
    match (network, host) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proxies(http: &str, https: &str, no_proxy: &str) -> Result<Proxies, String> {
        Proxies::new(&Settings {
            http_proxy: Some(http.into()),
            https_proxy: Some(https.into()),
            no_proxy: Some(no_proxy.into()),
            ..Settings::default()
        })
    }

    fn direct(no_proxy: &str, url: &str) -> bool {
        let proxies = proxies("http://p:1", "http://p:2", no_proxy).unwrap();
        proxies.for_url(&Url::parse(url).unwrap()).is_none()
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let proxies = proxies("p:1", "https://u:pw@q:2", "").unwrap();
        let of = |url| proxies.for_url(&Url::parse(url).unwrap()).map(Url::as_str);
        assert_eq!(of("http://example.com/"), Some("http://p:1/"));
        assert_eq!(of("https://example.com/"), Some("https://u:pw@q:2/"));
        assert_eq!(shown(proxies.https.as_ref().unwrap()), "https://q:2");
        assert!(!format!("{proxies:?}").contains("pw"));
    }

    #[test]
    fn loopback_is_always_direct() {
        for url in [
            "http://localhost/",
            "https://127.0.0.1:8443/",
            "http://127.9.9.9/",
            "http://[::1]:5/",
            "http://LOCALHOST",
        ] {
            assert!(direct("", url), "{url}");
        }
        assert!(!direct("", "http://localhost.example.com/"));
    }

    #[test]
    fn no_proxy_follows_go() {
        let table = [
            ("*", "http://a.example/", true),
            ("x, *", "http://a.example/", true),
            ("example.com", "http://example.com/", true),
            ("example.com", "http://a.example.com/", true),
            ("example.com", "http://notexample.com/", false),
            ("EXAMPLE.com ", "http://A.Example.COM/", true),
            (".example.com", "http://example.com/", false),
            (".example.com", "http://a.example.com/", true),
            ("*.example.com", "http://example.com/", false),
            ("*.example.com", "http://b.a.example.com/", true),
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("10.1.2.3", "http://10.1.2.3/", true),
            ("10.1.2.3:80", "http://10.1.2.3/", true),
            ("10.1.2.3:81", "http://10.1.2.3/", false),
            ("10.0.0.0/8", "http://10.200.1.1:99/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("0.0.0.0/0", "http://11.0.0.1/", true),
            ("0.0.0.0/0", "http://[fd00::1]/", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("fd00::1", "http://[fd00::1]/", true),
            ("[fd00::1]:80", "http://[fd00::1]/", true),
            ("[fd00::1]:81", "http://[fd00::1]/", false),
            ("[fd00::1]", "http://[fd00::1]:81/", true),
            ("10.1.2.3", "http://[::ffff:10.1.2.3]/", true),
            (",, ,:80,.,*.,/8,10.0.0.0/99", "http://a.example/", false),
            ("bücher.example", "http://bücher.example/", true),
        ];
        for (list, url, expected) in table {
            assert_eq!(direct(list, url), expected, "{list} {url}");
        }
    }

    #[test]
    fn an_invalid_proxy_is_an_error_without_the_value() {
        let error = proxies("socks5://u:canary@h:1080", "h:1", "").unwrap_err();
        assert!(
            error.contains("HTTP_PROXY") && error.contains("SOCKS") && !error.contains("canary"),
            "{error}"
        );
        for bad in ["http://", "h:canary:1", "ftp://canary/", "http://h:99999"] {
            let error = proxies("h:1", bad, "").unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_list_panics(list in "\\PC{0,40}", address in any::<[u8; 16]>(), port: u16) {
            let rules = NoProxy::parse(&list);
            rules.covers(&Host::Ipv6(address.into()), port);
            rules.covers(&Host::Domain(&list), port);
        }

        #[test]
        fn no_network_panics(list in "[0-9a-f:./*,\\[\\]]{0,30}", address: [u8; 4], port: u16) {
            NoProxy::parse(&list).covers(&Host::Ipv4(address.into()), port);
        }
    }
}
