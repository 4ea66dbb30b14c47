//! `remote list`: the output in a pipe, the sections on a terminal, JSON, and that it sends no requests and
//! writes nothing.

use crate::world::{World, apptainer_alone, ending_in};
use apptainer_remote::persona::Persona;
use std::fs;

const TABLE: &str = "
NAME           URI                  DEFAULT?  GLOBAL?  EXCLUSIVE?  SECURE?
DefaultRemote  cloud.apptainer.org  ✓         ✓                    ✓
";

#[test]
fn without_any_file_the_built_in_remote_is_listed() {
    let world = World::bare(Persona::Apptainer);
    let shown = world.remote("list").exits(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), (TABLE, ""));
    let world = World::bare(Persona::Singularity);
    world.remote("list").exits(0).prints("SylabsCloud  cloud.sylabs.io  ✓         ✓                    ✓\n");
}

#[test]
fn a_terminal_and_the_all_option_show_the_sections_of_the_user_guide() {
    if apptainer_alone("the widths of a table follow the name of the built-in remote") {
        return;
    }
    let world = World::new();
    world.write_user("Credentials: [{URI: docker://docker.io, Insecure: false}]\n");
    let sections = format!(
        "
Cloud Services Endpoints
========================
{TABLE}
Keyservers
==========

URI                       GLOBAL  INSECURE  ORDER
https://keys.openpgp.org  YES     NO        1*

* Active cloud services keyserver

Authenticated Logins
=================================

URI                 INSECURE
docker://docker.io  NO
"
    );
    assert_eq!(world.remote("list").exits(0).stdout, TABLE, "a pipe gets only the table");
    assert_eq!(world.remote("list --all").exits(0).stdout, sections);
    let world = World::new().on_terminal();
    world.write_user("Credentials: [{URI: docker://docker.io, Insecure: false}]\n");
    let terminal = sections.replace("  SECURE?\n", "  SECURE?  LOGIN\n");
    assert_eq!(world.remote("list --nocolor").exits(0).stdout, terminal);
}

#[test]
fn a_terminal_shows_who_is_logged_in_and_until_when() {
    let world = World::new().on_terminal();
    let remotes = [
        ("a-day", ending_in(86_400)),
        ("bare", "plain".into()),
        ("gone", ending_in(-5)),
        ("long", ending_in(3 * 86_400 + 7)),
    ];
    let entry =
        |(name, token): &(&str, String)| format!("  {name}: {{URI: {name}.example, Token: {token}}}\n");
    world.write_user(format!(
        "
Remotes:
  none: {{URI: none.example}}
{}",
        remotes.map(|one| entry(&one)).concat()
    ));
    let shown = world.remote("list --nocolor").exits(0).stdout;
    let login = |name: &str| {
        let row = shown.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        row.rsplit_once('✓').unwrap().1.trim().to_string()
    };
    assert_eq!(login("a-day"), "ends in 24 hours", "{shown}");
    assert_eq!(login("gone"), "expired", "{shown}");
    assert_eq!(login("long"), "ends in 3 days", "{shown}");
    assert_eq!(login("none"), "", "{shown}");
    let bare = shown.lines().find(|line| line.starts_with("bare ")).unwrap();
    assert!(bare.ends_with("✓        ✓"), "{shown}");
    let job = World::new()
        .on_terminal()
        .with_env("APPTAINER_TOKEN", "t")
        .with_env("APPTAINER_TOKEN_HOST", "gone.example");
    job.write_user(format!("Remotes:\n  gone: {{URI: gone.example, Token: {}}}\n", ending_in(-5)));
    let shown = job.remote("list --nocolor").exits(0).stdout;
    assert!(!shown.contains("expired"), "the token of the environment is the one that is sent: {shown}");
    let red = world.remote("list").exits(0).stdout;
    assert!(red.contains("\u{1b}[31mexpired\u{1b}[0m"), "{red:?}");
}

