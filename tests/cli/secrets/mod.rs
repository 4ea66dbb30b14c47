//! Where a secret may be: in the one intended file, in the request, and in the one output that was requested.
//! Covers every command, every source, success and failure, with the messages of `-d`.

mod processes;
mod services;

use crate::disk::{behind, has};
use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, IDENTITY, TOKEN_STATUS};
use crate::peers::library::{Fault, Library, NewImage, Port, When};
use crate::peers::sif::Sif;
use crate::world::{As, Shown, World, apptainer_alone, finish_reading, words};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TOKEN: &str = "canary-7f3a.t0ken";
const OTHER: &str = "canary-other";
/// The registry secret that the endpoint returns.
const OCI: &str = "oci-canary";

/// A world with the endpoint as its default remote, with this token.
fn lab(endpoint: &Endpoint, token: Option<&str>) -> World {
    endpoint.accept_token(TOKEN);
    let token = token.map_or_else(String::new, |token| format!("        Token: {token}\n"));
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab:
        URI: //{}
{token}        System: false
        Exclusive: false
        Insecure: true
",
        endpoint.host()
    ));
    world
}

/// All files of the world that contain `text`.
fn holders(world: &World, text: &str) -> Vec<PathBuf> {
    let (mut found, mut stack) = (Vec::new(), vec![world.path("home"), world.path("etc"), world.path("bin")]);
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn debug(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(&format!("-d remote {line}")))
}

/// Each source of a token: the command line, the standard input, and the answer to the prompt.
fn sources(world: &World, token: &str) -> Vec<(String, String, Option<String>)> {
    let file = world.path("tokenfile");
    fs::write(&file, format!("{token}\n")).unwrap();
    vec![
        (format!("login --tokenfile {}", file.display()), String::new(), None),
        ("login --tokenfile -".into(), format!("{token}\n"), None),
        ("login --password-stdin".into(), token.into(), None),
        (format!("login -p {token}"), String::new(), None),
        (format!("login --password={token} lab"), String::new(), None),
        ("login".into(), format!("{token}\r\nrest"), None),
        ("login".into(), String::new(), Some(token.into())),
    ]
}

/// Runs a login with one of the sources.
fn login(world: &mut World, (line, piped, answer): &(String, String, Option<String>)) -> Shown {
    world.terminals.stdin = answer.is_some();
    if let Some(answer) = answer {
        if world.user().contains("Token:") {
            world.answer("y");
        }
        world.answer(answer);
    }
    world.pipe(piped.as_str());
    debug(world, line)
}

#[test]
fn a_token_from_any_source_is_in_one_file_and_no_message() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, None);
    for source in sources(&world, TOKEN) {
        login(&mut world, &source).exits(0).never_shows("canary");
        assert_eq!(holders(&world, TOKEN), [world.user_file()], "{source:?}");
        world.terminals.stdin = false;
        debug(&world, "logout").exits(0).never_shows("canary");
        assert!(holders(&world, TOKEN).is_empty(), "{source:?}");
    }
    assert!(holders(&world, "canary").is_empty());
}

