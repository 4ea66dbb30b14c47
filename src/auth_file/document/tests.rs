//! Auth files as Docker, Podman and Apptainer write them.

use super::*;
use crate::auth_file::key::HUB_KEY;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

fn uri(text: &str) -> ServiceUri {
    ServiceUri::from_stored(text).unwrap()
}

fn read(text: &str) -> Document {
    Document::parse(Some(text.as_bytes())).unwrap()
}

fn secret() -> Secret {
    Secret::new(STANDARD.encode("ada:pw"))
}

#[test]
fn a_login_keeps_everything_else_unchanged() {
    let text = r#"{"HttpHeaders":{"b":1.50,"a":1e+400},"auths":{"z.example":{"auth":"eDp5","email":"x"},"a.example":{"identitytoken":"t"}},"detachKeys":"é","n":123456789012345678901234567890}"#;
    let mut document = read(text);
    document.store(&uri("docker://z.example"), Some(&secret()));
    let written = String::from_utf8(document.to_bytes()).unwrap();
    let login = format!(r#"{{"email":"x","auth":"{}"}}"#, secret().expose());
    let expected = text.replace(r#"{"auth":"eDp5","email":"x"}"#, &login);
    assert_eq!(written.replace(['\n', '\t'], "").replace("\": ", "\":"), expected);
    assert!(written.starts_with("{\n\t\"HttpHeaders\""), "{written}");
    assert_eq!(document.remove(&uri("docker://a.example")), ["a.example"]);
    assert_eq!(document.registries(), ["docker://z.example"]);
}

#[test]
fn each_registry_is_listed_once_in_a_large_file() {
    let entry = |at: usize| format!("\"h{at}.example\":{{}},\"https://h{at}.example/v1/\":{{}}");
    let entries: Vec<String> = (0..20_000).map(entry).collect();
    let all = read(&format!("{{\"auths\":{{{}}}}}", entries.join(","))).registries();
    assert_eq!((all.len(), all[19_999].as_str()), (20_000, "docker://h19999.example"));
}

#[test]
fn errors_name_line_and_column_or_the_key() {
    for (text, expected) in [
        ("{\n\"auths\": {,}}", "2:11: key must be a string"),
        ("[]", "1:1: expected a JSON object"),
        ("{\"auths\": []}", "auths: expected an object"),
        ("{\"auths\": {\"h\": \"canary\"}}", "auths.h: expected an object"),
        ("{\"credHelpers\": {\"h\": 1}}", "credHelpers.h: expected a string"),
        ("{\"credsStore\": {}}", "credsStore: expected a string"),
        ("{\"n\": 1.5, \"auths\": {}, \"auths\": {}}", "1:36: duplicate key \"auths\""),
        ("{\"auths\": {\"h\": {},\n \"h\": {}}}", "2:9: duplicate key \"h\""),
        ("{\"auths\": {}, \"Auths\": {}}", "auths: duplicate key that differs only in case"),
        ("{\"auths\": {\"h\": {\"auth\": \"canary", "1:32: EOF while parsing a string"),
    ] {
        assert_eq!(Document::parse(Some(text.as_bytes())), Err(expected.into()), "{text}");
    }
    for empty in [None, Some(&b""[..]), Some(b" \n"), Some(b"{}")] {
        assert_eq!(Document::parse(empty), Ok(Document::default()));
    }
}

#[test]
fn different_spellings_of_a_registry_are_equal() {
    let text = r#"{"auths":{"docker.io":{"auth":"eDp5"},"https://index.docker.io/v1/":{},"https://H.example/v2/":{"auth":"eDp5"},"h.example:444":{},"h.example/team":{}}}"#;
    let mut document = read(text);
    assert_eq!(document.keys_of(&uri("oras://docker.io")), ["docker.io", HUB_KEY]);
    assert_eq!(document.keys_of(&uri("docker://h.example")), ["https://H.example/v2/"]);
    assert_eq!(document.keys_below(&uri("docker://h.example")), ["h.example/team"]);
    document.store(&uri("docker://index.docker.io"), Some(&secret()));
    assert_eq!(document.keys_of(&uri("docker://docker.io")), [HUB_KEY]);
    assert_eq!(
        document.registries(),
        ["docker://docker.io", "docker://h.example", "docker://h.example:444", "docker://h.example/team"]
    );
}

#[test]
fn a_port_makes_a_different_key_even_if_it_is_the_default() {
    let mut document = read(
        r#"{"auths":{"h":{"auth":"eDp5"},"h:443":{"auth":"eDp5"},"h:443/x":{},"h/y":{}},"credHelpers":{"h":"one"}}"#,
    );
    for (registry, keys, below) in [("docker://h", "h", "h/y"), ("docker://h:443", "h:443", "h:443/x")] {
        assert_eq!(document.keys_of(&uri(registry)), [keys]);
        assert_eq!(document.keys_below(&uri(registry)), [below]);
    }
    assert_eq!(document.helper_for(&uri("docker://h:443")), None);
    assert_eq!(document.remove(&uri("docker://h:443")), ["h:443"]);
    assert_eq!(document.entry_of(&uri("docker://h")), Some(Entry::Secret));
    assert_eq!(document.entry_of(&uri("docker://h:443")), None);
    let hub = read(r#"{"auths":{"docker.io:443":{}}}"#);
    assert_eq!(
        hub.keys_of(&uri("docker://docker.io")),
        ["docker.io:443"],
        "for Docker Hub, :443 makes no difference"
    );
}

#[test]
fn entries_are_classified_by_their_fields() {
    for (entry, expected) in [
        (r#"{"auth":"eDp5"}"#, Entry::Secret),
        (r#"{"identitytoken":"x"}"#, Entry::Secret),
        (r#"{"username":"x","password":"y"}"#, Entry::Secret),
        (r#"{"auth":"","email":"x"}"#, Entry::Empty),
        ("{}", Entry::Empty),
        ("null", Entry::Empty),
        (r#"{"username":"x"}"#, Entry::Empty),
        (r#"{"auth":null,"identitytoken":null}"#, Entry::Empty),
        // With line breaks, as the base64 tool inserts them, and with trailing bits, which Go ignores.
        (r#"{"auth":"YWRh\r\nOnA=\n"}"#, Entry::Secret),
        (r#"{"auth":"YWRhOnB="}"#, Entry::Secret),
        (r#"{"Auth":"eDp5","EMAIL":"x"}"#, Entry::Secret),
        (r#"{"IdentityToken":"x"}"#, Entry::Secret),
        (r#"{"auth":"eDo=","identitytoken":"x"}"#, Entry::Secret),
        (r#"{"auth":"no base64"}"#, Entry::Broken),
        (r#"{"auth":"YWRhOnA"}"#, Entry::Broken),
        (r#"{"auth":"\n"}"#, Entry::Broken),
        (r#"{"auth":"bm9jb2xvbg=="}"#, Entry::Broken),
        (r#"{"auth":"OnB3"}"#, Entry::Broken),
        (r#"{"auth":7}"#, Entry::Broken),
        (r#"{"auth":"eDp5","password":["y"]}"#, Entry::Broken),
    ] {
        let document = read(&format!("{{\"auths\":{{\"h\":{entry}}}}}"));
        assert_eq!(document.entry_of(&uri("docker://h")), Some(expected), "{entry}");
    }
    assert_eq!(read("{}").entry_of(&uri("docker://h")), None);
    let mut document = read(r#"{"auths":{"h":{"AUTH":"OnB3","Password":7,"Email":"x"}}}"#);
    document.store(&uri("docker://h"), Some(&secret()));
    assert_eq!(document, read(r#"{"auths":{"h":{"Email":"x","auth":"YWRhOnB3"}}}"#));
}

#[test]
fn a_path_in_a_registry_has_its_own_login() {
    let text = r#"{"auths":{"h/a":{"auth":"eDp5"},"h/a/b/":{"auth":"eDp5"},"h/ab":{"auth":"eDp5"},"https://h/a":{},"docker.io/a":{"auth":"eDp5"}}}"#;
    let mut document = read(text);
    assert_eq!(document.keys_of(&uri("docker://h/a")), ["h/a"]);
    assert_eq!(document.keys_of(&uri("oras://h/a/b")), ["h/a/b/"]);
    assert_eq!(document.keys_of(&uri("docker://h")), ["https://h/a"]);
    assert_eq!(document.keys_below(&uri("docker://h")), ["h/a", "h/a/b/", "h/ab"]);
    assert_eq!(document.keys_below(&uri("docker://h/a")), ["h/a/b/"]);
    assert_eq!(document.entry_of(&uri("docker://h/a")), Some(Entry::Secret));
    assert_eq!(document.entry_of(&uri("docker://h")), Some(Entry::Empty));
    assert_eq!(document.entry_of(&uri("docker://h/none")), None);
    let all = ["docker://h/a", "docker://h/a/b", "docker://h/ab", "docker://h", "docker://docker.io/a"];
    assert_eq!(document.registries(), all);
    assert_eq!(document.remove(&uri("docker://docker.io/a")), ["docker.io/a"]);
    assert_eq!(document.remove(&uri("docker://h/a")), ["h/a"]);
    assert_eq!(document.keys_below(&uri("docker://h")), ["h/a/b/", "h/ab"]);
}

#[test]
fn a_login_is_kept_by_the_file_or_a_helper() {
    let document = read(
        r#"{"auths":{"file":{"auth":"eDp5"},"own":{},"none":{"email":"x"},"own/part":{"auth":"eDp5"}},"credHelpers":{"own":"a","alone":"b","none":null}}"#,
    );
    for (registry, keeper) in [
        ("file", Some(Keeper::File)),
        ("own", Some(Keeper::Helper("a"))),
        ("own/part", Some(Keeper::File)),
        ("none", None),
        ("alone", None),
        ("elsewhere", None),
    ] {
        assert_eq!(document.keeper(&uri(&format!("docker://{registry}"))), keeper, "{registry}");
    }
    assert_eq!(document.helpers(), BTreeSet::from(["a", "b"]));
    let store = read(r#"{"auths":{"h":{}},"credsStore":"all"}"#);
    assert_eq!(store.keeper(&uri("docker://h")), Some(Keeper::Helper("all")));
    assert_eq!((store.keeper(&uri("docker://other")), store.helpers()), (None, BTreeSet::from(["all"])));
    assert!(read(r#"{"credsStore":"","credHelpers":{"h":""}}"#).helpers().is_empty());
}

#[test]
fn the_helper_of_a_registry_is_found() {
    let document = read(r#"{"credHelpers":{"h":"own","plain":"","docker.io":"hub"},"CREDSSTORE":"all"}"#);
    let helper = |text: &str| document.helper_for(&uri(text));
    assert_eq!(helper("docker://h"), Some("own"));
    assert_eq!(helper("docker://plain"), None, "the file itself");
    assert_eq!(helper("docker://index.docker.io"), Some("hub"));
    assert_eq!(helper("docker://other"), Some("all"));
    assert!(!document.helpers().is_empty() && read(r#"{"credsStore":""}"#).helpers().is_empty());
}

proptest! {
    #[test]
    fn no_text_panics(bytes: Vec<u8>, text in r#"[{}\[\]:," a-z"]{0,40}"#) {
        let _ = Document::parse(Some(&bytes));
        let _ = Document::parse(Some(text.as_bytes()));
    }

    #[test]
    fn a_login_does_not_change_others(keys in proptest::collection::vec("[a-c]{1,2}(\\.d)?(:[12])?", 0..6), own in "[a-c]\\.d") {
        let entries = keys.iter().map(|key| (key.clone(), serde_json::json!({"auth": "eDp5", "k": key})));
        let auths: Map<String, Value> = entries.collect();
        let before = read(&serde_json::json!({ "auths": auths, "x": 1 }).to_string());
        let registry = uri(&format!("docker://{own}"));
        let mut after = before.clone();
        after.store(&registry, Some(&secret()));
        prop_assert_eq!(after.entry(&own), Some(Entry::Secret));
        after.remove(&registry);
        let mut without = before.clone();
        without.remove(&registry);
        prop_assert_eq!(after, without);
    }
}
