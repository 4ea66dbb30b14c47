//! Credential helpers: the real `docker-credential-pass`, and scripts that fail in every way a helper can.

use crate::real::pass::Pass;
use crate::real::registry::Registry;
use crate::world::{As, SHORT, Shown, World, finish, only_root, words};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const PASSWORD: &str = "canary";

fn registry(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(&format!("registry {line}"))).never_shows("canary")
}

/// A world with this auth file, and with a directory for scripts at the start of PATH.
fn world_with(auth: &str) -> World {
    let world = World::new();
    fs::create_dir(world.path("helpers")).unwrap();
    fs::create_dir(world.home().join(".docker")).unwrap();
    fs::set_permissions(world.home().join(".docker"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(world.home().join(".docker/config.json"), auth).unwrap();
    crate::disk::chmod(&world.home().join(".docker/config.json"), 0o600);
    let path = format!("{}:/usr/bin:/bin", world.path("helpers").display());
    world.with_env("PATH", path)
}

fn auth(world: &World) -> String {
    fs::read_to_string(world.home().join(".docker/config.json")).unwrap()
}

/// Puts a script where the world's PATH finds it. Another process writes it: a file that this process has open
/// for writing cannot be executed by a child that another thread forks meanwhile (ETXTBSY).
fn script(world: &World, suffix: &str, text: &str) {
    let file = world.path("helpers").join(format!("docker-credential-{suffix}"));
    let make = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let made = Command::new("/bin/sh").args(["-c", make, "sh", text]).arg(&file).status();
    assert!(made.unwrap().success());
}

#[test]
fn with_pass_the_login_is_not_in_the_auth_file() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD), ("bob", PASSWORD)]) else { return };
    let Some(pass) = Pass::new() else { return };
    let mut world = world_with(r#"{"credsStore":"pass","auths":{"plain.example":{"auth":"YWRhOnB3"}}}"#);
    for (name, value) in pass.env().into_iter().filter(|(name, _)| *name != "HOME") {
        world.set_env(name, value);
    }
    let host = server.host();
    world.pipe(PASSWORD);
    registry(&world, &format!("login -u ada docker://{host}")).exits(0).says(&format!(
        "Password stored with docker-credential-pass (configured in {}",
        world.home().display()
    ));
    assert_eq!(pass.list(), format!("{{\"{host}\":\"ada\"}}"));
    assert!(auth(&world).contains(&format!("\"{host}\": {{}}")) && !auth(&world).contains("Y2FuYXJ5"));
    let listed = registry(&world, "list --json").exits(0);
    let row = format!(r#"{{"uri":"docker://{host}","secure":true,"source":"helper","helper":"pass"}}"#);
    assert!(listed.stdout.contains(&row), "{listed:?}");

    world.pipe("wrong");
    registry(&world, &format!("login -u ada docker://{host}"))
        .exits(255)
        .says("previously stored login was kept");
    assert_eq!(pass.list(), format!("{{\"{host}\":\"ada\"}}"));

    // By itself, the helper would keep both logins and return the older one.
    world.pipe(PASSWORD);
    registry(&world, &format!("login -u bob docker://{host}")).exits(0);
    assert_eq!(pass.list(), format!("{{\"{host}\":\"bob\"}}"));

    registry(&world, &format!("logout docker://{host}"))
        .exits(0)
        .says(&format!("The login to {host} was removed from docker-credential-pass"))
        .says("Logout succeeded");
    assert_eq!(pass.list(), "{}");
    assert!(!auth(&world).contains(&host) && auth(&world).contains("plain.example"));
    registry(&world, &format!("logout docker://{host}")).exits(0).says("WARNING: not logged in");
}

/// Keeps one login in a file, as a helper should.
const KEEPER: &str = r#"
kept="$(dirname "$0")/kept"; echo "$1" >> "$(dirname "$0")/asked"
case $1 in
store) cat > "$kept" ;;
get) [ -s "$kept" ] && cat "$kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm "$kept" ;;
list) echo '{}' ;;
esac"#;