#[test]
fn an_unusable_token_is_shown_in_red() {
    let world = World::new().on_terminal();
    world.write_global(
        "
Active: lab
Remotes:
  lab: {URI: new.example, System: true}
",
    );
    world.write_user(
        "
Remotes:
  lab: {URI: old.example, Token: t, System: true}
  empty: {URI: ''}
",
    );
    world
        .remote("list")
        .exits(0)
        .prints("\u{1b}[31mfor another host\u{1b}[0m")
        .prints("(no URI)")
        .says("the stored token for \"lab\" was issued for old.example");
}

#[test]
fn a_keyserver_only_the_endpoint_knows_is_shown_as_unknown() {
    let world = World::singularity();
    world.remote("list --all").exits(0).prints("\n(unknown until \"remote status\" has asked)\n");
    let world = World::new();
    world.write_global(
        "
Active: g
Remotes:
  g:
    URI: g.example.com
    Keyservers:
      - {URI: https://own.example, Skip: true, External: false, Insecure: false}
      - {URI: hkp://more.example, Skip: false, External: true, Insecure: true}
",
    );
    world.remote("list -a").exits(0).prints("hkp://more.example  YES     YES       1\n");
}

#[test]
fn json_has_everything_but_secrets() {
    let world = World::new();
    world.write_user(
        "
Active: lab
Remotes:
  lab: {URI: //lab.example.com:8080, Token: t0ken, Insecure: true}
Credentials:
  - {URI: docker://r.example, Insecure: true}
",
    );
    let shown = world.remote("list --json").exits(0).never_shows("t0ken");
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["files"]["global"], world.global_file().to_str().unwrap());
    assert_eq!(document["files"]["user"], world.user_file().to_str().unwrap());
    assert_eq!(
        document["remotes"][1],
        serde_json::json!({"name":"lab","uri":"lab.example.com:8080","default":true,"global":false,"exclusive":false,"insecure":true,"token":true})
    );
    assert_eq!(document["logins"], serde_json::json!([{"uri":"docker://r.example","insecure":true}]));
    let empty = World::new();
    empty.write_global("");
    let document: serde_json::Value = serde_json::from_str(&empty.remote("list -j").exits(0).stdout).unwrap();
    assert_eq!(
        (&document["remotes"], &document["keyservers"], &document["logins"]),
        (&serde_json::json!([]), &serde_json::json!([]), &serde_json::json!([]))
    );
}

#[test]
fn reading_writes_nothing() {
    let world = World::new();
    for line in ["list", "list --all", "list --json", "check", "-c nosuch.yaml list"] {
        world.remote(line).exits(0);
    }
    assert_eq!(fs::read_dir(world.home()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(world.global_file().parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn config_selects_the_user_layer_before_or_after_the_command() {
    let world = World::new();
    let file = world.path("x.yaml");
    world.remote(&format!("-c {} add --no-login lab lab.example.com", file.display())).exits(0);
    world.remote(&format!("list --config {}", file.display())).exits(0).prints("lab.example.com");
    world.remote("list").exits(0).never_shows("lab.example.com");
    assert!(!world.user_dir().exists());
}

#[test]
fn a_stored_address_with_a_fragment_or_query_warns() {
    let world = World::new();
    world.write_user(
        r#"
Active: lab
Remotes:
  lab: {URI: host/a#b}
  odd: {URI: "host/a?b"}
"#,
    );
    let warning = "WARNING: ignoring the fragment in a URI of \"lab\"; using host/a\n";
    for line in ["list", "check"] {
        let shown = world.remote(line).exits(0).says(warning);
        shown.says("WARNING: ignoring the query in a URI of \"odd\"; using host/a\n");
    }
    world.write_global(
        r#"
Active: g
Remotes:
  g: {URI: h, System: true, Keyservers: [{URI: "https://k.example/a#b", External: true}]}
"#,
    );
    world
        .remote("list")
        .exits(0)
        .says("WARNING: ignoring the fragment in a URI of \"g\"; using https://k.example/a\n");
}

#[test]
fn odd_layers_are_shown_with_the_command_that_fixes_them() {
    if apptainer_alone("the widths of a table follow the name of the built-in remote") {
        return;
    }
    let world = World::new();
    world.write_user(
        r#"
Active: gone
Remotes:
  hollow:
  "e\e[31mvil": {URI: "h\x07"}
  DefaultRemote: {URI: old.example.com, Token: t0ken, System: true}
"#,
    );
    world
        .remote("list")
        .exits(0)
        .says("WARNING: the default remote \"gone\" does not exist")
        .says("WARNING: \"hollow\" has no URI. Fix it with: ")
        .says("WARNING: the stored token for \"DefaultRemote\" was issued for old.example.com. Log in again: apptainer remote login DefaultRemote")
        .prints("e\\x1b[31mvil   h\\x07")
        .never_shows("\u{1b}")
        .never_shows("t0ken");
    world.write_user(r#"Remotes: {"c\x9B31m\x7F\u202E": {URI: h}}"#);
    let shown = world.remote("list --json").exits(0);
    assert!(!shown.stdout.trim_end().chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown:?}");
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["remotes"][1]["name"], "c\u{9b}31m\u{7f}\u{202e}");
}

#[test]
fn a_token_without_its_leading_space_is_not_shown_as_a_key() {
    let world = World::new();
    for text in [
        "Remotes:\n  a: {URI: h, Token:canary}\n",
        "Remotes:\n  a: {Token:canary: x, Token:canary: y}\n",
        "Token:canary: {}\n",
    ] {
        world.write_user(text);
        world.remote("list").never_shows("canary");
        world.remote("use a").never_shows("canary");
        world.remote("check").exits(255).never_shows("canary");
    }
}

#[test]
fn a_different_global_file_of_the_next_program_is_reported() {
    if apptainer_alone("the program has another name") {
        return;
    }
    let world = World::new();
    let real = world.path("real/bin/apptainer");
    fs::create_dir_all(real.parent().unwrap()).unwrap();
    fs::write(&real, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let world = world.with_env("PATH", real.parent().unwrap());
    assert_eq!(world.remote("list").exits(0).stderr, "", "it has no global file of its own");
    let theirs = world.path("real/etc/apptainer/remote.yaml");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "Remotes: {}\n").unwrap();
    let shown = world.remote("list").exits(0).says("WARNING: ").says(theirs.to_str().unwrap());
    assert!(shown.stderr.contains(world.global_file().to_str().unwrap()));
    assert_eq!(shown.stdout, TABLE);
}

#[test]
fn check_reports_that_singularityce_rejects_a_name_in_both_layers() {
    let world = World::singularity();
    let own = "Remotes: {SylabsCloud: {URI: mine.example.com}}\n";
    world.write_user(own);
    let words =
        "makes every SingularityCE command fail. To remove yours: singularity remote remove SylabsCloud";
    world.remote("check").exits(255).says("FATAL:   \"SylabsCloud\" is defined globally").says(words);
    world.remote("check --global").exits(0);
    world.root_remote("use --exclusive SylabsCloud").exits(0);
    world.remote("check").exits(255).says(words);
    let world = World::bare(Persona::Apptainer);
    world.write_user(own.replace("SylabsCloud", "DefaultRemote"));
    world.remote("check").exits(0).says("is valid (1 remote)");
}

#[test]
fn invisible_characters_are_shown_as_escapes() {
    let world = World::new();
    world.write_user(
        r#"
Remotes:
  "la\u200bb\u00AD": {URI: h}
  "la\U000E0041b\u2066": {URI: h}
"#,
    );
    world.remote("list").exits(0).prints("la\\u{200b}b\\u{ad}").prints("la\\u{e0041}b\\u{2066}");
    let shown = world.remote("list --json").exits(0).prints("la\\udb40\\udc41b\\u2066");
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["remotes"][2]["name"], "la\u{e0041}b\u{2066}");
}
