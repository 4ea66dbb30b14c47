//! Odd files that can still be read.

use super::*;

#[test]
fn anchors_and_merge_keys_are_read() {
    if apptainer_alone("the widths of a table follow the name of the built-in remote") {
        return;
    }
    let world = World::new();
    world.write_user(
        "
Remotes:
  base: &b {URI: base.example.com, Insecure: true}
  same: *b
  other: {<<: *b, URI: other.example.com}
",
    );
    world
        .remote("list")
        .exits(0)
        .prints("base           base.example.com                                    ✗!\n")
        .prints("same           base.example.com                                    ✗!\n")
        .prints("other          other.example.com                                   ✗!\n");
    world.remote("use same").exits(0);
    assert!(
        !world.user().contains('&') && world.user().matches("base.example.com").count() == 2,
        "{}",
        world.user()
    );
}

#[test]
fn an_unknown_key_warns_readers_and_stops_writers() {
    for layer in Layer::BOTH {
        let world = layer.holding(
            "\
Active: lab
Remotes:
    lab:
        URI: lab.example.com
        Tokn: canary
Version: 2
",
        );
        let file = layer.file(&world).display().to_string();
        let before = Picture::of(&world);
        for line in ["list", "list --json"] {
            run(&world, As::User, &format!("-d remote {line}"))
                .exits(0)
                .says(&format!("WARNING: {file}:5:9: unknown key \"Remotes.lab.Tokn\""))
                .says(&format!("WARNING: {file}:6:1: unknown key \"Version\""))
                .prints("lab.example.com")
                .never_shows("canary");
            before.is_still(&world, line);
        }
        let writers: &[_] = match layer {
            Layer::User => &[
                (As::User, "use DefaultRemote"),
                (As::User, "add --no-login new new.example.com"),
                (As::User, "add --no-login --replace lab new.example.com"),
                (As::User, "remove lab"),
            ],
            Layer::Global => &[
                (As::Root, "use -g lab"),
                (As::Root, "use -e lab"),
                (As::Root, "add -g new new.example.com"),
                (As::Root, "remove -g lab"),
            ],
        };
        for (who, line) in writers {
            run(&world, *who, &format!("-d remote {line}"))
                .exits(255)
                .says(&format!("FATAL:   {file}:5:9: unknown key \"Remotes.lab.Tokn\": not saved"))
                .says("hint:    fix or remove the key")
                .never_shows("canary");
            before.is_still(&world, line);
        }
        let check = if layer == Layer::User { "remote check" } else { "remote check --global" };
        run(&world, As::User, check)
            .exits(255)
            .says(&format!("{file}:5:9: unknown key \"Remotes.lab.Tokn\""));
        before.is_still(&world, check);
    }
}

#[test]
fn a_remote_without_an_address_is_listed_with_a_warning() {
    for layer in Layer::BOTH {
        for lab in ["", " {}", " {Token: canary, System: false}", " {URI: ''}", "\n        URI: ~"] {
            let text = format!("Active: lab\nRemotes:\n    lab:{lab}\n");
            let world = layer.holding(&text);
            let before = Picture::of(&world);
            let hint = match layer {
                Layer::User => "apptainer remote add --replace lab URI",
                Layer::Global => "apptainer remote add --global --replace lab URI",
            };
            run(&world, As::User, "remote list")
                .exits(0)
                .says(&format!("WARNING: \"lab\" has no URI. Fix it with: {hint}\n"))
                .prints("\nlab ");
            for line in ["status", "login", "get-login-password", "status lab"] {
                run(&world, As::User, &format!("-d remote {line}")).exits(255).never_shows("canary");
            }
            run(&world, As::User, "remote status").exits(255).says("FATAL:   \"lab\" has no URI").says(hint);
            before.is_still(&world, &text);
            let (who, global) = if layer == Layer::User { (As::User, "") } else { (As::Root, "--global ") };
            run(&world, who, &format!("remote remove {global}lab")).exits(0);
            run(&world, who, &format!("remote add {global}--no-login lab lab.example.com")).exits(0);
            run(&world, As::User, "remote list").exits(0).prints("lab.example.com");
        }
    }
}

#[test]
fn a_missing_default_remote_is_a_warning() {
    for layer in Layer::BOTH {
        let world = layer.holding(
            "\
Active: gone
Remotes:
    lab:
        URI: lab.example.com
",
        );
        let before = Picture::of(&world);
        let (whose, command) = match layer {
            Layer::User => ("", "use NAME"),
            Layer::Global => ("global ", "use --global NAME"),
        };
        run(&world, As::User, "remote list").exits(0).prints("lab.example.com").says(&format!(
            "WARNING: the {whose}default remote \"gone\" does not exist. Choose another: apptainer remote {command}\n"
        ));
        before.is_still(&world, "list");
        run(&world, As::User, "remote use lab").exits(0);
    }
}

#[test]
fn a_missing_or_empty_file_is_an_empty_layer() {
    for text in
        [None, Some(""), Some("\n\n"), Some("# nothing yet\n"), Some("---\n"), Some("~\n"), Some("\u{feff}")]
    {
        for layer in Layer::BOTH {
            let world = layer.holding(text.unwrap_or_default());
            if text.is_none() {
                fs::remove_file(layer.file(&world)).unwrap();
            }
            let before = Picture::of(&world);
            for line in ["remote list", "-d remote list --json", "remote list --all"] {
                run(&world, As::User, line).exits(0);
                before.is_still(&world, line);
            }
            let shown = run(&world, As::User, "remote list").exits(0);
            // Without a global file the built-in remote is used; an empty global file means that there are no
            // global remotes.
            let shows_default = layer == Layer::User || text.is_none();
            assert_eq!(shown.stdout.contains("DefaultRemote"), shows_default, "{text:?} {layer:?}");
            run(&world, As::User, "remote add --no-login lab lab.example.com").exits(0);
            run(&world, As::Root, "remote add -g -n org org.example.com").exits(0);
            run(&world, As::User, "remote list").exits(0).prints("lab.example.com").prints("org.example.com");
        }
    }
}
