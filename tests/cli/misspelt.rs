//! What people really type, and what the program then says to type.

use crate::world::{As, World, words};

/// What is typed, the exit status, and a part of what is said.
fn table(world: &World, rows: &[(&str, i32, &str)]) {
    let mut wrong = Vec::new();
    for (line, code, says) in rows {
        let shown = world.run(As::User, &words(line));
        if shown.code != *code || !shown.stderr.contains(says) {
            wrong.push(format!("{line}: lacks {says:?}: {shown:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn world() -> World {
    let world = World::new();
    world.write_user(
        "Active: mycloud\nRemotes:\n  mycloud: {URI: cloud.example.com}\n  lab: {URI: lab.example.com}\n",
    );
    world
}

#[test]
fn names_of_remotes() {
    let sure = "hint:    did you mean: apptainer remote";
    table(
        &world(),
        &[
            ("remote use mycluod", 255, &format!("{sure} use mycloud\n")),
            ("remote login MyCloud", 255, &format!("{sure} login mycloud\n")),
            ("remote status mycoud", 255, &format!("{sure} status mycloud\n")),
            ("remote remove my-cloud", 255, &format!("{sure} remove mycloud\n")),
            (
                "remote use elsewhere",
                255,
                "FATAL:   elsewhere is not a remote\nhint:    apptainer remote list\n",
            ),
            (
                "remote login ghcr.io",
                255,
                "hint:    for a registry: apptainer registry login docker://ghcr.io\n",
            ),
            ("remote logout localhost:5000", 255, "apptainer registry logout docker://localhost:5000\n"),
            (
                "remote login library://lab/a/b",
                255,
                "to download the image: apptainer pull library://lab/a/b\n",
            ),
        ],
    );
}

#[test]
fn a_remote_of_the_users_own_is_not_a_global_one() {
    let world = world();
    world.root_remote("add --global --no-default company company.example.com").exits(0);
    world.root_remote("use --global lab").exits(255).says("FATAL:   lab is not a global remote\n");
    world.root_remote("use --global nosuch").exits(255).says("FATAL:   nosuch is not a remote\n");
}

#[test]
fn commands_in_another_group() {
    table(
        &world(),
        &[
            (
                "login",
                255,
                "hint:    apptainer remote login\nhint:    apptainer registry login\nhint:    apptainer keyserver login\n",
            ),
            ("status", 255, "hint:    apptainer remote status\n"),
            ("ls", 255, "hint:    apptainer remote list\n"),
            ("remote pull", 1, "hint:    apptainer pull\n"),
            ("remote search alpine", 1, "hint:    apptainer search\n"),
            ("keyserver status", 1, "hint:    apptainer remote status\n"),
            ("remote list --nosuch", 1, "error: unknown option '--nosuch'\n"),
            ("remote list nosuch", 1, "error: unexpected argument 'nosuch' found\n"),
        ],
    );
}

#[test]
fn addresses_that_are_not_an_endpoints() {
    table(
        &world(),
        &[
            (
                "remote add hub docker://docker.io",
                255,
                "to log in to a registry: apptainer registry login docker://docker.io\n",
            ),
            ("remote add hub oras://ghcr.io", 255, "apptainer registry login oras://ghcr.io\n"),
            ("remote add hub library://a/b/c", 255, "to download an image: apptainer pull library://a/b/c\n"),
            ("remote add keys hkps://keys.example.com", 255, "keyserver add hkps://keys.example.com\n"),
            ("remote add hub docker://ada:canary@docker.io", 255, "apptainer registry login docker://HOST\n"),
            (
                "remote add https://new.example.com new",
                255,
                "the name comes before the address: apptainer remote add new https://new.example.com\n",
            ),
            (
                "remote add --no-login new.example.com new",
                0,
                "If they are the wrong way round: apptainer remote add new new.example.com\n",
            ),
        ],
    );
    let world = world();
    world.remote("add https://ada:canary@new.example.com new").exits(255).never_shows("canary");
    world.remote("add hub docker://ada:canary@docker.io").exits(255).never_shows("canary");
}

#[test]
fn a_remote_that_exists() {
    table(
        &world(),
        &[
            (
                "remote add --no-login lab lab.example.com",
                255,
                "to succeed if it already exists: apptainer remote add --no-login --if-absent lab lab.example.com\n",
            ),
            (
                "remote add --no-login lab b.example.com",
                255,
                "to replace its address: apptainer remote add --no-login --replace lab b.example.com\n",
            ),
        ],
    );
}

#[test]
fn a_token_in_place_of_a_file() {
    let world = world();
    let token = "abcdefghijklmnopqrstuvwxyz0123456789";
    let shown = world.remote(&format!("login --tokenfile {token} lab")).exits(255).never_shows(token);
    assert!(shown.stderr.contains("to pipe in the token itself: --tokenfile -"), "{shown:?}");
    let other = world.remote("login --tokenfile ./nosuch lab").exits(255);
    assert!(!other.stderr.contains("--tokenfile -"), "{other:?}");
}

#[test]
fn references() {
    table(
        &world(),
        &[
            ("pull library://alpine out.sif", 1, "hint:    apptainer pull out.sif library://alpine\n"),
            ("pull library://alpine out.sif", 1, "Usage: apptainer pull "),
            ("push library://lab/a/b out.sif", 1, "hint:    apptainer push out.sif library://lab/a/b\n"),
            ("pull", 1, "Usage: apptainer pull "),
            ("pull library://", 1, "Usage: apptainer pull "),
            ("search ab", 1, "Usage: apptainer search "),
        ],
    );
    if crate::world::apptainer_alone("SingularityCE takes a reference without a scheme for library://") {
        return;
    }
    table(
        &world(),
        &[
            ("pull alpine", 255, "hint:    for an image of a library: apptainer pull library://alpine\n"),
            ("pull alpine", 255, "apptainer pull docker://alpine\n"),
            ("push x.sif lab/a/b", 255, "apptainer push FILE library://lab/a/b\n"),
        ],
    );
}

#[test]
fn a_config_option_that_does_nothing_or_names_nothing() {
    let world = world();
    let line = |line: &str| world.run(As::User, &words(line)).exits(0);
    line("-c file remote list")
        .says("INFO:    -c before the command has no effect here; see remote -c FILE\n");
    let nosuch = world.path("nosuch.yaml");
    line(&format!("remote -c {} list", nosuch.display()))
        .says(&format!("INFO:    {} does not exist: using no remotes of your own\n", nosuch.display()));
}

#[test]
fn singularitys_default_scheme() {
    let world = World::singularity();
    world.write_user("Active: lab\nRemotes:\n  lab: {URI: //127.0.0.1:1, Insecure: true}\n");
    for line in ["pull alpine", "pull lab/tools/blast:v1"] {
        world.run(As::User, &words(line)).exits(255).says("while retrieving services: http://127.0.0.1:1/");
    }
}

#[test]
fn passwords_in_what_was_mistyped_are_not_repeated() {
    let world = world();
    for line in [
        "remote status library://u:canary@h/a/b/c",
        "remote use library://u:canary@h/a/b/c",
        "remote login library://u:canary@h/a/b/c",
        "remote add lab2 docker://h/?token=canary",
        "remote add lab2 library://h/?token=canary",
        "remote add https://h/?token=canary lab2",
        "pull docker://u:canary@h/x",
        "pull u:canary@h/a",
        "pull library://u:canary@h/a/b/c x.sif",
        "push x.sif oras://u:canary@h/a",
        "delete oras://u:canary@h/a",
        "search https://u:canary@h/a",
        "u:canary@x",
        "remote check https://u:canary@h",
        "remote login --password --canary s1",
        "remote login s1 -- -canary",
        "remote list --color=canary@x",
    ] {
        let shown = world.run(As::User, &words(line)).never_shows("canary");
        assert_ne!(shown.code, 0, "{line}");
    }
}
