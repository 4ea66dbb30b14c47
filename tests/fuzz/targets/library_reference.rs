//! References to library images. Each line of an input is a separate reference.

use super::endpoint_uri::{hides_password, reason};
use crate::target::{Outcome, Target};
use apptainer_remote::uri::LibraryRef;
use url::Url;

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "library://",
    "LIBRARY://",
    "docker://",
    "://",
    "/",
    "//",
    ":",
    ",",
    ":latest",
    ":v1,v2",
    ":sha256.00ff",
    "@sha256:00",
    "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF",
    ":sha256.0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF",
    "library:///",
    "@",
    "ada:canary@",
    "canary",
    "..",
    "%2e",
    ".",
    "_",
    "-",
    "--",
    "a/b/c",
    "lib.example.com/",
    "Lib.example:81/",
    "[::1]:81/",
    ":0",
    "?arch=x",
    "#",
    "\\",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    Outcome::of_lines(input, one)
}

fn one(text: &str) -> Outcome {
    let reference = match LibraryRef::parse(text) {
        Ok(reference) => reference,
        Err(error) => {
            let error = error.to_string();
            assert!(hides_password(text, &error), "{error}");
            return Outcome::refused(reason(&error));
        }
    };
    let shown = reference.to_string();
    assert!(LibraryRef::is_one(&shown));
    assert_eq!(LibraryRef::parse(&shown).expect("what is shown can be typed"), reference);
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    assert!(!reference.tags().is_empty(), "{shown}");
    assert!(reference.tags().iter().all(|tag| !tag.is_empty() && plain(tag)), "{shown}");
    let names: Vec<String> = reference.path().split('/').map(String::from).collect();
    assert!((1..=3).contains(&names.len()) && names.iter().all(|name| plain(name)), "{shown}");
    assert!(names.iter().all(|name| !name.is_empty() && !name.starts_with('.')), "{shown}");
    // The file is in the intended directory, and the request goes to the intended path.
    let file = reference.file_name();
    assert!(plain(&file) && !file.starts_with(['.', '-']) && file.ends_with(".sif"), "{file:?}");
    let url = Url::parse(&format!("https://h/v1/images/{}", reference.image())).expect("an address");
    assert_eq!(url.path(), format!("/v1/images/{}", reference.image()));
    if let Some(host) = reference.host() {
        let url = Url::parse(&format!("https://{host}")).expect("a host is one of an address");
        assert!(url.username().is_empty() && url.path() == "/", "{url}");
    }
    let full = match reference.full() {
        Ok(parts) => {
            assert_eq!(parts.join("/"), reference.path());
            assert!(parts.iter().all(|part| **part == part.to_ascii_lowercase()), "{shown}");
            true
        }
        Err(_) => false,
    };
    Outcome::of((names.len(), reference.tags().len().min(3), reference.host().is_some(), full))
}
