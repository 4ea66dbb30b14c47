//! `remote status` and `remote get-login-password`, with a running endpoint.

use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, IDENTITY, TOKEN_STATUS};
use crate::world::{World, apptainer_alone, ending_in};
use std::fs;

const TOKEN: &str = "tok3n";

fn lab() -> (World, Endpoint) {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Token: {TOKEN}, Insecure: true}}
",
        endpoint.host()
    ));
    (world, endpoint)
}

#[test]
fn services_user_and_token_are_shown() {
    let (world, endpoint) = lab();
    let shown = world.remote("status").exits(0).never_shows(TOKEN);
    let url = endpoint.url();
    let uri = |service: &str| format!("{url}/{service}");
    assert_eq!(
        shown.stdout,
        format!(
            "\
SERVICE    STATUS  VERSION          URI
Builder    OK      v1.2.3-builder   {}
Consent    OK      v1.2.3-consent   {}
Keyserver  OK      v1.2.3-keystore  {}
Library    OK      v1.2.3-library   {}
Token      OK      v1.2.3-token     {}

Logged in as: ada <ada@example.com>


Valid authentication token set (logged in).
",
            uri("builder"),
            uri("consent"),
            uri("keystore"),
            uri("library"),
            uri("token")
        )
    );
    assert_eq!(shown.stderr, "INFO:    Checking status of default remote.\n");
    world.remote("status lab").exits(0).says("INFO:    Checking status of remote: lab\n");
    world.remote("status nosuch").exits(255).says("nosuch is not a remote");
}

#[test]
fn without_a_token_no_credentials_are_sent() {
    let (world, endpoint) = lab();
    world.remote("logout").exits(0);
    endpoint.forget();
    world.remote("status").exits(0).prints("\nNo authentication token set (logged out).\n");
    assert!(endpoint.requests().iter().all(|request| request.header("authorization").is_none()));
    world.remote("status --strict").exits(255).says("not logged in to ").says("apptainer remote login lab");
}

#[test]
fn a_service_that_does_not_respond_is_na_with_a_reason() {
    let (world, endpoint) = lab();
    endpoint.set("/builder/version", Behaviour::Close);
    endpoint.set("/consent/version", Behaviour::Body(200, "text/html", "<html>".into()));
    endpoint.set("/keystore/version", Behaviour::Json(503, "{}".into()));
    let shown =
        world.remote("status").exits(0).prints("Keyserver  N/A                     ").prints("Token      OK");
    assert_eq!(shown.stderr.matches("WARNING: ").count(), 3, "{shown:?}");
    world.remote("status --strict").exits(255).says("FATAL:   services down: Builder, Consent, Keyserver");
}

#[test]
fn a_keyserver_without_a_version_is_ok() {
    let (world, endpoint) = lab();
    let page = "<html>".to_string() + &"x".repeat(2 << 20);
    for behaviour in [
        Behaviour::Json(404, "{}".into()),
        Behaviour::Json(401, "{}".into()),
        Behaviour::Body(200, "text/html", "<html>".into()),
        Behaviour::Body(200, "text/html", page),
    ] {
        endpoint.set("/keystore/version", behaviour);
        let shown = world.remote("status --strict").exits(0);
        shown.clone().prints("\nKeyserver  OK                      http://");
        assert!(!shown.stderr.contains("WARNING"), "{shown:?}");
    }
    for (behaviour, words) in [
        (Behaviour::Json(500, "{}".into()), "500 Internal Server Error"),
        (Behaviour::Close, "closed the connection"),
        (Behaviour::Redirect(302, "?".into()), "in a loop"),
    ] {
        endpoint.set("/keystore/version", behaviour);
        world.remote("status --strict").exits(255).says("WARNING: Keyserver: ").says(words);
    }
    endpoint.reset("/keystore/version");
    endpoint.set("/library/version", Behaviour::Json(404, "{}".into()));
    world.remote("status --strict").exits(255).says("services down: Library");
}

