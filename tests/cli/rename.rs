//! `remote rename`: everything except the name is kept.

use crate::world::World;

const OWN: &str = "\
Active: lab
Remotes:
    lab:
        URI: lab.example.com
        Token: t0ken
        System: false
        Exclusive: false
    other:
        URI: other.example.com
        System: false
        Exclusive: false
";

const GLOBAL: &str = "\
Active: company
Remotes:
    company:
        URI: company.example.com
        System: true
        Exclusive: true
        Keyservers:
            - URI: https://keys.example.com
              Skip: false
              External: true
              Insecure: false
    second:
        URI: second.example.com
        System: true
        Exclusive: false
";

#[test]
fn a_users_remote_keeps_its_token_and_stays_the_default() {
    let world = World::new();
    world.write_user(OWN);
    let shown = world.remote("rename lab mylab").exits(0).never_shows("t0ken");
    assert_eq!(shown.stderr, "INFO:    Remote \"lab\" renamed to \"mylab\".\n");
    assert_eq!(world.user(), OWN.replace("Active: lab", "Active: mylab").replace("    lab:", "    mylab:"));
    world.remote("rename mylab zzz").exits(0);
    assert!(world.user().contains("Active: zzz\n"), "{}", world.user());
}

#[test]
fn a_global_remote_keeps_its_keyservers_and_its_mark() {
    let world = World::new();
    world.write_global(GLOBAL);
    world
        .root_remote("rename --global company enterprise")
        .exits(0)
        .says("INFO:    Remote \"company\" renamed to \"enterprise\".\n")
        .says("Users who are logged in to company have to log in again: apptainer remote login enterprise");
    assert_eq!(
        world.global(),
        GLOBAL.replace("company\n", "enterprise\n").replace("    company:", "    enterprise:")
    );
}

#[test]
fn refused_renames_change_nothing() {
    for (line, code, says) in [
        (
            "rename lab other",
            255,
            "FATAL:   other is already a remote\nhint:    to remove that one first: apptainer remote remove other\n",
        ),
        ("rename nosuch new", 255, "FATAL:   nosuch is not a remote\n"),
        ("rename lab lab", 1, "the new name is the same as the old one"),
        ("rename lab", 1, "<NEW>"),
        ("rename lab https://x", 255, "FATAL:"),
        ("rename company new", 255, "FATAL:   company is global and can't be renamed\n"),
        (
            "rename --global company new",
            255,
            "FATAL:   Unable to modify global endpoint configuration file: not root user\n",
        ),
    ] {
        let world = World::new();
        world.write_user(OWN);
        world.write_global(GLOBAL);
        world.remote(line).exits(code).says(says);
        assert_eq!((world.user(), world.global()), (OWN.into(), GLOBAL.into()), "{line}");
    }
    let world = World::new();
    world.write_global(GLOBAL);
    for (line, says) in [
        (
            "rename --global company second",
            "FATAL:   second is already a remote\nhint:    to remove that one first: apptainer remote remove --global second\n",
        ),
        ("rename --global nosuch new", "FATAL:   nosuch is not a remote\n"),
    ] {
        world.root_remote(line).exits(255).says(says);
        assert_eq!(world.global(), GLOBAL, "{line}");
    }
}

#[test]
fn the_token_for_a_global_remote_is_not_overwritten() {
    let world = World::new();
    let held = "Remotes: {lab: {URI: lab.example.com}, second: {URI: second.example.com, Token: t0ken, System: true}}\n";
    world.write_global(GLOBAL.replace("Exclusive: true", "Exclusive: false"));
    world.write_user(held);
    world.remote("rename lab second").exits(255).says("second is already a remote");
    assert_eq!(world.user(), held);
    world.remote("rename second third").exits(255).says("second is global and can't be renamed");
}

#[test]
fn a_leftover_of_a_global_remote_becomes_the_users_own() {
    let world = World::new();
    world.write_user("Remotes: {old: {URI: old.example.com, Token: t0ken, System: true}}\n");
    world.remote("rename old new").exits(0);
    let user = world.user();
    assert!(
        user.contains("    new:\n") && user.contains("System: false") && user.contains("t0ken"),
        "{user}"
    );
}

#[test]
fn json_reports_the_change() {
    let world = World::new();
    world.write_user(OWN);
    assert_eq!(world.remote("rename --json lab mylab").exits(0).stdout, "{\"version\":1,\"changed\":true}\n");
}