#[test]
fn a_helper_for_one_registry_is_only_used_for_that_one() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let host = server.host();
    let world = world_with(&format!(
        r#"{{"credHelpers":{{"{host}":"own"}},"auths":{{"other.example":{{"auth":"YWRhOnB3"}}}}}}"#
    ));
    script(&world, "own", KEEPER);
    world.pipe(PASSWORD);
    registry(&world, &format!("login -u ada docker://{host}")).exits(0).says("docker-credential-own");
    let kept = fs::read_to_string(world.path("helpers/kept")).unwrap();
    assert_eq!(kept, format!(r#"{{"ServerURL":"{host}","Username":"ada","Secret":"canary"}}"#));
    registry(&world, "logout docker://other.example").exits(0).says("config.json");
    registry(&world, "list").exits(0);
    assert_eq!(
        fs::read_to_string(world.path("helpers/asked")).unwrap(),
        "store\nlist\n",
        "a list runs no helper"
    );
    registry(&world, &format!("logout oras://{host}")).exits(0).says("removed from docker-credential-own");
    assert!(!world.path("helpers/kept").exists());
}

#[test]
fn a_configured_helper_alone_is_not_a_login() {
    let world = world_with(
        r#"{"auths":{"kept.example":{},"plain.example":{"auth":"YWRhOnB3"}},"credHelpers":{"gcr.example":"own","kept.example":"own","absent.example":"absent","too.example":"absent"}}"#,
    );
    script(&world, "own", "touch \"$(dirname \"$0\")/ran\"; exit 1");
    let shown = registry(&world, "list --json").exits(0);
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let expected = serde_json::json!([
        {"uri": "docker://kept.example", "secure": true, "source": "helper", "helper": "own"},
        {"uri": "docker://plain.example", "secure": true, "source": "file", "helper": null},
    ]);
    assert_eq!(document["registries"], expected, "{shown:?}");
    assert_eq!(
        shown.stderr.matches("docker-credential-absent").count(),
        1,
        "once for each helper: {shown:?}"
    );
    assert_eq!(shown.stderr.matches("WARNING").count(), 1, "{shown:?}");
    assert!(!world.path("helpers/ran").exists(), "a list runs no helper");
    // A helper configured for all registries is not a login for each entry of remote.yaml either.
    let world = world_with(r#"{"credsStore":"own"}"#);
    script(&world, "own", "exit 1");
    world.write_user("Credentials: [{URI: 'docker://gone.example'}]\n");
    let shown = registry(&world, "list --json").exits(0).says("no password for docker://gone.example found");
    assert!(shown.stdout.contains(r#""source":null,"helper":null"#), "{shown:?}");
}

#[test]
fn every_helper_failure_is_reported_and_stores_nothing() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let before = r#"{"credsStore":"odd"}"#;
    for (text, words) in [
        ("echo 'the vault is closed'; exit 1", "the vault is closed"),
        ("exit 3", "exit status: 3"),
        ("exec sleep 600", "timed out after 1.5 s"),
        ("kill -9 $$", "signal: 9"),
        ("exec yes", "the response is longer than 1 MiB"),
    ] {
        let world = world_with(before);
        if text.contains("sleep") {
            world.patience.set(SHORT);
        }
        script(&world, "odd", text);
        world.pipe(PASSWORD);
        let shown = registry(&world, &format!("login -u ada docker://{}", server.host())).exits(255);
        assert!(shown.stderr.contains("docker-credential-odd store failed: "), "{shown:?}");
        assert!(shown.stderr.contains(words), "{words}: {shown:?}");
        let hint = format!("registry login -u USERNAME --authfile FILE docker://{}", server.host());
        assert!(shown.stderr.contains(&hint), "{hint}: {shown:?}");
        registry(&world, "logout docker://h.example").exits(255).says("docker-credential-odd get failed: ");
        assert_eq!((auth(&world), world.user()), (before.to_string(), String::new()));
    }
    let world = world_with(before);
    script(&world, "odd", "echo canary");
    registry(&world, "logout docker://h.example").exits(255).says("invalid response");
}

#[test]
fn a_missing_helper_is_reported_before_any_prompt() {
    let Some(server) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    for (suffix, words) in [
        ("absent", "credential helper docker-credential-absent not found in PATH"),
        ("x/../evil", "invalid credential helper name"),
        ("-evil", "invalid credential helper name"),
    ] {
        let world = world_with(&format!(r#"{{"credsStore":"{suffix}"}}"#));
        let login = format!("login -u ada -p canary docker://{}", server.host());
        for line in [&login, "logout docker://h"] {
            registry(&world, line).exits(255).says(words).says("credsStore or credHelpers in");
        }
        registry(&world, &login).says("--authfile FILE");
        let file = world.home().join(".docker/config.json");
        registry(&world, "list")
            .exits(0)
            .says("WARNING: ")
            .says(words)
            .says(&format!(", but {} is configured to use it", file.display()));
    }
    assert_eq!(server.requests(), [""; 0]);
    // Helpers are not searched in the working directory or through an empty PATH entry.
    let mut world = world_with(r#"{"credsStore":"here"}"#);
    script(&world, "here", "touch ran; exit 0");
    world.set_env("PATH", format!(":.:{}", "helpers"));
    let Some(mut command) = world.command(As::User) else { return };
    command
        .args(["registry", "logout", "docker://h"])
        .env("PATH", ":.:helpers")
        .current_dir(world.path("helpers"));
    finish(&mut command).exits(255).says("not found in PATH");
    assert!(!world.path("helpers/ran").exists());
}

#[test]
fn a_logout_that_leaves_something_behind_fails() {
    let world = world_with(r#"{"credsStore":"stubborn","auths":{"h.example":{}}}"#);
    let get = r#"echo '{"ServerURL":"h","Username":"ada","Secret":"canary"}'"#;
    script(&world, "stubborn", &format!("[ $1 = get ] && {get}; exit 0"));
    let shown = registry(&world, "logout docker://h.example").exits(255);
    assert!(shown.stderr.contains("docker-credential-stubborn still answers"), "{shown:?}");
    assert!(!shown.stderr.contains("was removed from docker-credential"), "{shown:?}");
    world.write_user(
        "
Remotes:
  a: {URI: a, Token: one}
Credentials:
  - {URI: 'docker://h.example'}
  - {URI: 'hkp://k', Auth: Basic x}
",
    );
    world
        .remote("logout --all")
        .exits(255)
        .says("these logins were not removed: docker://h.example: still logged in")
        .says("The login to hkp://k was removed from ");
    assert!(
        !world.user().contains("Token") && world.user().contains("docker://h.example"),
        "{}",
        world.user()
    );
}

#[test]
fn root_only_runs_helpers_owned_by_root_and_named_in_roots_file() {
    if !only_root("helpers run by root") {
        return;
    }
    let world = world_with(r#"{"credsStore":"own"}"#);
    script(&world, "own", &format!("touch {}", world.path("ran").display()));
    let logout = |world: &World| {
        let path = format!("{}:/usr/bin:/bin", world.path("helpers").display());
        let mut command = world.command(As::Root).unwrap();
        finish(command.args(["registry", "logout", "docker://h"]).env("PATH", path)).exits(255)
    };
    let file = world.home().join(".docker/config.json");
    std::os::unix::fs::chown(&file, Some(crate::world::USER), None).unwrap();
    logout(&world).says("refusing to run the credential helper \"own\" as root: ").says("config.json");
    std::os::unix::fs::chown(&file, Some(0), None).unwrap();
    fs::set_permissions(world.path("helpers"), fs::Permissions::from_mode(0o777)).unwrap();
    logout(&world).says("as root: it or a parent directory is owned or writable by another user");
    assert!(!world.path("ran").exists());
    fs::set_permissions(world.path("helpers"), fs::Permissions::from_mode(0o755)).unwrap();
    // A parent directory belongs to another user, who could replace the helper.
    std::os::unix::fs::chown(world.path(""), Some(crate::world::USER), None).unwrap();
    logout(&world).says("as root: it or a parent directory is owned or writable by another user");
    assert!(!world.path("ran").exists());
    std::os::unix::fs::chown(world.path(""), Some(0), None).unwrap();
    logout(&world).says("invalid response");
    assert!(world.path("ran").exists());
}
