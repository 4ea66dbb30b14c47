//! Addresses that contain a password: no command shows it, whoever wrote the address. And http is not shown as
//! secure.

use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint};
use crate::world::{As, World, apptainer_alone, words};
use std::fs;

const CANARY: &str = "s3cr";

fn in_every_command(world: &World, lines: &[&str]) {
    for line in lines {
        world.run(As::Root, &words(line)).never_shows(CANARY);
        world
            .run(
                As::User,
                &words(&format!(
                    "{} -d {}",
                    line.split(' ').next().unwrap(),
                    line.split_once(' ').unwrap().1
                )),
            )
            .never_shows(CANARY);
    }
}

#[test]
fn user_info_in_remote_yaml_is_not_shown() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let world = World::new();
    let secret = format!("ada:{CANARY}");
    world.write_user(format!(
        r#"
Active: lab
Remotes:
  lab: {{URI: "{secret}@127.0.0.1:1"}}
  odd: {{URI: "https://{secret}/x@h:y"}}
  ftp: {{URI: "ftp://{secret}@h"}}
  cloud: {{URI: "{secret}@cloud.apptainer.org"}}
  DefaultRemote: {{URI: "{secret}@old.example", Token: t, System: true}}
Credentials:
  - URI: docker://{secret}@r.example
  - URI: https://{secret}@keys.example
  - URI: "ftp://{secret}@h"
"#
    ));
    world.write_global(format!(
        r#"
Active: lab
Remotes:
  DefaultRemote:
    URI: "{secret}@127.0.0.1:2"
    System: true
    Keyservers:
      - {{URI: "https://{secret}@keys.example", External: true}}
      - {{URI: "odd {secret}@h", External: true}}
"#
    ));
    in_every_command(
        &world,
        &[
            "remote list",
            "remote list --all",
            "remote list --json",
            "remote check",
            "remote status lab",
            "remote status odd",
            "remote status ftp --json",
            "remote status cloud",
            "remote login cloud",
            "remote login ftp",
            "remote use DefaultRemote",
            "remote list --all",
            "keyserver list",
            "keyserver list --json",
            "keyserver login https://keys.example",
            "keyserver add https://keys.example",
            "registry list",
            "registry list --json",
            "remote add --no-login --if-absent lab h",
            "remote add --no-login --replace DefaultRemote h",
            "remote logout DefaultRemote",
            "registry logout docker://r.example",
            "keyserver logout https://keys.example",
            "remote logout --all",
        ],
    );
    let world = World::new();
    world.write_user(format!(
        r#"
Active: lab
Remotes:
  lab: {{URI: "{secret}@127.0.0.1:1"}}
"#
    ));
    world.remote("list").exits(0).prints("127.0.0.1:1");
}

#[test]
fn user_info_in_the_auth_file_is_not_shown() {
    let entry = "{\"auth\":\"YTpi\"}";
    for text in [
        format!(
            "{{\"auths\":{{\"ada:{CANARY}@r.example\":{entry},\"https://ada:{CANARY}@r.example/v1/\":{entry}}}}}"
        ),
        format!("{{\"auths\":{{\"ada:{CANARY}@r.example/part\":{entry},\"ada:{CANARY}/x@h\":{entry}}}}}"),
        format!("{{\"auths\":{{\"ada:{CANARY}@r.example\":1}}}}"),
        format!("{{\"auths\":{{\"ada:{CANARY}@r.example\":{entry},\"ada:{CANARY}@r.example\":{entry}}}}}"),
        format!("{{\"credHelpers\":{{\"ada:{CANARY}@r.example\":1}}}}"),
        format!("{{\"credHelpers\":{{\"ada:{CANARY}@r.example\":\"absent\"}}}}"),
    ] {
        let world = World::new();
        let file = world.path("auth.json");
        fs::write(&file, &text).unwrap();
        let world = world
            .with_env("DOCKER_AUTH_CONFIG", text.as_str())
            .with_env("APPTAINER_AUTH_FILE", file.as_os_str());
        in_every_command(
            &world,
            &[
                "registry list",
                "registry list --json",
                "registry logout docker://r.example",
                "remote logout --all",
            ],
        );
    }
}

