//! `-v` and `-d` explain: every request, every file, and whose login went where; never a secret.

use crate::peers::endpoint::{Behaviour, Endpoint, TOKEN_STATUS};
use crate::world::{As, Shown, World, words};

const TOKEN: &str = "tok3n-canary";

fn lab() -> (World, Endpoint) {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab:
    URI: //{}
    Token: {TOKEN}
    Insecure: true
",
        endpoint.host()
    ));
    (world, endpoint)
}

/// The lines of requests, without their times.
fn requests(shown: &Shown) -> Vec<String> {
    let lines = shown.stderr.lines().filter_map(|line| line.strip_prefix("VERBOSE: "));
    let lines = lines
        .filter(|line| ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|method| line.starts_with(method)));
    let without_time = |line: &str| {
        let parts = line.split(", ").filter(|part| !part.ends_with(" ms"));
        parts.collect::<Vec<_>>().join(", ")
    };
    lines.map(without_time).collect()
}

#[test]
fn every_request_with_its_status_and_whether_a_login_was_sent() {
    let (world, endpoint) = lab();
    for level in ["-v", "-d"] {
        endpoint.forget();
        let shown = world.remote(&format!("status {level}")).exits(0).never_shows(TOKEN);
        let said = requests(&shown);
        assert_eq!(said.len(), endpoint.requests().len(), "{said:#?}");
        let line = |path: &str| said.iter().find(|line| line.contains(path)).unwrap().clone();
        assert!(line("/assets/").ends_with(" bytes, no login sent"), "{said:#?}");
        let check = line(TOKEN_STATUS);
        let url = format!("GET {}{TOKEN_STATUS}: 200 OK, ", endpoint.url());
        assert!(check.starts_with(&url) && check.ends_with(", token sent"), "{said:#?}");
        shown.says("VERBOSE: using the stored token for lab\n");
    }
    assert_eq!(requests(&world.remote("status").exits(0)), Vec::<String>::new());
}

#[test]
fn a_failure_and_a_proxy_are_named_without_passwords() {
    let world = World::new().with_env("HTTP_PROXY", "http://ada:canary@127.0.0.1:1");
    world.write_user("Remotes:\n  far: {URI: far.test, Insecure: true}\n");
    let shown = world.remote("status -v far").exits(255).never_shows("canary");
    let said = requests(&shown);
    assert_eq!(said.len(), 1, "{shown:?}");
    assert!(
        said[0].starts_with("GET http://far.test/assets/config/config.prod.json: no response")
            && said[0].contains("through the proxy http://"),
        "{said:?}"
    );
}

#[test]
fn files_that_are_read_and_written() {
    let world = World::new();
    let (global, user) = (world.global_file().display().to_string(), world.user_file().display().to_string());
    world
        .remote("list -d")
        .exits(0)
        .says(&format!("DEBUG:   {global} was read\nDEBUG:   {user} does not exist\n"));
    world.remote("add -v --no-login lab lab.example.com").exits(0).says(&format!("VERBOSE: wrote {user}\n"));
    world.remote("list -d").exits(0).says(&format!("DEBUG:   {user} was read\n"));
    let shown = world.run(As::User, &words("remote list -v")).exits(0);
    assert!(!shown.stderr.contains("DEBUG:"), "{shown:?}");
}

#[test]
fn long_addresses_are_cut() {
    let (world, endpoint) = lab();
    endpoint.set(
        "/builder/version",
        Behaviour::Redirect(302, format!("{}/{}", endpoint.url(), "x".repeat(60_000))),
    );
    let shown = world.remote("status -v").exits(0);
    let longest = shown.stderr.lines().map(str::len).max().unwrap();
    assert!(longest < 2000, "{longest}");
}
