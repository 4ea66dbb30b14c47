//! Responses of maximum length, in one table. Whatever they contain, a command ends within 64 MiB of memory and
//! prints a bounded amount. The figures are printed.

use crate::hostile::{figures, measured};
use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, IDENTITY, Request, TOKEN_STATUS};
use crate::peers::sif::Sif;
use crate::real::daemon::installed;
use crate::world::{Shown, World};
use std::io::Write;
use std::process::Stdio;

const TOKEN: &str = "canary-t0ken";
const PASSWORD: &str = "canary-pass";
/// In seconds; the program itself ends earlier.
const PATIENCE: &str = "300";
/// In KiB.
const MEMORY: u64 = 64 << 10;
/// Above the longest listing, in bytes.
const OUTPUT: usize = 24 << 20;

/// `begin`, as many `entry` as fit into `size` bytes, `end`.
fn filled(size: usize, begin: &str, entry: &str, end: &str) -> String {
    let count = (size - begin.len() - end.len()) / entry.len();
    [begin, &entry.repeat(count), end].concat()
}

fn world(endpoint: &Endpoint) -> World {
    let world = World::new();
    world.install();
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab:
        URI: //{}
        Token: {TOKEN}
        System: false
        Exclusive: false
        Insecure: true
Credentials: []
",
        endpoint.host()
    ));
    world
}

/// Runs a command and checks it against the limits for all rows.
fn judge(name: &str, world: &World, args: &[&str]) -> Shown {
    let mut command = measured(world, PATIENCE, args);
    let input = world.path("input");
    std::fs::File::create(&input).unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let figures = figures(command.stdin(Stdio::from(std::fs::File::open(&input).unwrap())));
    let shown = &figures.shown;
    let memory = figures.memory.unwrap_or_else(|| panic!("{name}: not measured: {shown:?}"));
    let output = shown.stdout.len() + shown.stderr.len();
    println!(
        "{name:<44} exit {:>3} {:>6.2} s {:>6.1} MiB, {output} bytes shown",
        shown.code,
        figures.time.as_secs_f64(),
        memory as f64 / 1024.0
    );
    assert!(matches!(shown.code, 0 | 255), "{name}: exit {}: {:.2000}", shown.code, shown.stderr);
    assert!(memory < MEMORY, "{name}: {memory} KiB");
    assert!(output < OUTPUT, "{name}: {output} bytes");
    for secret in [TOKEN, PASSWORD] {
        assert!(!shown.stderr.contains(secret) && !shown.stdout.contains(secret), "{name}");
    }
    assert!(!shown.stdout.contains(['\x1b', '\u{202e}']), "{name}: terminal escapes in the output");
    figures.shown
}