#[test]
fn user_info_sent_by_an_endpoint_is_not_shown() {
    let endpoint = Endpoint::http();
    let host = endpoint.host();
    let json = format!(
        "{{\"libraryAPI\":{{\"uri\":\"http://ada:{CANARY}@{host}\"}},\"keystoreAPI\":{{\"uri\":\"http://ada:{CANARY}@{host}\"}},\"tokenAPI\":{{\"uri\":\"odd://ada:{CANARY}@{host}\"}}}}"
    );
    endpoint.set(DISCOVERY, Behaviour::Json(200, json));
    let world = World::new();
    let lab = format!(
        "\
Active: lab
Remotes:
  lab: {{URI: //{host}, Insecure: true, System: true, Token: t}}
"
    );
    world.write_user(&lab);
    world.write_global(lab.replace(", Token: t", ""));
    in_every_command(
        &world,
        &[
            "remote status",
            "remote status --json",
            "remote list --all",
            "remote list --json",
            "keyserver list",
            "keyserver list --json",
            "remote login",
            "keyserver add https://k.example",
            "keyserver list",
        ],
    );
    assert!(!world.global().contains(CANARY), "{}", world.global());
}

#[test]
fn swapped_arguments_are_refused_and_not_echoed() {
    for (name, uri) in [("ada:s3cr@host", "x"), ("https://h.example/s3cr", "x"), ("a:s3cr@", "h.example")] {
        let world = World::new();
        world
            .remote(&format!("add --no-login {name} {uri}"))
            .exits(255)
            .says("invalid name: ")
            .never_shows(CANARY);
        world.root_remote(&format!("add --global {name} {uri}")).exits(255).never_shows(CANARY);
        assert!(!world.user_file().exists() && !world.global().contains(CANARY));
        world.remote(&format!("use {name}")).exits(255).never_shows(CANARY);
        for line in ["remote remove", "remote status", "keyserver list", "remote add-keyserver"] {
            if name.contains("://") && !line.contains("remove") {
                continue;
            }
            let rest = if line.ends_with("add-keyserver") { " https://k.example" } else { "" };
            let shown = world.run(As::Root, &words(&format!("{line} {name}{rest}")));
            assert_ne!(shown.code, 0, "{line}");
            shown.never_shows(CANARY);
        }
    }
}

#[test]
fn http_is_not_shown_as_secure() {
    if apptainer_alone("the built-in remote would get a request over the network") {
        return;
    }
    let text = "\
Active: lab
Remotes:
  lab:
    URI: lab.example
    System: true
    Keyservers:
      - {URI: http://own.example}
      - {URI: hkp://k.example, External: true}
      - {URI: https://safe.example, External: true}
      - {URI: https://flagged.example, External: true, Insecure: true}
";
    let logins = "\
Credentials:
  - {URI: http://own.example, Auth: Basic YTpi}
  - {URI: https://safe.example, Auth: Basic YTpi}
";
    for terminal in [false, true] {
        let world = if terminal { World::new().on_terminal() } else { World::new() };
        world.write_global(text);
        world.write_user(logins);
        let lock = |line: &str| {
            let shown = world.run(As::User, &words("keyserver list")).exits(0);
            shown.stdout.lines().find(|row| row.contains(line)).unwrap().contains('🔒')
        };
        // In a pipe the lock symbol is shown as in Apptainer: it depends only on the Insecure flag, which is
        // not set here.
        assert_eq!(lock("http://own.example"), !terminal);
        assert_eq!(lock("hkp://k.example"), !terminal);
        assert!(lock("https://safe.example") && !lock("https://flagged.example"));
        let shown = world.run(As::User, &words("keyserver list --json")).exits(0);
        let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        let secure: Vec<_> = document["remotes"][0]["keyservers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["secure"].as_bool().unwrap())
            .collect();
        assert_eq!(secure, [false, false, true, false]);
        let shown = world.remote("list --json").exits(0);
        let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        let insecure = |list: &str| -> Vec<bool> {
            document[list].as_array().unwrap().iter().map(|row| row["insecure"].as_bool().unwrap()).collect()
        };
        assert_eq!(insecure("keyservers"), [true, true, false, true]);
        assert_eq!(insecure("logins"), [true, false]);
        world
            .remote("list --all")
            .exits(0)
            .prints("http://own.example       YES     YES       1*")
            .prints("hkp://k.example          YES     YES       2")
            .prints("http://own.example    YES\nhttps://safe.example  NO\n");
    }
}

#[test]
fn the_keyserver_of_an_insecure_endpoint_is_not_secure() {
    let endpoint = Endpoint::http();
    endpoint
        .set(DISCOVERY, Behaviour::Json(200, "{\"keystoreAPI\":{\"uri\":\"https://keys.example\"}}".into()));
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Insecure: true}}
",
        endpoint.host()
    ));
    world.run(As::User, &words("keyserver list lab --json")).exits(0).prints("\"secure\":false");
}

#[test]
fn a_registry_with_an_http_address_in_the_auth_file_is_not_secure() {
    let world = World::new();
    let file = world.path("auth.json");
    fs::write(
        &file,
        "{\"auths\":{\"http://r.example\":{\"auth\":\"YTpi\"},\"s.example\":{\"auth\":\"YTpi\"}}}",
    )
    .unwrap();
    let world = world.with_env("APPTAINER_AUTH_FILE", file.as_os_str());
    world
        .run(As::User, &words("registry list"))
        .exits(0)
        .prints("docker://r.example  ✗!")
        .prints("docker://s.example  ✓");
}
