//! Runs real processes, and reads with independent programs what they wrote.

use super::*;

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

/// Names and values that YAML could parse as something else.
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
    // This program finds them again too.
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

/// The file as PyYAML reads it.
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
