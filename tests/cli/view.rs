//! What a terminal shows: tables that fit its width, colours, JSON that people can read. A pipe gets none of it.

use crate::golden::golden;
use crate::world::{Shown, World, apptainer_alone};

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

/// The table of remotes alone.
fn remotes(shown: &Shown) -> &str {
    let table = shown.stdout.split("========================\n\n").nth(1).unwrap();
    table.split("\n\n").next().unwrap()
}

#[test]
fn addresses_wrap_and_names_never_do() {
    // Where the names alone do not fit, as in 60 columns, nothing wraps.
    for width in [60, 100, 120, 200] {
        let shown = screen(width).remote("list --nocolor").exits(0);
        golden(&format!("list-{width}"), &format!("{}\n", remotes(&shown)));
    }
}

#[test]
fn the_default_is_bold_and_so_is_the_head() {
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
fn json_is_indented_for_a_person_and_one_line_in_a_pipe() {
    let indented = screen(80).remote("list --json").exits(0).stdout;
    assert!(indented.starts_with("{\n  \"version\": 1,\n"), "{indented}");
    let world = World::new();
    world.write_user(REMOTES);
    let line = world.remote("list --json").exits(0).stdout;
    assert!(line.starts_with("{\"version\":1,") && line.matches('\n').count() == 1, "{line}");
}

#[test]
fn nothing_in_a_table_drives_the_terminal() {
    if apptainer_alone("the widths of a table follow the name of the built-in remote") {
        return;
    }
    let world = World::new().on_terminal();
    world.write_user("Remotes:\n  \"a\\e[31mb\":\n    URI: \"h.example/\\u202ex\"\n");
    let shown = world.remote("list --nocolor").exits(0);
    assert!(!shown.stdout.contains(['\x1b', '\u{202e}']), "{shown:?}");
    assert!(shown.stdout.contains(r"a\x1b[31mb"), "{shown:?}");
}
