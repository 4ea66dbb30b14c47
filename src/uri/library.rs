//! References to library images: `library://[host/][[entity/]collection/]container[:tag,…]`, or
//! `…container@sha256:HEX`, which means `…container:sha256.HEX`.

use super::text::{UriError, check_characters, check_host, shown_in_error, split_port};
use crate::digest::Digest;
use std::fmt;

const SCHEME: &str = "library://";
const DEFAULT_TAG: &str = "latest";
/// The maximum length of a name in any library, in bytes.
const LONGEST: usize = 255;

/// A reference to a library image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryRef {
    host: Option<String>,
    /// One to three names: `[[entity/]collection/]container`.
    path: Vec<String>,
    tags: Vec<String>,
}

impl LibraryRef {
    /// Whether `text` starts with `library://`, whether it is valid or not.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Parses a reference, with or without its scheme. Up to three names are a path in the current library. With four
    /// names, the first one is the host of the library. `library:///` has an empty host.
    ///
    /// # Errors
    /// Another scheme, too many names, or an invalid name, tag or host.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let refuse =
            |why: String| UriError(format!("malformed library reference{}: {why}", shown_in_error(text)));
        check_characters(text).map_err(refuse)?;
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        if rest.contains("://") {
            return Err(refuse("its scheme is not library://".into()));
        }
        let path = rest.strip_prefix('/').filter(|_| Self::is_one(text));
        let mut names: Vec<&str> = path.unwrap_or(rest).split('/').collect();
        let host = match names.len() {
            4 if path.is_none() => Some(authority(names.remove(0)).map_err(refuse)?),
            1..=3 => None,
            _ => return Err(refuse("it has too many parts (use [HOST/]ENTITY/COLLECTION/CONTAINER)".into())),
        };
        let last = names.pop().unwrap_or_default();
        let (container, tags) = match (last.split_once('@'), last.split_once(':')) {
            (Some((container, digest)), _) if digest.starts_with("sha256:") => {
                let digest = digest.strip_prefix("sha256:").and_then(|digits| digits.parse::<Digest>().ok());
                let digest = digest.ok_or_else(|| refuse("sha256: needs 64 hexadecimal digits".into()))?;
                (container, vec![digest.name()])
            }
            (_, Some((container, tags))) => (container, tags.split(',').map(String::from).collect()),
            (_, None) => (last, vec![DEFAULT_TAG.to_string()]),
        };
        names.push(container);
        // If the reference contains an `@`, any part of it may belong to a password.
        let named = |part: &str| if text.contains('@') { String::new() } else { format!(" {part:?}") };
        if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
            let wrong = named(wrong);
            return Err(refuse(format!(
                "invalid name{wrong}: use at most 255 letters, digits and . _ -, starting with a letter or digit"
            )));
        }
        if let Some(wrong) = tags.iter().find(|tag| !is_tag(tag)) {
            return Err(refuse(format!("invalid tag{}", named(wrong))));
        }
        let mut tags = tags;
        for tag in &mut tags {
            if let Some(digest) = Digest::from_name(tag) {
                *tag = digest.name();
            }
        }
        Ok(Self { host, path: names.into_iter().map(String::from).collect(), tags })
    }

    /// `host[:port]` of the library, if the reference contains it.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// All tags in the order of the reference; never empty.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The SHA-256 of the image, if the reference contains it instead of a tag.
    pub fn sha256(&self) -> Option<Digest> {
        Digest::from_name(&self.tags[0])
    }

    /// `[[entity/]collection/]container`.
    pub fn path(&self) -> String {
        self.path.join("/")
    }

    /// `[[entity/]collection/]container:tag`, with the first tag.
    pub fn image(&self) -> String {
        format!("{}:{}", self.path(), self.tags[0])
    }

    /// The default file name of a pull: `container_tag.sif`.
    pub fn file_name(&self) -> String {
        format!("{}_{}.sif", self.path.last().expect("a path is never empty"), self.tags[0])
    }

    /// Entity, collection and container, which a push requires.
    ///
    /// # Errors
    /// One of them is missing or is a name that libraries do not accept for new objects, or the reference has a digest
    /// instead of a tag.
    pub fn full(&self) -> Result<[&str; 3], UriError> {
        if self.tags.iter().any(|tag| Digest::from_name(tag).is_some()) {
            return Err(UriError(format!("\"{self}\" contains a digest: push to a tag instead")));
        }
        let [entity, collection, container] = self.path.as_slice() else {
            let text = format!(
                "malformed library reference \"{self}\": to push, it must be {SCHEME}entity/collection/container[:tag]"
            );
            return Err(UriError(text));
        };
        for name in &self.path {
            if !is_new_name(name) {
                return Err(UriError(format!(
                    "malformed library reference \"{self}\": cannot push to {name:?}: use lower-case letters and digits, with single . _ - between them"
                )));
            }
        }
        Ok([entity, collection, container])
    }
}

/// With the scheme and all tags.
impl fmt::Display for LibraryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        write!(f, "{}:{}", self.path(), self.tags.join(","))
    }
}

fn authority(text: &str) -> Result<String, String> {
    let (host, _) = split_port(text)?;
    check_host(host)?;
    Ok(text.to_ascii_lowercase())
}

