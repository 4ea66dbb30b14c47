//! `remote use` and `remote remove`: the default, exclusivity, and what a user can and cannot remove.

use crate::world::{World, apptainer_alone};

const TWO: &str = "\
Active: a
Remotes:
    a:
        URI: a.example.com
        System: false
        Exclusive: false
    b:
        URI: b.example.com
        System: false
        Exclusive: false
";

fn with_two() -> World {
    let world = World::new();
    world.write_user(TWO);
    world
}

#[test]
fn use_sets_the_users_default_and_copies_nothing() {
    let world = with_two();
    let shown = world.remote("use b").exits(0);
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("", "INFO:    Remote \"b\" now in use.\n"));
    assert_eq!(world.user(), TWO.replace("Active: a", "Active: b"));
    world.remote("use DefaultRemote").exits(0);
    assert_eq!(world.user(), TWO.replace("Active: a", "Active: DefaultRemote"));
    world
        .remote("use nosuch")
        .exits(255)
        .says("FATAL:   nosuch is not a remote\n")
        .says("apptainer remote list");
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let world = World::new();
    let odd = "{Active: a, Remotes: {a: {URI: a.example.com}}}";
    world.write_user(odd);
    world.remote("use a").exits(0);
    assert_eq!(world.remote("use --json a").exits(0).stdout, "{\"version\":1,\"changed\":false}\n");
    assert_eq!(world.user(), odd);
}

#[test]
fn any_write_drops_copies_of_global_remotes_but_not_leftovers_or_tokens() {
    let world = World::new();
    world.write_user(
        "
Remotes:
  DefaultRemote: {URI: cloud.apptainer.org, System: true}
  old: {URI: old.example.com, System: true}
  a: {URI: a.example.com}
",
    );
    world.remote("use a").exits(0);
    assert!(!world.user().contains("cloud.apptainer.org") && world.user().contains("old.example.com"));
}

#[test]
fn exclusive_needs_root_and_binds_users() {
    if apptainer_alone("the widths of a table follow the name of the built-in remote") {
        return;
    }
    let world = with_two();
    world
        .remote("use --exclusive DefaultRemote")
        .exits(255)
        .says("FATAL:   unable to set endpoint as exclusive: not root user\n");
    world.remote("use --global DefaultRemote").exits(255).says("not root user");
    world.root_remote("add -g -n company company.example").exits(0);
    world.root_remote("use --exclusive company").exits(0);
    let shown = world.remote("use b").exits(255);
    assert_eq!(
        shown.stderr,
        "FATAL:   could not use b: remote company has been set exclusive by the system administrator\nhint:    apptainer remote list\n"
    );
    assert_eq!(world.user(), TWO);
    world
        .remote("list")
        .exits(0)
        .prints("company        company.example      ✓         ✓        ✓           ✓\n");
    world.remote("use company").exits(0);
}

#[test]
fn exclusivity_can_be_moved_and_lifted_with_a_warning() {
    let world = World::new();
    world.root_remote("add -g company company.example").exits(0);
    world.root_remote("use -e company").exits(0);
    world.root_remote("use -e DefaultRemote").exits(0).says("WARNING: remote company is no longer exclusive");
    assert_eq!(world.global().matches("Exclusive: true").count(), 1);
    world
        .root_remote("use -g DefaultRemote")
        .exits(0)
        .says("WARNING: remote DefaultRemote is no longer exclusive");
    assert_eq!(world.global().matches("Exclusive: true").count(), 0);
    world.root_remote("use -g nosuch").exits(255).says("nosuch is not a remote");
}

#[test]
fn remove_deletes_the_remote_its_token_and_the_default() {
    let world = with_two();
    let shown = world.remote("remove a").exits(0);
    let now = "INFO:    The default remote is now DefaultRemote.\n";
    assert_eq!(shown.stderr, format!("INFO:    Remote \"a\" removed.\n{now}"));
    assert!(world.user().starts_with("Active: \"\"\n") && !world.user().contains("a.example.com"));
    world.remote("remove a").exits(255).says("a is not a remote");
    world.remote("list").exits(0).prints("DefaultRemote  cloud.apptainer.org  ✓");
}

#[test]
fn only_root_can_remove_a_global_remote() {
    let world = World::new();
    world
        .remote("remove DefaultRemote")
        .exits(255)
        .says("is global and can't be removed")
        .says(&format!("{}remote remove --global DefaultRemote", world.sudo()));
    world.remote("remove -g DefaultRemote").exits(255).says("not root user");
    world
        .root_remote("remove -g DefaultRemote")
        .exits(0)
        .says("INFO:    No default remote is left. To choose one: ")
        .says("WARNING: no global remote is left");
    assert_eq!(world.global(), "Active: \"\"\nRemotes: {}\n");
    let shown = world.remote("list").exits(0);
    assert_eq!(shown.stdout, "\nNAME  URI  DEFAULT?  GLOBAL?  EXCLUSIVE?  SECURE?\n");
}

#[test]
fn shadowed_and_leftover_remotes_can_be_removed() {
    let world = World::new();
    world.root_remote("use -e DefaultRemote").exits(0);
    world.write_user(
        "
Remotes:
  DefaultRemote: {URI: mine.example.com}
  old: {URI: old.example.com, System: true}
",
    );
    world.remote("list").exits(0).says("WARNING: your remote \"DefaultRemote\" is ignored").says("leftover");
    world.remote("remove DefaultRemote").exits(0);
    world.remote("remove old").exits(0);
    assert_eq!(world.user(), "Active: \"\"\nRemotes: {}\n");
}

#[test]
fn names_with_wide_and_special_characters_can_be_added_used_and_removed() {
    let world = World::new();
    for name in ["日本", "it's", "a: b", "#x", "yes", "1.0", "~", "*a", "null", "é"] {
        let shown =
            world.run(crate::world::As::User, &["remote", "add", "--no-login", name, "h.example.com"]);
        assert_eq!(shown.code, 0, "{name} {shown:?}");
        world.run(crate::world::As::User, &["remote", "use", name]).exits(0);
    }
    for name in ["日本", "it's", "a: b", "#x", "yes", "1.0", "~", "*a", "null", "é"] {
        world.run(crate::world::As::User, &["remote", "remove", name]).exits(0);
    }
}
