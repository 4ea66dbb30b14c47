//! Extracts the server's own message from the body of an error response.

use super::error::WANTS_OURS;
use crate::secret::Secret;
use serde_json::Value;

/// The longest message that is displayed, in characters.
const LONGEST: usize = 200;

/// The message in the body of an error response, from one of these forms:
///
/// - the library's envelope `{"error":{"message":…}}`,
/// - `{"message":…}`,
/// - an OCI registry's `{"errors":[{"message":…}]}`,
/// - an object store's `<Error><Code>…</Code><Message>…</Message></Error>`,
/// - plain text, of which the first line is used.
///
/// An HTML page has no message. If the server repeats one of the `secrets` that were sent to it, it is replaced by
/// `…`.
pub fn from_body(body: &[u8], secrets: &[Secret]) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(json) => from_json(&json)?.to_string(),
        Err(_) => from_text(&String::from_utf8_lossy(body))?,
    };
    // No server accepts a shorter secret, and a short string would match parts of ordinary words.
    let long = secrets.iter().filter(|secret| secret.expose().len() >= 4);
    let text = long.fold(text, |text, secret| text.replace(secret.expose(), "…"));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(LONGEST) {
        _ if text.is_empty() => None,
        Some((end, _)) => Some(format!("{}…", &text[..end])),
        None => Some(text),
    }
}

fn from_json(json: &Value) -> Option<&str> {
    let places =
        ["/error/message", "/message", "/errors/0/message", "/error_description", "/error", "/detail"];
    places.iter().find_map(|place| json.pointer(place)?.as_str())
}

fn from_text(text: &str) -> Option<String> {
    if text.contains("SSL certificate was sent") {
        // From nginx's error page.
        return Some(WANTS_OURS.to_string());
    }
    from_xml(text).or_else(|| first_line(text).map(String::from))
}

/// `CODE: MESSAGE` from an object store, or just one of the two.
fn from_xml(text: &str) -> Option<String> {
    let (_, error) = text.split_once("<Error>")?;
    let inside = |name: &str| {
        let (_, rest) = error.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
        let plain = entities.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to));
        Some(plain).filter(|text| !text.trim().is_empty())
    };
    match (inside("Code"), inside("Message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    }
}

fn first_line(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}').trim();
    // Skip HTML pages, broken JSON and binary data: they are not readable.
    if text.starts_with(['<', '{', '[']) || text.contains(['\0', '\u{fffd}']) {
        return None;
    }
    text.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_found_in_every_form() {
        let table = [
            (r#"{"error":{"code":404,"message":"no such user"}}"#, Some("no such user")),
            (r#"{"message":"Not authorized"}"#, Some("Not authorized")),
            (r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#, Some("denied")),
            (r#"{"error":"invalid_token"}"#, Some("invalid_token")),
            (r#"{"error":{"code":404}}"#, None),
            ("[]", None),
            ("", None),
            ("  \n\n", None),
            ("try again\nlater", Some("try again")),
            ("<html><body>502</body></html>", None),
            ("{broken", None),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has\nexpired</Message></Error>",
                Some("AccessDenied: Request has expired"),
            ),
            ("<Error><Code>NoSuchKey</Code><Message></Message></Error>", Some("NoSuchKey")),
            ("<Error><Message>a &lt;b&gt; &amp;amp; c</Message></Error>", Some("a <b> &amp; c")),
            ("<Error><Code>x", None),
            ("<html><Code>x</Code></html>", None),
            ("<html><center>No required SSL certificate was sent</center></html>", Some(WANTS_OURS)),
            ("\0\u{1}", None),
        ];
        for (body, expected) in table {
            assert_eq!(from_body(body.as_bytes(), &[]).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_message_is_one_bounded_line_without_the_token() {
        let token = Secret::new("canary-token".into());
        let body = r#"{"message":"bad token\n 'canary-token'"}"#;
        assert_eq!(from_body(body.as_bytes(), std::slice::from_ref(&token)).unwrap(), "bad token '…'");
        assert_eq!(from_body("x".repeat(5000).as_bytes(), &[]).unwrap().chars().count(), LONGEST + 1);
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>, token in "\\PC{0,8}") {
            from_body(&body, &[Secret::new(token)]);
        }
    }
}
