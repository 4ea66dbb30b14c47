//! Message levels, colours, closed streams, and the environment variables that affect them.

use crate::world::{As, World, apptainer_alone, finish, words};
use std::process::{Command, Stdio};

#[test]
fn levels_silence_messages_but_not_failures() {
    let world = World::new();
    let run = |line: &str| world.run(As::User, &words(line));
    assert_eq!(run("-q remote add --no-login a a.example.com").exits(0).stderr, "");
    assert_eq!(run("-s remote use nosuch").exits(255).stderr, "FATAL:   nosuch is not a remote\n");
    run("remote use nosuch").exits(255).says("\nhint:    apptainer remote list\n");
    run("-v remote list").exits(0).says("VERBOSE: user file: ");
    run("--debug --nocolor -c /nosuch.conf --build-config remote list").exits(0);
    assert_eq!(run("remote list").exits(0).stderr, "");
}

#[test]
fn the_environment_sets_the_level() {
    for (name, says) in [
        ("APPTAINER_QUIET", ""),
        ("SINGULARITY_SILENT", ""),
        ("APPTAINER_VERBOSE", "VERBOSE:"),
        ("APPTAINER_DEBUG", "VERBOSE:"),
    ] {
        let world = World::new().with_env(name, "1");
        let shown = world.remote("list").exits(0);
        assert_eq!(shown.stderr.contains("VERBOSE:"), !says.is_empty(), "{name} {shown:?}");
    }
    let world = World::new().with_env("APPTAINER_MESSAGELEVEL", "-3");
    assert_eq!(world.remote("add --no-login a a.example.com").exits(0).stderr, "");
}

#[test]
fn messages_are_coloured_only_if_standard_error_is_a_terminal() {
    let coloured = |world: World| {
        let mut world = world;
        world.terminals.stderr = true;
        world.remote("use nosuch").exits(255).stderr.starts_with("\u{1b}[31mFATAL:  \u{1b}[0m nosuch")
    };
    assert!(coloured(World::new()));
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("APPTAINER_NOCOLOR", "true")] {
        assert!(!coloured(World::new().with_env(name, value)), "{name}");
    }
}

#[test]
fn a_closed_pipe_is_exit_141_without_a_message() {
    let world = World::new();
    let mut command = world.command(As::User).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let shown = finish(command.args(["remote", "list"]).stdout(writer)).exits(141);
    assert_eq!(shown.stderr, "");
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let world = World::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    finish(world.command(As::User).unwrap().args(["remote", "list"]).stdout(full))
        .exits(255)
        .says("writing standard output");
}

#[test]
fn closed_streams_cause_no_crash() {
    if apptainer_alone("processes use the home of the password database there") {
        return;
    }
    let world = World::new();
    world.install();
    let line = format!("{} remote add --no-login a a.example.com 0<&- 1>&- 2>&-", world.exe().display());
    let status = Command::new("/bin/sh")
        .args(["-c", &line])
        .env_clear()
        .env("HOME", world.home())
        .stdin(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    assert!(world.user().contains("a.example.com"));
}

#[test]
fn help_is_short_or_long_with_examples() {
    let world = World::new();
    let short = world.remote("add -h").exits(0);
    let long = world.remote("add --help").exits(0).prints("\n  $ apptainer remote add mycloud");
    assert!(short.stdout.len() < long.stdout.len() && !short.stdout.contains("$ apptainer"), "{short:?}");
    assert_eq!(world.run(As::User, &["help", "remote", "add"]).exits(0).stdout, long.stdout);
    World::singularity()
        .remote("use --help")
        .exits(0)
        .prints("$ singularity remote use")
        .prints("Usage: singularity remote use");
}

#[test]
fn arguments_with_invalid_utf_8_or_escapes_are_shown_safely() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let odd = std::ffi::OsStr::from_bytes(b"a\xff");
    world.run(As::User, &["remote".as_ref(), "use".as_ref(), odd]).exits(1);
    world.run(As::User, &["remote", "use", "--\u{1b}[2Jx"]).exits(1).never_shows("\u{1b}");
    world.run(As::User, &["remote", "nosuch\nFATAL:   fake"]).exits(1).never_shows("\nFATAL:   fake");
    world.run(As::User, &["remote", "use", "\u{1b}]0;x\u{7}"]).exits(255).never_shows("\u{1b}");
    world.run(As::User, &["x\u{1b}[2J"]).exits(255).never_shows("\u{1b}");
}

#[test]
fn switches_are_parsed_as_in_the_real_programs() {
    let world = World::new();
    let run = |line: &str| world.run(As::User, &words(line));
    run("-d -d --quiet=false --nocolor=1 -cx.c remote list").exits(0);
    run("remote add --no-login=true --no-login -n=false --global=F a a.example.com").exits(0);
    assert!(world.user().starts_with("Active: a\n"));
    run("remote use -g=false a").exits(0);
    run("remote use --global=nonsense a").exits(1);
    run("remote list -c one.yaml -c two.yaml").exits(0);
    run("remote add --no-login -- b --global=true").exits(0);
    assert!(world.user().contains("URI: --global=true\n"), "what follows -- is not an option");
}

#[test]
fn suggested_commands_can_be_pasted() {
    let world = World::new();
    let shown = world.run(As::User, &["remote", "use", "a;b $(id)"]).exits(255);
    assert!(shown.stderr.contains("hint:    apptainer remote add 'a;b $(id)' URI\n"), "{shown:?}");
    let shown = world.run(As::User, &["remote", "add", "-g", "it's", "h.example"]).exits(255);
    assert!(
        shown
            .stderr
            .contains(&format!("hint:    {}remote add --global 'it'\\''s' h.example\n", world.sudo())),
        "{shown:?}"
    );
}

#[test]
fn hints_for_root_name_a_file_that_root_can_run() {
    let world = World::new();
    let (exe, note) = (world.exe(), "users other than root can change");
    let lines = [
        "remote add -g x x.example",
        "remote use -e DefaultRemote",
        "remote remove DefaultRemote",
        "remote add-keyserver https://x.example",
        "keyserver add https://x.example",
        "keyserver login -u ada -p x https://y.example",
    ];
    let roots = crate::world::is_root();
    for line in lines {
        let shown = world.run(As::User, &crate::world::words(line)).exits(255).says(&world.sudo());
        assert_eq!(shown.stderr.contains(note), !roots, "{line}: {shown:?}");
        world.run(As::Root, &crate::world::words(line)).never_shows("sudo ");
    }
    if !roots {
        return crate::machine::skipped("needs root: a program of another user");
    }
    std::os::unix::fs::chown(&exe, Some(crate::world::USER), None).unwrap();
    for line in lines {
        let shown = world.run(As::User, &crate::world::words(line)).exits(255).says(note);
        assert!(shown.stderr.contains("/usr/local/bin/\n"), "{line}: {shown:?}");
    }
}