#[test]
fn output_about_many_services_with_long_names_is_bounded() {
    let (world, endpoint) = lab();
    let (name, path) = ("n".repeat(3000), "p".repeat(1000));
    let services: Vec<_> =
        (0..256).map(|n| (format!("{n:03}{name}"), format!("{}/{n:03}{path}", endpoint.url()))).collect();
    let pairs: Vec<_> = services.iter().map(|(name, uri)| (name.as_str(), uri.as_str())).collect();
    endpoint.set_services(&pairs);
    for n in 0..23 {
        endpoint.set(&format!("/{n:03}{path}/version"), Behaviour::Close);
    }
    let (name, url) = ("n".repeat(253), endpoint.url());
    let cut = |n: usize| format!("{:.256}…", format!("{url}/{n:03}{path}"));
    world.remote("logout").exits(0);
    let shown = world.remote("status --strict").exits(255);
    let rows: Vec<_> = shown.stdout.lines().collect();
    assert!(rows[1].starts_with(&format!("000{name}…  N/A  ")) && rows[1].ends_with(&cut(0)), "{}", rows[1]);
    assert!(rows[256].starts_with(&format!("255{name}…  OK   ")), "{}", rows[256]);
    // The version contains the path, so it is cut as well.
    assert!(shown.stdout.len() < 257 * 900, "{}", shown.stdout.len());
    let warnings: Vec<_> = shown.stderr.lines().filter(|line| line.starts_with("WARNING: ")).collect();
    assert_eq!(warnings.len(), 21, "{warnings:?}");
    assert_eq!(
        warnings[0],
        format!(
            "WARNING: 000{name}…: {}: the server closed the connection before the response was complete",
            cut(0)
        )
    );
    assert_eq!(warnings[20], "WARNING: 3 more services are not available");
    assert!(shown.stderr.trim_end().ends_with(" and 3 more"), "{}", shown.stderr);
    world.remote("status --json").exits(0).prints(&cut(0)).never_shows(&"p".repeat(256));
}

