//! Addresses of endpoints: what is taken can be stored, shown and asked, and means the same each time. Each
//! line of an input is an address of its own.

use crate::target::{Outcome, Target};
use apptainer_remote::uri::{EndpointUri, shown};

pub const TARGET: Target = Target { large: 1 << 15, ..Target::new(check, WORDS) };

/// Stands where a password would.
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

/// What holds for each address that is taken, and for the words about each that is not.
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

/// Nothing of what stands before an `@` is in a message.
pub fn hides_password(text: &str, message: &str) -> bool {
    text.rsplit_once('@').is_none_or(|(before, _)| !before.contains(CANARY)) || !message.contains(CANARY)
}

/// Reflexive, symmetric, transitive.
pub fn equivalence<T: std::fmt::Debug>(all: &[T], same: impl Fn(&T, &T) -> bool) {
    for a in all {
        assert!(same(a, a), "{a:?} is not itself");
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

/// The part of a message that says why, without the address.
pub fn reason(message: &str) -> &str {
    let why = message.rsplit_once(": ").map_or(message, |(_, why)| why);
    // What stands before it is the scheme as it was typed.
    why.split_once(" transport").map_or(why, |(_, rest)| rest)
}