#[test]
fn a_refused_token_is_in_no_file_and_no_message() {
    let endpoint = Endpoint::http();
    let echo = format!(r#"{{"error":{{"code":401,"message":"no such token: '{OTHER}'"}}}}"#);
    for stored in [None, Some(TOKEN)] {
        let mut world = lab(&endpoint, stored);
        let before = world.user();
        for behaviour in [
            None,
            Some((TOKEN_STATUS, Behaviour::Json(401, echo.clone()))),
            Some((TOKEN_STATUS, Behaviour::Json(500, echo.clone()))),
            Some((TOKEN_STATUS, Behaviour::Body(403, "text/plain", format!("{OTHER} is unknown")))),
            Some((TOKEN_STATUS, Behaviour::Redirect(302, format!("/{OTHER}")))),
            Some((TOKEN_STATUS, Behaviour::Redirect(302, format!("ftp://{OTHER}/")))),
            Some((TOKEN_STATUS, Behaviour::Redirect(302, format!("http://{OTHER}.invalid/")))),
            Some((TOKEN_STATUS, Behaviour::Close)),
            Some((
                TOKEN_STATUS,
                Behaviour::Raw(format!("HTTP/1.1 401 {OTHER}\r\nContent-Length: 0\r\n\r\n").into()),
            )),
            Some((TOKEN_STATUS, Behaviour::Raw(format!("{OTHER}\r\n\r\n").into()))),
            Some((DISCOVERY, Behaviour::Json(404, "{}".into()))),
            Some((DISCOVERY, Behaviour::Json(200, "{}".into()))),
        ] {
            if let Some((path, behaviour)) = &behaviour {
                endpoint.set(path, behaviour.clone());
            }
            for source in sources(&world, OTHER) {
                let shown = login(&mut world, &source).exits(255);
                assert!(!shown.stderr.contains("canary"), "{behaviour:?} {source:?}: {shown:#?}");
                assert_eq!(world.user(), before, "{behaviour:?} {source:?}");
                assert!(holders(&world, OTHER).is_empty());
                world.answers.borrow_mut().clear();
            }
            if let Some((path, _)) = behaviour {
                endpoint.reset(path);
            }
        }
    }
}

#[test]
fn an_invalid_token_is_neither_sent_nor_shown() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, None);
    let long = format!("canary{}", "x".repeat(9000));
    for text in [
        "canary:x",
        "can$canary",
        "canary=x",
        "root:$6$canary:19000:0",
        "tök€n-canary",
        "canary\u{1b}[2J",
        &long,
    ] {
        for source in sources(&world, text) {
            login(&mut world, &source).exits(255).never_shows("canary");
        }
    }
    let file = world.path("latin1");
    fs::write(&file, b"canary\xe9\n").unwrap();
    debug(&world, &format!("login --tokenfile {}", file.display()))
        .exits(255)
        .says("UTF-8")
        .never_shows("canary");
    assert!(endpoint.requests_for(TOKEN_STATUS).is_empty());
    assert!(holders(&world, "canary").is_empty());
}

#[test]
fn a_wrong_command_line_shows_no_secret() {
    let endpoint = Endpoint::http();
    let world = lab(&endpoint, Some(TOKEN));
    let before = world.user();
    for line in [
        "login -p canary-x --tokenfile f",
        "login -p canary-x -p canary-y",
        "login --password=canary-x --password-stdin",
        "login --password=canary-x --nosuch",
        "login -p canary-x one two",
        "login --password-stdin=canary-x",
        "login --pasword=canary-x",
        "login --pasword canary-x lab",
        "list --password canary-x",
        "status -p canary-x",
    ] {
        debug(&world, line).exits(1).never_shows("canary");
    }
    assert_eq!(world.user(), before);
    assert!(endpoint.requests().is_empty());
}

#[test]
fn every_command_with_a_stored_token_shows_none() {
    let endpoint = Endpoint::http();
    for valid in [true, false] {
        let world = lab(&endpoint, Some(TOKEN));
        let logins = String::from(
            "\
Credentials:
    - URI: docker://h
      Auth: Basic canary-auth
      Insecure: false
",
        );
        world.write_user(world.user() + &logins);
        if !valid {
            endpoint.revoke_tokens();
        }
        for line in [
            "list",
            "list --all",
            "list --json",
            "status",
            "status --json",
            "status --strict --min-ttl 1h",
            "check",
            "use DefaultRemote",
            "use --json lab",
            "add --no-login -n other other.example.com",
            "add --no-login lab other.example.com",
            "add --no-login --if-absent lab other.example.com",
            "remove other",
            "remove nosuch",
            "login DefaultRemote",
            "logout DefaultRemote",
            "login docker://h",
            "nosuch",
        ] {
            let shown = debug(&world, line).never_shows("canary");
            assert!(!shown.stdout.contains("FATAL"), "{line}");
        }
        assert_eq!(holders(&world, "canary"), [world.user_file()]);
        assert!(world.user().ends_with(&logins) && world.user().contains(TOKEN), "{}", world.user());
        // Removed tokens leave no copy.
        let kept = |world: &World| !holders(world, TOKEN).is_empty();
        debug(&world, "add --no-login --replace lab other.example.com").exits(0).never_shows("canary");
        assert!(!kept(&world));
    }
}