#[test]
fn a_long_user_name_is_cut() {
    let (world, endpoint) = lab();
    let user = format!(r#"{{"username":"{0}","email":"{0}"}}"#, "u".repeat(400));
    endpoint.set(IDENTITY, Behaviour::Json(200, user));
    let cut = format!("{}…", "u".repeat(256));
    world.remote("status").exits(0).prints(&format!("Logged in as: {cut} <{cut}>\n"));
    world.remote("get-login-password").exits(255).says(&format!("for {cut}\n"));
}

#[test]
fn invalid_and_unverifiable_tokens_are_reported() {
    let (world, endpoint) = lab();
    endpoint.revoke_tokens();
    world
        .remote("status")
        .exits(255)
        .prints("Authentication token is invalid (please login again).\n")
        .says("apptainer remote login lab")
        .never_shows(TOKEN);
    endpoint.set(TOKEN_STATUS, Behaviour::Json(500, r#"{"error":{"code":500,"message":"down"}}"#.into()));
    world.remote("status").exits(255).prints("Authentication token could not be checked: ").says("down");
    endpoint.set_services(&[("keystoreAPI", &format!("{}/keystore", endpoint.url()))]);
    world.remote("status").exits(255).prints("Keyserver  OK").prints("the endpoint has no token service");
    world.remote("logout").exits(0);
    world.remote("status --strict").exits(0).prints("logged out");
}

#[test]
fn the_expiry_of_a_token_is_shown() {
    let (world, endpoint) = lab();
    let token = ending_in(2 * 3600);
    endpoint.accept_token(&token);
    world.pipe(token.clone()).remote("login").exits(0);
    world
        .remote("status --min-ttl 1h30m")
        .exits(0)
        .prints("Token expires: 2027-01-15T10:00:00Z (in 2 hours)\n")
        .never_shows(&token);
    world
        .remote("status --min-ttl 7d")
        .exits(255)
        .says("FATAL:   the token expires in 2 hours, sooner than the required 7 days")
        .says("apptainer remote login lab");
    world.remote("status --min-ttl nonsense").exits(1).says("--min-ttl");
    world.pipe(TOKEN).remote("login").exits(0);
    world.remote("status --min-ttl 1h").exits(0).says("WARNING: the token has no expiry date");
    world.remote("status --min-ttl 1h --strict").exits(255).says("has no expiry date");
    world.remote("logout").exits(0);
    world.remote("status --min-ttl 1h").exits(255).says("not logged in to ");
}

#[test]
fn json() {
    let (world, endpoint) = lab();
    endpoint.set("/builder/version", Behaviour::Close);
    let shown = world.remote("status --json").exits(0).never_shows(TOKEN).never_shows("oci-canary");
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["remote"], "lab");
    assert_eq!(document["uri"], endpoint.host());
    assert_eq!(
        document["services"][1],
        serde_json::json!({"service":"Consent","ok":true,"version":"v1.2.3-consent","uri":format!("{}/consent", endpoint.url()),"problem":null})
    );
    assert_eq!(document["services"][0]["ok"], false);
    assert!(document["services"][0]["problem"].as_str().unwrap().contains("/builder/version"));
    assert_eq!(document["account"], serde_json::json!({"username":"ada","email":"ada@example.com"}));
    assert_eq!(document["token"], serde_json::json!({"status":"valid","expires":null,"problem":null}));
    endpoint.revoke_tokens();
    let shown = world.remote("status --json").exits(255);
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["token"]["status"], "invalid");
    endpoint.set(DISCOVERY, Behaviour::Close);
    assert_eq!(world.remote("status --json").exits(255).stdout, "", "no document where nothing is known");
}

#[test]
fn text_from_servers_cannot_control_the_terminal() {
    let (world, endpoint) = lab();
    endpoint.set("/builder/version", Behaviour::Json(200, r#"{"data":{"version":"1\u001b[2J\n2"}}"#.into()));
    endpoint.set(IDENTITY, Behaviour::Json(200, r#"{"username":"a\u001b[31m","email":"x\ny"}"#.into()));
    endpoint.set(
        "/consent/version",
        Behaviour::Json(500, r#"{"error":{"code":1,"message":"\u001b]0;x\u0007"}}"#.into()),
    );
    world
        .remote("status")
        .exits(0)
        .never_shows("\u{1b}")
        .never_shows("\u{7}")
        .prints("1\\x1b[2J\\n2")
        .prints("a\\x1b[31m <x\\ny>");
}

#[test]
fn reading_commands_create_nothing_and_login_keeps_a_copy() {
    let (world, endpoint) = lab();
    let cache = world.user_dir().join("remote-cache");
    world.remote("status").exits(0);
    world.remote("get-login-password").exits(0);
    assert!(!cache.exists());
    // In its own process: the owner of the cached document decides whether it is used.
    let spawn = |line: &str| {
        let mut command = world.command(crate::world::As::User).unwrap();
        crate::world::finish_reading(command.args(crate::world::words(&format!("remote {line}"))), TOKEN)
    };
    spawn("login").exits(0);
    assert_eq!(crate::world::mode(&cache), 0o700);
    let file = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    assert_eq!(crate::world::mode(&file), 0o600);
    assert!(file.to_str().unwrap().ends_with(".services.json"));
    spawn("list --all").exits(0).prints(&format!("{}/keystore", endpoint.url()));
    endpoint.forget();
    spawn("get-login-password").exits(0);
    assert!(endpoint.requests_for(DISCOVERY).is_empty(), "a cached document of up to a day is used");
    spawn("status").exits(0);
    assert_eq!(endpoint.requests_for(DISCOVERY).len(), 1, "status sends a request");
}

#[test]
fn get_login_password_prints_only_the_secret_or_nothing() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let (world, endpoint) = lab();
    let shown = world.remote("get-login-password").exits(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("oci-canary\n", ""));
    for (behaviour, says) in [
        (Behaviour::Json(401, "{}".into()), "401"),
        (Behaviour::Json(404, "{}".into()), "404"),
        (Behaviour::Json(200, "{}".into()), "no registry password"),
        (Behaviour::Json(200, r#"{"oidc_user_meta":"oci-canary"}"#.into()), "does not describe a user"),
        (Behaviour::Close, "while looking up your user name"),
    ] {
        endpoint.set(IDENTITY, behaviour);
        let shown = world
            .remote("get-login-password")
            .exits(255)
            .says("FATAL:   ")
            .says(says)
            .never_shows("oci-canary");
        assert_eq!(shown.stdout, "");
    }
    world.remote("logout").exits(0);
    world
        .remote("get-login-password")
        .exits(255)
        .says("not logged in to lab")
        .says("apptainer remote login lab");
    endpoint.set_services(&[("tokenAPI", "http://127.0.0.1:1")]);
    let world = World::new();
    assert_eq!(world.remote("get-login-password").exits(255).says("has no library").stdout, "");
}

#[test]
fn a_token_from_the_environment_is_for_one_host() {
    let (mut world, endpoint) = lab();
    world.remote("logout").exits(0);
    world.set_env("APPTAINER_TOKEN", TOKEN);
    world
        .remote("status")
        .exits(0)
        .says("ignoring APPTAINER_TOKEN: set APPTAINER_TOKEN_HOST")
        .prints("logged out");
    world.set_env("APPTAINER_TOKEN_HOST", "elsewhere.test");
    world.remote("status").exits(0).prints("logged out");
    for host in [endpoint.host(), "127.0.0.1".into()] {
        world.set_env("APPTAINER_TOKEN_HOST", host);
        world.remote("status").exits(0).prints("logged in").never_shows(TOKEN);
        assert_eq!(world.remote("get-login-password").exits(0).stdout, "oci-canary\n");
    }
    world.set_env("APPTAINER_TOKEN", "no token: $6$x");
    world.remote("status").exits(255).says("APPTAINER_TOKEN").never_shows("$6$x");
    assert!(!world.user().contains("Token"));
}
