//! `WWW-Authenticate`, and the address to which a password is sent because of it.

use crate::target::{Outcome, Target};
use apptainer_remote::services::registry::challenge::{Challenge, parse};
use apptainer_remote::services::registry::check::token_url;
use url::{Host, Url};

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "Basic ",
    "Bearer ",
    "Negotiate",
    "Digest ",
    "realm=",
    "service=",
    "scope=",
    "error=",
    "\"",
    "\\\"",
    "\\",
    "=",
    "==",
    ",",
    ", ",
    " ",
    "\t",
    "https://",
    "http://",
    "ftp:",
    "https://auth.example/token",
    "http://127.0.0.1:5001/token",
    "https://[::ffff:10.0.0.1]/",
    "https://10.0.0.1/",
    "https://169.254.169.254/",
    "http://localhost/",
    "https://x.localhost./",
    "https://0x7f.1/",
    "https://[fd00::1]/",
    "http://r.example:5000/auth",
    "ada:pw@",
    "?account=eve",
    "#",
    "repository:a/b:pull,push",
    "YWJj==",
];

const NAMES: [&str; 6] = ["realm", "service", "scope", "error", "charset", "nobody"];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let challenges = match parse(&text) {
        Ok(challenges) => challenges,
        Err(why) => return Outcome::refused(why),
    };
    for challenge in &challenges {
        let scheme = &challenge.scheme;
        assert!(
            !scheme.is_empty() && scheme.is_ascii() && *scheme == scheme.to_ascii_lowercase(),
            "{scheme:?}"
        );
        let longest = NAMES.iter().filter_map(|name| challenge.param(name)).map(str::len).max();
        assert!(longest.is_none_or(|longest| longest <= text.len()));
    }
    read_back(&challenges);
    Outcome::all(challenges.iter().take(4).map(realms))
}

/// Formatted again according to the header's rules, with only the known parameters, it means the same.
fn read_back(challenges: &[Challenge]) {
    let quoted = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"");
    let written = |challenge: &Challenge| {
        let one = |name: &&str| challenge.param(name).map(|value| format!("{name}=\"{}\"", quoted(value)));
        format!("{} {}", challenge.scheme, NAMES.iter().filter_map(one).collect::<Vec<_>>().join(", "))
    };
    let text = challenges.iter().map(written).collect::<Vec<_>>().join(", ");
    let again = parse(&text).unwrap_or_else(|why| panic!("{why}: {text:?}"));
    assert_eq!(again.len(), challenges.len(), "{text:?}");
    for (challenge, again) in challenges.iter().zip(&again) {
        assert_eq!(challenge.scheme, again.scheme);
        NAMES.iter().for_each(|name| assert_eq!(challenge.param(name), again.param(name), "{name}"));
    }
}

/// Where a password would be sent, for registries on the internet, in a private network, and on this machine.
fn realms(challenge: &Challenge) -> Outcome {
    let registries = ["https://r.example/v2/", "https://10.0.0.2:5000/v2/", "http://127.0.0.1:5000/v2/"];
    let mut kinds = Vec::new();
    for registry in registries.map(|text| Url::parse(text).unwrap()) {
        for insecure in [false, true] {
            let url = match token_url(challenge, &registry, insecure, "a&b=c") {
                Ok(url) => url,
                Err(why) => {
                    let realm = why.strip_prefix("its realm ").and_then(|rest| rest.split(' ').next());
                    // A long address is cut, and then it need not be valid any more.
                    let realm = realm.filter(|text| !text.ends_with('…'));
                    let realm = realm.map(|text| Url::parse(text).expect("an address is shown as one"));
                    assert!(realm.is_none_or(|url| url.username().is_empty() && url.password().is_none()));
                    kinds.push(None);
                    continue;
                }
            };
            let own = (url.host(), url.port_or_known_default())
                == (registry.host(), registry.port_or_known_default());
            let both_here = is_here(&url) && is_here(&registry);
            assert!(url.scheme() == "https" || url.scheme() == "http" && (insecure || both_here), "{url}");
            assert!(own || both_here || !is_private(&url), "{url} for {registry}");
            assert!(url.fragment().is_none(), "{url}");
            assert!(url.query_pairs().any(|(name, value)| name == "account" && value == "a&b=c"), "{url}");
            kinds.push(Some((url.scheme() == "https", own)));
        }
    }
    Outcome::of((matches!(challenge.scheme.as_str(), "basic" | "bearer"), kinds))
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.octets()[0] == 127,
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        Some(Host::Domain(name)) => format!(".{}", name.trim_end_matches('.')).ends_with(".localhost"),
        None => false,
    }
}

fn is_private(url: &Url) -> bool {
    let inner = |ip: std::net::Ipv4Addr| ip.is_private() || ip.is_link_local() || ip.is_unspecified();
    is_here(url)
        || match url.host() {
            Some(Host::Ipv4(ip)) => inner(ip),
            Some(Host::Ipv6(ip)) => {
                let first = ip.segments()[0];
                first & 0xfe00 == 0xfc00
                    || first & 0xffc0 == 0xfe80
                    || ip.is_unspecified()
                    || ip.to_ipv4_mapped().is_some_and(inner)
            }
            _ => false,
        }
}