/// Contents of `data` with `size` bytes that could take many times their length in memory.
fn contents(size: usize) -> Vec<(&'static str, String)> {
    let controls = "\u{202e}".repeat(300);
    let image = format!(
        r#"{{"hash":"{0}","entityName":"{0}","collectionName":"{0}","containerName":"{0}","description":"{0}","tags":["{0}"],"fingerprints":["{0}"]}},"#,
        controls
    );
    let tags = format!(r#"{{"tags":[{0}"a"],"fingerprints":[{0}"a"]}},"#, r#""a","#.repeat(1500));
    vec![
        ("images without anything", filled(size, r#""image":["#, "{},", "{}]")),
        ("images with many names", filled(size, r#""image":["#, &tags, "{}]")),
        ("images of control characters", filled(size, r#""image":["#, &image, "{}]")),
        ("one image with many tags", filled(size, r#""image":[{"tags":["#, r#""a","#, r#""a"]}]"#)),
        ("many tags", filled(size, r#""tags":["#, r#""a","#, r#""a"]"#)),
        ("a long description", filled(size, r#""description":""#, r"\u0001", r#"""#)),
        ("unknown keys", filled(size, "", r#""a":{"b":0},"#, r#""b":0"#)),
        ("lists in lists", filled(size, r#""image":"#, "[", "")),
    ]
}

/// A library whose responses are all small and valid, except for that to one request.
fn library(method: &'static str, place: &'static str, odd: String) -> Endpoint {
    Endpoint::answering(move |request: &Request| {
        let path = request.path.split('?').next().unwrap_or_default();
        if request.method == method && path.contains(place) {
            return (200, odd.clone());
        }
        let base = format!("http://{}", request.header("host").unwrap_or_default());
        let step = path.rsplit('/').next().unwrap_or_default();
        let data = match (request.method.as_str(), step) {
            (_, "config.prod.json") => {
                return (200, format!(r#"{{"libraryAPI":{{"uri":"{base}/library"}}}}"#));
            }
            ("GET", "version") => r#"{"version":"1","apiVersion":"2.0.0-alpha.2"}"#.to_string(),
            ("POST", "_multipart") => r#"{"uploadID":"u","totalParts":2,"partSize":67108864}"#.to_string(),
            ("PUT", "_multipart") => format!(r#"{{"presignedURL":"{base}/put"}}"#),
            _ => r#"{"id":"1","uploaded":false}"#.to_string(),
        };
        (200, format!(r#"{{"data":{data}}}"#))
    })
}

const LARGEST: usize = (16 << 20) - 64;

#[test]
fn long_responses_to_a_search_and_a_pull_are_bounded() {
    if !installed(&["python3"]) {
        return;
    }
    for (name, content) in contents(LARGEST) {
        let odd = format!(r#"{{"data":{{{content}}}}}"#);
        // Each response goes to the command that reads such data, and an unexpected one goes to both.
        if !matches!(name, "many tags" | "a long description") {
            let endpoint = library("GET", "/v1/search", odd.clone());
            judge(&format!("search: {name}"), &world(&endpoint), &["search", "blast"]);
            if name == "images of control characters" {
                judge(&format!("search --json: {name}"), &world(&endpoint), &["search", "-j", "blast"]);
            }
        }
        if !name.contains("image") {
            let endpoint = library("GET", "/v1/images/", odd);
            judge(&format!("pull: {name}"), &world(&endpoint), &["pull", "x.sif", "library://a/b/c"]);
        }
    }
}

#[test]
fn a_response_over_the_limit_is_refused() {
    if !installed(&["python3"]) {
        return;
    }
    let odd = filled(LARGEST + 1000, r#"{"data":{"image":["#, "{},", "{}]}}");
    let endpoint = library("GET", "/v1/search", odd);
    judge("search: too long", &world(&endpoint), &["search", "blast"])
        .exits(255)
        .says("the response is longer than 16777216 bytes");
}

#[test]
fn long_responses_to_a_push_are_bounded() {
    if !installed(&["python3"]) {
        return;
    }
    let unknown = || filled(LARGEST, "", r#""a":{},"#, r#""id":"1""#);
    let known = |begin: &str, entry: &str, end: &str| filled(LARGEST, begin, entry, end);
    let parts = r#""uploadID":"u","totalParts":2,"partSize":67108864"#;
    let rows = [
        ("an entity", "GET", "/v1/entities/", unknown()),
        ("a version", "GET", "/version", known(r#""apiVersion":"2.0.0-"#, "a.", r#"a""#)),
        (
            "options of parts",
            "POST",
            "_multipart",
            known(&format!(r#"{parts},"options":{{"#), r#""a":"","#, r#""b":""}"#),
        ),
        (
            "an upload's id",
            "POST",
            "_multipart",
            known(r#""totalParts":2,"partSize":67108864,"uploadID":""#, "a", r#"""#),
        ),
        (
            "sizes that do not fit",
            "POST",
            "_multipart",
            format!(r#""uploadID":"u","totalParts":{0},"partSize":{0}"#, u64::MAX),
        ),
        ("an address", "PUT", "_multipart", known(r#""presignedURL":"http://127.0.0.1/"#, "a", r#"""#)),
        ("the end", "PUT", "_multipart_complete", known(r#""quota":{},"containerUrl":""#, r"\u0001", r#"""#)),
        ("a tag", "POST", "/v2/tags/", known("", r#""a":{"b":{}},"#, r#""c":0"#)),
    ];
    for (name, method, place, content) in rows {
        let endpoint = library(method, place, format!(r#"{{"data":{{{content}}}}}"#));
        let world = world(&endpoint);
        let image = world.home().join("x.sif");
        std::fs::write(&image, Sif::new("amd64").bytes()).unwrap();
        std::fs::File::options().write(true).open(&image).unwrap().set_len((64 << 20) + 1).unwrap();
        judge(&format!("push: {name}"), &world, &["push", "-U", "x.sif", "library://a/b/c"]);
    }
}

#[test]
fn long_responses_of_an_endpoint_are_bounded() {
    if !installed(&["python3"]) {
        return;
    }
    const MOST: usize = (1 << 20) - 64;
    let object = |begin: &str, entry: &str, end: &str| filled(MOST, begin, entry, end);
    let numbered = |entry: fn(usize) -> String, count| {
        let entries: String = (0..count).map(entry).collect();
        format!(r#"{{{entries}"end":0}}"#)
    };
    let rows = [
        (DISCOVERY, "empty entries", numbered(|n| format!(r#""{n}":{{}},"#), 90_000)),
        (DISCOVERY, "entries in entries", numbered(|n| format!(r#""{n}":{{"b":{{"c":0}}}},"#), 45_000)),
        (DISCOVERY, "a list in an entry", object(r#"{"a":{"uri":["#, "[],", "0]}}")),
        (DISCOVERY, "a list", object("[", r#"{"a":{"b":0}},"#, "0]")),
        (DISCOVERY, "a long address", object(r#"{"a":{"uri":"http://127.0.0.1/"#, "a", r#""}}"#)),
        (DISCOVERY, "a long name", object(r#"{""#, "\u{202e}", r#"":{"uri":"x"}}"#)),
        (DISCOVERY, "names", {
            numbered(|n| format!(r#""{n}{}":{{"uri":"x{}"}},"#, "a".repeat(3000), "b".repeat(1000)), 250)
        }),
        (TOKEN_STATUS, "a list", object("[", r#"{"a":{"b":0}},"#, "0]")),
        (IDENTITY, "a long name", object(r#"{"username":""#, r"\u0001", r#""}"#)),
        (IDENTITY, "unknown keys", object("{", r#""a":{"b":0},"#, r#""b":0}"#)),
        (IDENTITY, "a long secret", object(r#"{"oidc_user_meta":{"secret":""#, "a", r#""}}"#)),
    ];
    for (path, name, body) in rows {
        let endpoint = Endpoint::http();
        endpoint.accept_token(TOKEN);
        endpoint.set(path, Behaviour::Json(200, body));
        let world = world(&endpoint);
        judge(&format!("status, {path}: {name}"), &world, &["-d", "remote", "status"]);
        let more: &[&str] = match path {
            DISCOVERY => &["keyserver", "list"],
            IDENTITY => &["remote", "get-login-password"],
            _ => continue,
        };
        judge(&format!("{}: {name}", more.join(" ")), &world, more);
    }
}

#[test]
fn long_responses_of_many_services_and_failures_are_bounded() {
    if !installed(&["python3"]) {
        return;
    }
    let (endpoint, full) = (Endpoint::http(), "x".repeat((1 << 20) - 64));
    endpoint.accept_token(TOKEN);
    let url = endpoint.url();
    let services: Vec<_> = (0..256).map(|n| (format!("s{n}"), format!("{url}/s{n}"))).collect();
    let pairs: Vec<_> = services.iter().map(|(name, uri)| (name.as_str(), uri.as_str())).collect();
    endpoint.set_services(&pairs);
    let body = format!(r#"{{"data":{{"version":"{full}"}}}}"#);
    let errors = filled(1 << 20, r#"{"errors":["#, r#"{"message":"a"},"#, "0]}");
    for n in 0..256 {
        let (status, body) = if n % 2 == 0 { (200, &body) } else { (404, &errors) };
        endpoint.set(&format!("/s{n}/version"), Behaviour::Json(status, body.clone()));
    }
    judge("status: 256 services with long answers", &world(&endpoint), &["remote", "status"]);
}

#[test]
fn long_responses_of_a_registry_are_bounded() {
    if !installed(&["python3"]) {
        return;
    }
    let rows = [
        ("a token", 200, filled(1 << 20, r#"{"token":""#, "a", r#""}"#)),
        ("a list with a token", 200, filled(1 << 20, r#"{"x":["#, r#"{"a":{}},"#, r#"0],"token":"t"}"#)),
        ("errors", 401, filled(1 << 20, r#"{"errors":["#, r#"{"message":"a"},"#, "0]}")),
        ("an error", 500, filled(1 << 20, r#"{"errors":[{"message":""#, r"\u0001", r#""}]}"#)),
    ];
    for (name, status, body) in rows {
        let endpoint = Endpoint::http();
        let challenge = format!(
            "HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer realm=\"{}/token\"\r\nContent-Length: 0\r\n\r\n",
            endpoint.url()
        );
        endpoint.set("/v2/", Behaviour::Raw(challenge.into_bytes()));
        endpoint.set("/token", Behaviour::Json(status, body));
        let uri = format!("docker://{}", endpoint.host());
        let args = ["registry", "login", "-i", "-u", "ada", "--password-stdin", &uri];
        judge(&format!("registry login: {name}"), &world(&endpoint), &args);
    }
}
