//! References to images of a library. Each line of an input is one.

use super::endpoint_uri::{hides_password, reason};
use crate::target::{Outcome, Target};
use apptainer_remote::uri::LibraryRef;

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "library://",
    "LIBRARY://",
    "docker://",
    "://",
    "/",
    "//",
    "entity",
    "collection",
    "container",
    "Container",
    ":latest",
    ":v1,v2",
    ":",
    ",",
    "_",
    ".",
    "..",
    "-",
    "h.example:8443/",
    "[::1]/",
    "ada:canary@",
    "sha256.0123456789abcdef",
    "@sha256:",
    "?",
    "#",
    "%2f",
    "\\",
    " ",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    Outcome::all(text.split('\n').take(4).map(one))
}

fn one(text: &str) -> Outcome {
    let reference = match LibraryRef::parse(text) {
        Ok(reference) => reference,
        Err(error) => {
            assert!(hides_password(text, &error.to_string()), "{error}");
            return Outcome::refused(reason(&error.to_string()));
        }
    };
    let shown = reference.to_string();
    assert_eq!(LibraryRef::parse(&shown).as_ref(), Ok(&reference), "{shown}");
    assert!(LibraryRef::is_one(&shown));
    // A name of a file that lies where it is wanted, and a path that leads nowhere else.
    let file = reference.file_name();
    assert!(!file.contains(['/', '\0']) && !file.starts_with(['.', '-']) && file.ends_with(".sif"), "{file}");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    assert!(reference.image().chars().all(plain), "{shown}");
    assert!(reference.path().split('/').all(|name| !name.is_empty() && !name.starts_with('.')), "{shown}");
    assert!(!reference.tags().is_empty() && reference.tags().iter().all(|tag| !tag.is_empty()));
    let full = reference.full();
    if let Ok(names) = &full {
        assert_eq!(names.join("/"), reference.path());
        assert!(!names.iter().any(|name| name.contains(|c: char| c.is_ascii_uppercase())));
    }
    let parts = reference.path().split('/').count();
    Outcome::of((reference.host().is_some(), parts, reference.tags().len().min(3), full.is_ok()))
}