/// Whether `text` is a valid name, which is safe in the path of a request.
fn is_name(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_tag(text: &str) -> bool {
    is_name(text.strip_prefix('_').unwrap_or(text)) || text == "_"
}

/// Whether `text` consists of groups of lower-case letters and digits, separated by single `.`, `_` or `-`.
fn is_new_name(text: &str) -> bool {
    let small = |group: &str| {
        !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    text.split(['.', '_', '-']).all(small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_parsed() {
        let table = [
            ("library://alpine", None, "alpine:latest", "alpine_latest.sif"),
            ("alpine:3.19", None, "alpine:3.19", "alpine_3.19.sif"),
            ("library://lab/tools/Blast:v1,v2", None, "lab/tools/Blast:v1", "Blast_v1.sif"),
            ("library://lib.example.com/a/b/c", Some("lib.example.com"), "a/b/c:latest", "c_latest.sif"),
            ("library://Lib.example:81/a/b/c:x", Some("lib.example:81"), "a/b/c:x", "c_x.sif"),
            ("library://[::1]:81/a/b/c", Some("[::1]:81"), "a/b/c:latest", "c_latest.sif"),
            ("a/b/c:sha256.00ff", None, "a/b/c:sha256.00ff", "c_sha256.00ff.sif"),
            ("library:///a/b/c", None, "a/b/c:latest", "c_latest.sif"),
            ("library:///alpine:3", None, "alpine:3", "alpine_3.sif"),
        ];
        for (text, host, image, file) in table {
            let parsed = LibraryRef::parse(text).unwrap();
            assert_eq!(
                (parsed.host(), parsed.image().as_str(), parsed.file_name().as_str()),
                (host, image, file)
            );
        }
    }

    #[test]
    fn references_with_digests_are_parsed() {
        let digits = "0123456789abcdef".repeat(4);
        let capital = digits.to_uppercase();
        for text in [
            format!("library://a/b/c@sha256:{digits}"),
            format!("library:///a/b/c@sha256:{capital}"),
            format!("h.example/a/b/c:sha256.{digits}"),
            format!("a/b/c:sha256.{capital}"),
        ] {
            let parsed = LibraryRef::parse(&text).unwrap();
            assert_eq!(parsed.sha256(), digits.parse().ok(), "{text}");
            assert_eq!(parsed.image(), format!("a/b/c:sha256.{digits}"));
            assert_eq!(parsed.file_name(), format!("c_sha256.{digits}.sif"));
            assert_eq!(LibraryRef::parse(&parsed.to_string()), Ok(parsed.clone()));
            assert!(parsed.full().is_err(), "a push needs a tag");
        }
        for text in [
            format!("a@sha256:{digits}0"),
            format!("a@sha256:{}", &digits[1..]),
            format!("a@sha256:g{}", &digits[1..]),
            format!("a:v1@sha256:{digits}"),
            format!("a@sha256:{digits},v1"),
            format!("a@sha512:{digits}"),
            format!("a@b@sha256:{digits}"),
            format!("@sha256:{digits}"),
        ] {
            assert!(LibraryRef::parse(&text).is_err(), "{text}");
        }
        assert_eq!(LibraryRef::parse("a:sha256.00ff").unwrap().sha256(), None, "that is a tag");
    }

    #[test]
    fn invalid_references_are_refused_and_passwords_never_shown() {
        for text in [
            "",
            "library://",
            "library:////a",
            "library:///",
            "library:///h/a/b/c",
            "/a/b/c",
            "a//b",
            "library://a/b/c/d/e",
            "a/b/",
            "a:",
            "a:x,",
            "a:x:y",
            "-a",
            "../a",
            "a/..",
            "a b",
            "a\n",
            "a@sha256:00",
            "a?x",
            "a#x",
            "docker://a",
            "library://docker://a",
            "library://h:99999/a/b/c",
            "library://u@h/a/b/c",
            "a%2e",
            "ä",
            ".a",
        ] {
            assert!(LibraryRef::parse(text).is_err(), "{text:?}");
        }
        for text in [
            "library://me:secret@h/a/b/c",
            "library://me:secret@h/a",
            "secret@h",
            "me:secret@h",
            "a:b,secret@",
        ] {
            let message = LibraryRef::parse(text).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_push_needs_a_full_path_of_valid_names() {
        assert_eq!(LibraryRef::parse("a/b1/c-d.e_f").unwrap().full(), Ok(["a", "b1", "c-d.e_f"]));
        for text in ["c", "b/c", "A/b/c", "a/b--x/c", "a/b/c-", "a/b/c._d"] {
            assert!(LibraryRef::parse(text).unwrap().full().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn displayed_references_are_parsed_back(text in "(library://)?([a-zA-Z0-9.:]{1,8}/)?([a-zA-Z0-9._-]{1,5}/){0,2}[a-z0-9._-]{1,5}(:[a-z0-9._,-]{1,9})?") {
            if let Ok(parsed) = LibraryRef::parse(&text) {
                prop_assert_eq!(LibraryRef::parse(&parsed.to_string()), Ok(parsed.clone()));
                prop_assert!(!parsed.file_name().contains('/') && !parsed.file_name().starts_with('.'));
            }
        }

        #[test]
        fn no_reference_panics(text in "\\PC{0,40}") {
            if let Ok(parsed) = LibraryRef::parse(&text) {
                let _ = parsed.full();
            }
        }
    }
}