#[test]
fn removing_a_token_leaves_no_copy() {
    let endpoint = Endpoint::http();
    for (line, code) in [("logout", 0), ("logout --all", 0), ("remove lab", 0), ("logout --json lab", 0)] {
        let world = lab(&endpoint, Some(TOKEN));
        debug(&world, line).exits(code).never_shows("canary");
        assert!(holders(&world, "canary").is_empty(), "{line}");
    }
}

#[test]
fn the_registry_password_is_only_on_standard_output() {
    let endpoint = Endpoint::http();
    let world = lab(&endpoint, Some(TOKEN));
    for _ in 0..2 {
        let shown = debug(&world, "get-login-password").exits(0);
        assert_eq!(shown.stdout, format!("{OCI}\n"));
        assert!(!shown.stderr.contains("canary"), "{shown:#?}");
        debug(&world, "status").exits(0).prints("ada").never_shows("canary");
        debug(&world, "status --json").exits(0).never_shows("canary");
        debug(&world, "login --tokenfile /nonexistent").exits(255).never_shows("canary");
        fs::create_dir_all(world.user_dir().join("remote-cache")).unwrap();
    }
    assert!(holders(&world, OCI).is_empty());
    for body in
        [r#"{"oidc_user_meta":"oci-canary"}"#, r#"{"username":["oci-canary"]}"#, "oci-canary", "<oci-canary>"]
    {
        for status in [200, 401, 500] {
            endpoint.set(IDENTITY, Behaviour::Body(status, "application/json", body.into()));
            let shown = debug(&world, "get-login-password").exits(255).never_shows(TOKEN);
            assert_eq!(shown.stdout, "", "{body}");
            assert!(status != 200 || !shown.stderr.contains(OCI), "{shown:#?}");
        }
    }
}

#[test]
fn a_token_from_the_environment_is_neither_stored_nor_shown() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, None);
    for name in
        ["APPTAINER_TOKEN", "APPTAINER_LOGIN_PASSWORD", "SINGULARITY_TOKEN", "APPTAINER_DOCKER_PASSWORD"]
    {
        world.set_env(name, TOKEN);
    }
    for host in [None, Some("127.0.0.1"), Some("other.example.com")] {
        if let Some(host) = host {
            world.set_env("APPTAINER_TOKEN_HOST", host);
        }
        for line in ["list --json", "status", "status --json", "use lab", "logout", "login", "nosuch"] {
            debug(&world, line).never_shows("canary");
        }
        let shown = debug(&world, "get-login-password");
        assert!(!shown.stderr.contains("canary"), "{shown:#?}");
        assert_eq!(shown.code == 0, host == Some("127.0.0.1"));
    }
    assert!(holders(&world, "canary").is_empty());
}

#[test]
fn passwords_in_addresses_are_never_shown() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, Some(TOKEN));
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        // Nothing listens at this address.
        world.set_env(name, "http://ada:canary-proxy@127.0.0.1:1");
    }
    world
        .remote("add --no-login far https://ada:canary-uri@far.example.com/?canary#canary")
        .exits(0)
        .never_shows("canary");
    assert!(!world.user().contains("canary-uri"));
    for line in ["status far", "login --tokenfile /dev/null far", "status"] {
        debug(&world, line).never_shows("canary");
    }
    // Another program may have written the file like this.
    world.write_user(
        "
Active: far
Remotes:
    far:
        URI: https://ada:canary-uri@far.example.com/
        System: false
        Exclusive: false
",
    );
    for line in ["list", "list --json", "list --all", "status", "status --json", "login", "use far", "check"]
    {
        debug(&world, line).never_shows("canary");
    }
}
