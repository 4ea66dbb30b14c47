//! Where a secret may be: in the one file that is meant, in the request, in the one output that is asked
//! for. Every command, every source, success and failure, with all that `-d` tells.

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
/// The secret that the endpoint tells for the registry.
const OCI: &str = "oci-canary";

/// A world with the endpoint as its default, and a login to a registry that a real program left.
fn lab(endpoint: &Endpoint, token: Option<&str>) -> World {
    endpoint.accept_token(TOKEN);
    let token = token.map_or_else(String::new, |token| format!("        Token: {token}\n"));
    let world = World::new();
    world.write_user(format!(
        "Active: lab\nRemotes:\n    lab:\n        URI: //{}\n{token}        System: false\n        Exclusive: false\n        Insecure: true\n",
        endpoint.host()
    ));
    world
}

/// All files of the world that hold `text`.
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

/// Each source of a token: what to type, what to pipe, what to answer.
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
fn a_token_of_every_source_goes_into_one_file_and_no_message() {
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
fn a_token_that_is_refused_is_in_no_file_and_no_message() {
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
fn what_is_no_token_is_neither_sent_nor_shown() {
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
            "Credentials:\n    - URI: docker://h\n      Auth: Basic canary-auth\n      Insecure: false\n",
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
        // The tokens that go leave no copy.
        let kept = |world: &World| !holders(world, TOKEN).is_empty();
        debug(&world, "add --no-login --replace lab other.example.com").exits(0).never_shows("canary");
        assert!(!kept(&world));
    }
}

#[test]
fn what_forgets_a_token_leaves_no_copy() {
    let endpoint = Endpoint::http();
    for (line, code) in [("logout", 0), ("logout --all", 0), ("remove lab", 0), ("logout --json lab", 0)] {
        let world = lab(&endpoint, Some(TOKEN));
        debug(&world, line).exits(code).never_shows("canary");
        assert!(holders(&world, "canary").is_empty(), "{line}");
    }
}

#[test]
fn the_registry_password_is_on_standard_output_alone() {
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
fn a_token_of_the_environment_is_stored_nowhere_and_shown_nowhere() {
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
fn passwords_in_addresses_are_shown_nowhere() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, Some(TOKEN));
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        // Nobody listens there.
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
    // As somebody else may have written it.
    world.write_user("Active: far\nRemotes:\n    far:\n        URI: https://ada:canary-uri@far.example.com/\n        System: false\n        Exclusive: false\n");
    for line in ["list", "list --json", "list --all", "status", "status --json", "login", "use far", "check"]
    {
        debug(&world, line).never_shows("canary");
    }
}

#[test]
fn a_login_starts_no_other_program() {
    if apptainer_alone("its processes look at the home of the password database there") {
        return;
    }
    let endpoint = Endpoint::http();
    if !has("strace", &["true"]) {
        return;
    }
    let world = lab(&endpoint, None);
    world.give_home_to_user();
    let (trace, token) = (world.home().join("trace"), world.home().join("token"));
    fs::write(&token, TOKEN).unwrap();
    world.give_home_to_user();
    let strace =
        ["strace", "-f", "-v", "-s", "9999", "-qq", "-e", "trace=execve", "-o", trace.to_str().unwrap()];
    for line in
        ["-d remote login", &format!("-d remote login --tokenfile {}", token.display()), "-d remote status"]
    {
        let mut command = behind(&world, As::User, &strace).unwrap();
        finish_reading(command.args(words(line)), TOKEN).exits(0).never_shows("canary");
        let text = fs::read_to_string(&trace).unwrap();
        assert_eq!(text.matches("execve(").count(), 1, "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

/// Names and values that YAML could take for something else.
const ODD: &[&str] = &[
    "yes",
    "No",
    "on",
    "null",
    "~",
    "true",
    "1e3",
    "0x10",
    "0o7",
    "010",
    "12:30",
    "190:20:30",
    "2001-01-01",
    ".5",
    "1.",
    "+1",
    "1_000",
    ".inf",
    ".NaN",
    "=",
    "<<",
    "!tag",
    "&a",
    "*a",
    "%x",
    "@x",
    "`x",
    "a: b",
    "a #b",
    "#a",
    "[a]",
    "{a}",
    "a,b",
    "'",
    "\"",
    "a'b\"c",
    "\\",
    "a\\nb",
    "ends:",
    ": a",
    "? a",
    "|",
    ">",
    "a - b",
    "ä✓日本",
    "😀",
    "\u{a0}x",
    "\u{feff}x",
    "a\u{200b}b",
    "é",
    "x y",
    "...",
    "0b1",
    "1,2",
    "a\u{e000}b",
    "2001-01-01T00:00:00Z",
    "0.1e-5",
    "-0",
    "--",
];

#[test]
fn an_independent_reader_finds_the_same_values() {
    let python = "/usr/bin/python3";
    if !has(python, &["-c", "import yaml"]) {
        return;
    }
    let world = World::new();
    let long = "n".repeat(200);
    let mut expected = serde_json::Map::new();
    for name in ODD.iter().copied().chain([long.as_str()]) {
        let uri = "h.example.com/a%20b";
        let added = world.run(As::User, &["remote", "add", "--no-login", "-n", "--", name, uri]);
        if name.starts_with('-') {
            added.exits(255);
            continue;
        }
        added.exits(0);
        let entry = serde_json::json!({"URI": uri, "System": false, "Exclusive": false});
        expected.insert(name.into(), entry);
        world.run(As::User, &["remote", "use", name]).exits(0);
        assert_eq!(read_by_python(python, &world.user_file())["Active"], name);
    }
    let read = read_by_python(python, &world.user_file());
    assert_eq!(read["Remotes"], serde_json::Value::Object(expected), "{}", world.user());
    // And we find them again.
    let listed: serde_json::Value =
        serde_json::from_str(&world.remote("list --json").exits(0).stdout).unwrap();
    let names: Vec<&str> =
        listed["remotes"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(read["Remotes"].as_object().unwrap().keys().all(|name| names.contains(&name.as_str())));
}

#[test]
fn an_independent_reader_finds_the_same_tokens() {
    let python = "/usr/bin/python3";
    if !has(python, &["-c", "import yaml"]) {
        return;
    }
    let endpoint = Endpoint::http();
    let world = lab(&endpoint, None);
    for token in [
        "null",
        "true",
        "1e3",
        "0x10",
        "1234567890",
        "2001-01-01",
        "12",
        "~",
        "-",
        "--",
        "---",
        "...",
        "+",
        "a=",
        "/",
        "0o17",
        ".5",
        "1_000",
        "-1",
        &"t".repeat(8192),
    ] {
        endpoint.accept_token(token);
        world.pipe(token).remote("login").exits(0);
        assert_eq!(
            read_by_python(python, &world.user_file())["Remotes"]["lab"]["Token"],
            token,
            "{}",
            world.user()
        );
        world.pipe("").remote("status").exits(0);
        let sent = endpoint.requests_for(TOKEN_STATUS).pop().unwrap();
        assert_eq!(sent.header("authorization"), Some(format!("Bearer {token}").as_str()));
    }
}

/// What PyYAML reads.
fn read_by_python(python: &str, file: &Path) -> serde_json::Value {
    let script = "import json,sys,yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout)";
    let mut child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = fs::read(file).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&bytes),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn debug_output_of_a_real_process_shows_no_token() {
    let endpoint = Endpoint::http();
    let world = lab(&endpoint, None);
    world.give_home_to_user();
    let run = |line: &str, input: &str| {
        let mut command = behind(&world, As::User, &[]).unwrap();
        command
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("SSLKEYLOGFILE", world.home().join("keys"));
        finish_reading(command.args(words(line)), input).never_shows("canary")
    };
    run("-d remote login", TOKEN).exits(0);
    run("-d remote status", "").exits(0);
    run("-d remote login", OTHER).exits(255);
    assert_eq!(holders(&world, "canary"), [world.user_file()]);
    run("-d remote logout", "").exits(0);
    assert!(holders(&world, "canary").is_empty());
}

#[test]
fn the_password_of_a_service_is_in_its_file_and_nowhere_else() {
    if apptainer_alone("the built-in remote is asked there, over the network") {
        return;
    }
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode("ada:canary-pw");
    let wanted = format!("Basic {encoded}");
    // It repeats what it was sent, as some servers do.
    let server = Endpoint::answering(move |request| match request.header("authorization") {
        Some(login) if login == wanted => (200, "{}".into()),
        login => (401, format!(r#"{{"message":"canary-pw or {login:?}?"}}"#)),
    });
    let basic = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let open = Endpoint::answering(|_| (200, "{}".into()));
    for (group, uri, file) in [
        ("keyserver", format!("hkp://{}", server.host()), ".apptainer/remote.yaml"),
        ("registry", format!("docker://{}", open.host()), ".docker/config.json"),
    ] {
        let world = World::new();
        if group == "keyserver" {
            world.run(As::Root, &["keyserver", "add", &uri]).exits(0);
        }
        let run = |line: &str| {
            let shown = world.run(As::User, &words(&format!("-d {line}")));
            shown.never_shows("canary").never_shows(&encoded)
        };
        let login = |password: &str| {
            world.pipe(password);
            run(&format!("{group} login -u ada {uri}"))
        };
        login("canary-pw").exits(0);
        let holder = [world.home().join(file)];
        assert_eq!((holders(&world, &encoded), holders(&world, "canary")), (holder.to_vec(), vec![]));
        for line in
            ["registry list", "registry list -j", "keyserver list -j", "remote list -a", "remote list -j"]
        {
            run(line).exits(0);
        }
        run(&format!("{group} login -u ada -p canary-wrong {uri}"));
        run(&format!("{group} login -u ada --password=canary-wrong --pasword {uri}")).exits(1);
        run(&format!("{group} logout {uri}")).exits(0);
        assert!(holders(&world, &encoded).is_empty());
    }
    let world = World::new();
    open.set("/v2/", Behaviour::Raw(basic.into()));
    world.pipe("canary-pw");
    let line = words(&format!("-d registry login -u ada docker://{}", open.host()));
    world.run(As::User, &line).exits(255).never_shows("canary").never_shows(&encoded);
}

/// Every command on images once, of which each line gets `-d`.
fn images(world: &World, name: &str) -> Vec<Shown> {
    let image = world.home().join("image.sif").display().to_string();
    let output = world.home().join(format!("{name}.sif")).display().to_string();
    let (mine, theirs) = (format!("library://lab/tools/{name}:v1"), "library://lab/tools/blast:v1");
    let lines: [&[&str]; 6] = [
        &["search", "blast"],
        &["search", "-j", "blast"],
        &["pull", "--disable-cache", "-F", &output, theirs],
        &["pull", "-F", &output, theirs],
        &["push", &image, &mine],
        &["delete", "-F", &mine],
    ];
    let run = |words: &&[&str]| {
        let shown = world.run(As::User, &[&["-d"], *words].concat());
        shown.never_shows("canary").never_shows("Signature=")
    };
    lines.iter().map(run).collect()
}

#[test]
fn images_come_and_go_without_a_word_of_the_token() {
    let signer = "0123456789ABCDEF0123456789ABCDEF01234567";
    let library = Library::http();
    library.accept_token(TOKEN);
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.2".into()));
    library
        .add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").filled(100_000).signed(signer).bytes()));
    let mut world = World::new();
    world.set_env("APPTAINER_PULL_ARCH", "amd64");
    world.set_env("APPTAINER_ARCH", "amd64");
    world.write_user(format!(
        "Active: lab\nRemotes:\n    lab: {{URI: //{}, Token: {TOKEN}, Insecure: true}}\n",
        library.host()
    ));
    fs::write(world.home().join("image.sif"), Sif::new("amd64").filled(90_000).signed(signer).bytes())
        .unwrap();
    for shown in images(&world, "mine") {
        shown.exits(0);
    }
    assert_eq!(holders(&world, "canary"), [world.user_file()]);
    let echo = format!("who is {TOKEN}?");
    let elsewhere = Library::http();
    let away = |path: &str| Fault::redirect(307, &format!("{}/{path}", elsewhere.url()));
    for (at, fault) in [
        Fault::error(401, "no"),
        Fault::error(500, "no"),
        Fault::Close,
        away("x"),
        away(TOKEN),
        Fault::redirect(302, &format!("ftp://{TOKEN}.invalid/")),
        Fault::Answer(200, Vec::new(), echo.clone().into()),
        Fault::Answer(200, vec![("Content-Type", "application/json".into())], b"{}".to_vec()),
    ]
    .into_iter()
    .enumerate()
    {
        for prefix in ["/library/v1", "/library/v2", "/data"] {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                library.clear_faults();
                library.fault(When::new(method, prefix), fault.clone());
                images(&world, &format!("mine-{at}"));
                assert_eq!(holders(&world, "canary"), [world.user_file()], "{fault:?} {method} {prefix}");
            }
        }
    }
    let all =
        library.requests().into_iter().filter(|seen| seen.port == Port::Data).chain(elsewhere.requests());
    let sent: Vec<_> = all.filter(|seen| seen.request.header("authorization").is_some()).collect();
    assert!(sent.is_empty(), "{sent:#?}");
    assert!(!elsewhere.requests().is_empty() && library.faults_hit() > 0);
}

#[test]
fn a_token_of_the_environment_goes_to_the_host_that_is_named_and_to_no_other() {
    let endpoint = Endpoint::http();
    let mut world = lab(&endpoint, None);
    world.set_env("APPTAINER_TOKEN", TOKEN);
    let host = endpoint.host();
    let port = host.rsplit_once(':').unwrap().1;
    let sent = |world: &World, named: &str| {
        let before = endpoint.requests().len();
        debug(world, "status").never_shows("canary");
        let requests = endpoint.requests().split_off(before);
        assert!(!requests.is_empty(), "{named}");
        requests.iter().any(|request| request.header("authorization").is_some())
    };
    for named in ["127.0.0.1", &host] {
        world.set_env("APPTAINER_TOKEN_HOST", named);
        assert!(sent(&world, named), "{named}: the token was not sent to {host}");
    }
    for named in [
        "1",
        ".1",
        "0.0.1",
        "27.0.0.1",
        "127",
        "127.0.0.",
        "x127.0.0.1",
        "127.0.0.1.example.com",
        "*",
        port,
        &format!(":{port}"),
        &format!("0.0.1:{port}"),
        &format!("{host}0"),
        &format!("http://{host}"),
        "127.0.0.1:1",
    ] {
        world.set_env("APPTAINER_TOKEN_HOST", named);
        assert!(!sent(&world, named), "{named}: the token was sent to {host}");
    }
}
