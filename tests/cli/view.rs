//! Terminal output: tables that fit the width, colours, indented JSON. A pipe gets none of it.

use crate::golden::golden;
use crate::peers::endpoint::{Behaviour, Endpoint};
use crate::world::{As, Shown, World, apptainer_alone};
use apptainer_remote::persona::Persona;

const REMOTES: &str = "
Active: lab
Remotes:
  lab:
    URI: lab.example.com
  a-remote-with-a-rather-long-name:
    URI: //images.some-department.university.example.com:8443/path/to/the/service
  研究室:
    URI: kenkyu.example.jp
";

fn screen(width: usize) -> World {
    let world = World::new().on_terminal();
    world.width.set(width);
    world.write_global("Active: lab\n");
    world.write_user(REMOTES);
    world
}

/// Only the table of remotes.
fn remotes(shown: &Shown) -> &str {
    let table = shown.stdout.split("========================\n\n").nth(1).unwrap();
    table.split("\n\n").next().unwrap()
}

#[test]
fn addresses_wrap_and_names_never_do() {
    // If the names alone do not fit, as with 60 and 80 columns, nothing wraps.
    for width in [60, 80, 100, 120, 200] {
        let shown = screen(width).remote("list --nocolor").exits(0);
        golden(&format!("list-{width}"), &format!("{}\n", remotes(&shown)));
    }
}

#[test]
fn the_default_and_the_header_are_bold() {
    let shown = screen(120).remote("list").exits(0);
    let table = remotes(&shown);
    assert!(table.starts_with("\x1b[1mNAME "), "{table}");
    assert!(table.contains("\n\x1b[1mlab\x1b[0m  "), "{table}");
    assert_eq!(table.matches('\x1b').count(), 4, "{table}");
    for quiet in ["list --nocolor", "--nocolor list"] {
        assert!(!screen(120).remote(quiet).exits(0).stdout.contains('\x1b'), "{quiet}");
    }
    let dumb = screen(120).with_env("TERM", "dumb");
    assert!(!dumb.remote("list").exits(0).stdout.contains('\x1b'));
}

#[test]
fn json_is_indented_on_a_terminal_and_one_line_in_a_pipe() {
    let indented = screen(80).remote("list --json").exits(0).stdout;
    assert!(indented.starts_with("{\n  \"version\": 1,\n"), "{indented}");
    let world = World::new();
    world.write_user(REMOTES);
    let line = world.remote("list --json").exits(0).stdout;
    assert!(line.starts_with("{\"version\":1,") && line.matches('\n').count() == 1, "{line}");
}

#[test]
fn nothing_in_a_table_controls_the_terminal() {
    if apptainer_alone("column widths depend on the name of the built-in remote") {
        return;
    }
    let world = World::new().on_terminal();
    world.write_user(
        r#"
Remotes:
  "a\e[31mb":
    URI: "h.example/\u202ex"
"#,
    );
    let shown = world.remote("list --nocolor").exits(0);
    assert!(!shown.stdout.contains(['\x1b', '\u{202e}']), "{shown:?}");
    assert!(shown.stdout.contains(r"a\x1b[31mb"), "{shown:?}");
}

/// An endpoint whose library is down, with a service that has wide characters, and a service whose name has
/// terminal escapes.
fn lab() -> Option<(World, Endpoint)> {
    if apptainer_alone("column widths depend on the name of the built-in remote") {
        return None;
    }
    let (world, endpoint) = (World::new().on_terminal(), Endpoint::http());
    let at = |path: &str| format!("{}/{path}", endpoint.url());
    let long = at("a-library-with-a-long-address/that-has-to-wrap/on-any-screen");
    let services = [(" \u{1b}[2J", at("builder")), ("library", long), ("鍵サーバー", at("keystore"))];
    endpoint.set_services(&services.each_ref().map(|(name, uri)| (*name, uri.as_str())));
    endpoint.set("/a-library-with-a-long-address/that-has-to-wrap/on-any-screen/version", Behaviour::Close);
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Insecure: true}}
",
        endpoint.host()
    ));
    Some((world, endpoint))
}

#[test]
fn status_colours_match_the_results() {
    let Some((world, endpoint)) = lab() else { return };
    // Always a port of five digits, so that the golden texts wrap at the same points.
    let found = |shown: Shown| shown.stdout.replace(&endpoint.host(), "127.0.0.1:12345");
    for width in [60, 80, 120] {
        world.width.set(width);
        golden(&format!("status-{width}"), &found(world.remote("status --nocolor").exits(0)));
    }
    let painted = world.remote("status").exits(0).stdout;
    for (row, status) in
        [("\n \\x1b[2J    ", "32mOK"), ("\nLibrary     ", "31mN/A"), ("\n鍵サーバー  ", "32mOK")]
    {
        assert!(painted.contains(&format!("{row}\x1b[{status}\x1b[0m  ")), "{row:?} {painted}");
    }
    assert_eq!(painted.matches('\x1b').count(), 2 * (1 + 3 + 1), "{painted}");
}

const LISTS: &str = "
Active: lab
Remotes:
  lab:
    URI: lab.example.com
    Keyservers:
      - {URI: https://keys.example.com, Skip: false, External: true, Insecure: false}
      - {URI: http://keyserver.some-department.university.example.com:11371, Skip: false, External: true, Insecure: true}
  研究室:
    URI: kenkyu.example.jp
    Keyservers:
      - {URI: https://kagi.example.jp, Skip: false, External: true, Insecure: false}
Credentials:
  - {URI: https://keys.example.com, Auth: Basic x, Insecure: false}
  - {URI: docker://registry.some-department.university.example.com:5000/a/part/of/it, Insecure: false}
  - {URI: docker://docker.io, Insecure: true}
";

#[test]
fn keyservers_and_logins_fit_the_screen() {
    if apptainer_alone("column widths depend on the name of the built-in remote") {
        return;
    }
    let world = World::new().on_terminal();
    world.write_user(LISTS);
    for group in ["keyserver", "registry"] {
        for width in [40, 60, 80, 120] {
            world.width.set(width);
            let shown = world.run(As::User, &[group, "list", "--nocolor"]).exits(0);
            assert!(group == "keyserver" || shown.stdout.lines().all(|line| line.chars().count() <= width));
            golden(&format!("{group}-list-{width}"), &shown.stdout);
        }
    }
}

/// Empty lists give output on a terminal too.
#[test]
fn empty_lists_are_shown_as_such() {
    let terminal = || World::bare(Persona::Apptainer).on_terminal();
    let registries = terminal().run(As::User, &["registry", "list", "--nocolor"]).exits(0);
    assert_eq!(
        registries.stdout,
        "\nnone; to log in to a registry: apptainer registry login docker://HOST\n"
    );
    let json = terminal().run(As::User, &["registry", "list", "--json"]).exits(0);
    assert!(json.stdout.ends_with("\n  \"registries\": []\n}\n"), "{json:?}");
    let world = terminal();
    world.write_global("Remotes: {}\n");
    let remotes = world.remote("list --nocolor").exits(0).stdout;
    assert!(remotes.ends_with("\n\nnone; to add one: apptainer remote add NAME URI\n"), "{remotes:?}");
    let keyservers = world.run(As::User, &["keyserver", "list"]).exits(0).stdout;
    assert_eq!(keyservers, "\nnone; to add a remote: apptainer remote add NAME URI\n");
}
