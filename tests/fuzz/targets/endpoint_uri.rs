//! Addresses of endpoints: an accepted address can be stored, shown and used, and always means the same. Each
//! line of an input is a separate address.

use crate::target::{Outcome, Target};
use apptainer_remote::uri::{EndpointUri, shown};

pub const TARGET: Target = Target { large: 1 << 15, ..Target::new(check, WORDS) };

/// Used in the place of a password.
pub const CANARY: &str = "canary";

const WORDS: &[&str] = &[
    "https://",
    "http://",
    "HTTPS://",
    "//",
    "://",
    "/",
    "@",
    ":",
    "?",
    "#",
    "\\",
    "%2F",
    "%00",
    "%25",
    "[::1]",
    "[",
    "]",
    "[::ffff:1.2.3.4]",
    "127.0.0.1",
    "0x7f.1",
    "localhost",
    "cloud.apptainer.org",
    "h.example",
    "H.Example.",
    ":443",
    ":80",
    ":65535",
    ":0",
    ":+1",
    "..",
    "/../",
    "/./",
    "a.b",
    "bücher",
    "xn--bcher-kva",
    "xn--",
    "ada:canary@",
    "canary",
    ".",
    "-",
    "_",
    "~",
    "\n",
    " ",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let lines: Vec<&str> = text.split('\n').take(4).collect();
    let uris: Vec<EndpointUri> = lines.iter().filter_map(|line| one(line)).collect();
    for insecure in [false, true] {
        equivalence(&uris, |a, b| a.same_place(insecure, b, insecure));
    }
    Outcome::all(lines.iter().map(|line| shape(line)))
}

/// The rules for each accepted address, and for the message about each refused one.
fn one(text: &str) -> Option<EndpointUri> {
    let typed = match EndpointUri::parse_typed(text) {
        Ok(typed) => typed,
        Err(error) => {
            assert!(hides_password(text, &error.to_string()), "{error}");
            assert_eq!(EndpointUri::from_stored(text), None);
            return None;
        }
    };
    let uri = typed.uri;
    let (display, stored) = (uri.to_string(), uri.stored());
    assert!(!display.chars().any(|c| c.is_control() || c.is_whitespace()), "{display:?}");
    let authority = display.split('/').next().expect("there is a first part");
    assert!(!authority.contains(['@', '?', '#', '\\']), "{display:?}");
    for form in [&display, &stored, &format!("https://{display}")] {
        assert_eq!(EndpointUri::from_stored(form).as_ref(), Some(&uri), "{form:?}");
        assert_eq!(shown(form), display);
    }
    for insecure in [false, true] {
        let url = uri.url(insecure);
        assert_eq!(url.scheme(), if insecure { "http" } else { "https" });
        assert!(url.has_host() && url.username().is_empty() && url.password().is_none(), "{url}");
        assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
        assert!(uri.same_place(insecure, &uri, insecure));
    }
    assert!(uri.authority().starts_with(&uri.host()));
    Some(uri)
}

/// No message contains anything before an `@`.
pub fn hides_password(text: &str, message: &str) -> bool {
    text.rsplit_once('@').is_none_or(|(before, _)| !before.contains(CANARY)) || !message.contains(CANARY)
}

/// Equality is reflexive, symmetric and transitive.
pub fn equivalence<T: std::fmt::Debug>(all: &[T], same: impl Fn(&T, &T) -> bool) {
    for a in all {
        assert!(same(a, a), "{a:?} is not equal to itself");
        for b in all {
            assert_eq!(same(a, b), same(b, a), "{a:?} {b:?}");
            for c in all.iter().filter(|c| same(a, b) && same(b, c)) {
                assert!(same(a, c), "{a:?} {b:?} {c:?}");
            }
        }
    }
}

fn shape(text: &str) -> Outcome {
    match EndpointUri::parse_typed(text) {
        Err(error) => Outcome::refused(reason(&error.to_string())),
        Ok(typed) => {
            let url = typed.uri.url(false);
            let kind = url.host().map(|host| std::mem::discriminant(&host));
            let path = !url.path().trim_matches('/').is_empty();
            Outcome::of((kind, url.port().is_some(), path, typed.scheme.is_some(), typed.dropped))
        }
    }
}

/// The reason in a message, without the address.
pub fn reason(message: &str) -> &str {
    let why = message.rsplit_once(": ").map_or(message, |(_, why)| why);
    // The text before it is the scheme as typed.
    why.split_once(" transport").map_or(why, |(_, rest)| rest)
}
