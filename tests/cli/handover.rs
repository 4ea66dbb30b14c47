//! Other commands are passed to the next program of this name in PATH: the same process, arguments, environment
//! and streams, and never in a loop.

use crate::world::{As, World, finish};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that prints how it was called.
const ECHO: &str = r#"#!/bin/sh
printf '%s|' "$0" "$@"
printf '\nX=%s PPID=%s\n' "$X" "$PPID"
cat
exit 7
"#;

fn place(world: &World, directory: &str, text: &str, mode: u32) -> PathBuf {
    let directory = world.path(directory);
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("apptainer");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file
}

fn run(world: &World, path: &str, args: &[&str]) -> Option<crate::world::Shown> {
    let path: Vec<String> = path.split(':').map(|entry| world.path(entry).display().to_string()).collect();
    let mut command = world.command(As::User)?;
    Some(finish(command.args(args).env("PATH", path.join(":") + ":/usr/bin:/bin").env("X", "kept")))
}

#[test]
fn arguments_environment_and_exit_status_arrive_untouched() {
    let world = World::new();
    place(&world, "real", ECHO, 0o755);
    let shown = run(&world, "bin:real", &["-d", "exec", "a b", "--x=ü", ""]).unwrap().exits(7);
    assert!(shown.stdout.contains("|-d|exec|a b|--x=ü||\nX=kept"), "{shown:?}");
    for args in [
        &["--version"][..],
        &["version"],
        &["help"],
        &["help", "pull"],
        &[],
        &["--nosuch", "remote", "list"],
        &["key", "list"],
    ] {
        assert_eq!(run(&world, "bin:real", args).unwrap().code, 7, "{args:?}");
    }
    for args in [
        &["remote", "list"][..],
        &["remote", "--version"],
        &["help", "remote"],
        &["-q", "remote"],
        &["keyserver", "list"],
        &["registry", "--version"],
        &["help", "registry", "login"],
    ] {
        assert_eq!(run(&world, "bin:real", args).unwrap().code, 0, "{args:?}");
    }
}

#[test]
fn it_never_hands_over_to_itself() {
    let world = World::new();
    place(&world, "real", ECHO, 0o755);
    world.install();
    fs::create_dir(world.path("link")).unwrap();
    symlink(world.exe(), world.path("link/apptainer")).unwrap();
    fs::create_dir(world.path("copy")).unwrap();
    crate::disk::run("cp", &[world.exe(), world.path("copy/apptainer")]);
    assert_eq!(run(&world, "bin:link:bin:real", &["exec"]).unwrap().code, 7);
    assert_eq!(run(&world, "bin:copy:real", &["exec"]).unwrap().code, 7, "through the copy to the real one");
    for path in ["bin", "bin:link:bin", "bin:copy", "copy:bin", "real:bin"] {
        run(&world, path, &["exec"])
            .unwrap()
            .exits(255)
            .says("FATAL:   unknown command \"exec\" (no other apptainer in PATH to pass it to)\n");
    }
}

#[test]
fn without_another_apptainer_it_answers_for_itself() {
    let world = World::new();
    let version = env!("CARGO_PKG_VERSION");
    let alone = |args: &[&str]| run(&world, "bin", args).unwrap();
    assert_eq!(alone(&["--version"]).exits(0).stdout, format!("apptainer version {version}\n"));
    assert_eq!(alone(&["version"]).exits(0).stdout, format!("{version}\n"));
    assert_eq!(alone(&["remote", "--version"]).exits(0).stdout, format!("apptainer-remote {version}\n"));
    alone(&[]).exits(0).prints("Usage: apptainer");
    alone(&["remote"]).exits(0).prints("Usage: apptainer remote");
    alone(&["help", "remote", "add"]).exits(0).prints("$ apptainer remote add");
    let rest = format!(
        "\n\napptainer-remote {version}. Other commands (run, exec, …) need a full Apptainer, and\nno other apptainer was found in PATH.\n"
    );
    for args in [&[][..], &["help"], &["--help"], &["help", "help"]] {
        let shown = alone(args).exits(0);
        assert!(shown.stdout.ends_with(&rest), "{args:?}: {}", shown.stdout);
    }
    assert!(!alone(&["remote", "--help"]).exits(0).stdout.contains("full Apptainer"));
    for (typed, near) in
        [("remot", "remote"), ("keysrver", "keyserver"), ("registri", "registry"), ("serch", "search")]
    {
        alone(&[typed, "list"]).exits(255).says(&format!("hint:    apptainer {near}\n"));
    }
    alone(&["exec"]).exits(255).says("hint:    to list the commands that work here: apptainer help\n");
}

/// Commands for library images with known options are handled here; all others are passed on.
#[test]
fn only_library_images_are_handled_here() {
    let world = World::new();
    place(&world, "real", ECHO, 0o755);
    let code = |args: &[&str]| run(&world, "bin:real", args).unwrap().code;
    for theirs in [
        &["pull", "docker://alpine"][..],
        &["pull", "x.sif", "oras://h/x"],
        &["pull", "--sandbox", "library://alpine"],
        &["pull", "alpine"],
        &["pull", "--help"],
        &["pull"],
        &["help", "push"],
        &["push", "x.sif", "oras://h/x"],
        &["push", "--docker-username", "x", "x.sif", "library://a/b/c"],
        &["delete", "oras://h/x"],
        &["delete", "--timeout", "3", "library://a/b/c"],
        &["search", "--limit", "3", "alpine"],
    ] {
        assert_eq!(code(theirs), 7, "{theirs:?}");
    }
    // DefaultRemote has no library, which this program reports itself.
    for ours in [
        &["pull", "library://alpine"][..],
        &["-q", "pull", "x.sif", "--arch", "arm64", "library://alpine", "-F"],
        &["delete", "--force", "a/b/c"],
        &["search", "alpine"],
    ] {
        run(&world, "bin:real", ours)
            .unwrap()
            .exits(255)
            .says("DefaultRemote (cloud.apptainer.org) has no library");
    }
    run(&world, "bin:real", &["search"]).unwrap().exits(1).says("Usage: apptainer search");
    run(&world, "bin:real", &["pull", "--arch", "library://alpine"]).unwrap().exits(1).says("<URI>");
    run(&world, "bin:real", &["search", "--help"]).unwrap().exits(0).prints("$ apptainer search");
    let alone = |args: &[&str]| run(&world, "bin", args).unwrap();
    alone(&["pull", "docker://alpine"]).exits(255).says(
        "cannot pull \"docker://alpine\": only library:// is supported, and no other apptainer is in PATH",
    );
    alone(&["pull", "--sandbox", "library://alpine"]).exits(1).says("'--sandbox'");
    alone(&["pull", "--help"]).exits(0).prints("$ apptainer pull library://alpine");
}

#[test]
fn completion_without_a_shell_is_handed_over() {
    let world = World::new();
    place(&world, "real", ECHO, 0o755);
    let shown = run(&world, "bin:real", &["completion"]).unwrap();
    assert!(shown.stdout.contains("completion") && shown.code != 1, "{shown:?}");
    run(&world, "bin", &["completion"]).unwrap().exits(1).says("Usage: apptainer completion");
}

#[test]
fn help_names_the_program_that_handles_other_commands() {
    let world = World::new();
    let real = place(&world, "real", ECHO, 0o755);
    let rest = format!("Other commands are passed to {}.", real.display());
    for args in [&["remote"][..], &["registry", "-h"], &["help", "keyserver"]] {
        assert!(
            run(&world, "bin:real", args).unwrap().exits(0).stdout.replace('\n', " ").contains(&rest),
            "{args:?}"
        );
    }
}

#[test]
fn odd_paths_and_arguments_are_passed_on() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    place(&world, "real", ECHO, 0o755);
    place(&world, "closed", ECHO, 0o755);
    fs::set_permissions(world.path("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let at = |path: String, args: &[&std::ffi::OsStr]| {
        let mut command = world.command(As::User)?;
        // The working directory contains a program of that name too, which must not run.
        Some(finish(command.args(args).env("PATH", path).current_dir(world.path("real"))))
    };
    let exec = std::ffi::OsStr::new("exec");
    for path in ["", ":", ".", "./", "real", "::.:"] {
        let Some(shown) = at(path.into(), &[exec]) else { return };
        shown.exits(255).says("no other apptainer in PATH");
    }
    let real = world.path("real").display().to_string();
    for before in
        [world.path("closed").display().to_string(), "/nowhere".into(), "/etc/passwd".into(), ":.".into()]
    {
        assert_eq!(at(format!("{before}:{real}:/usr/bin:/bin"), &[exec]).unwrap().code, 7, "{before}");
    }
    let bytes = std::ffi::OsStr::from_bytes(b"exec\xff\xfe");
    assert_eq!(at(format!("{real}:/usr/bin:/bin"), &[bytes, bytes]).unwrap().code, 7);
    at("".into(), &[bytes]).unwrap().exits(255).says("unknown command");
    fs::set_permissions(world.path("closed"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn handover_can_be_turned_off() {
    let world = World::new().with_env("APPTAINER_REMOTE_PASSTHROUGH", "0");
    place(&world, "real", ECHO, 0o755);
    run(&world, "bin:real", &["exec"]).unwrap().exits(255).says("unknown command");
}

#[test]
fn files_that_are_not_executable_or_not_safe_for_root_are_skipped() {
    let world = World::new();
    place(&world, "plain", ECHO, 0o644);
    place(&world, "real", ECHO, 0o755);
    assert_eq!(run(&world, "bin:plain:missing:real", &["exec"]).unwrap().code, 7);
    place(&world, "loose", ECHO, 0o777);
    let Some(mut root) = world.command(As::Root) else { return };
    let path = format!("{}:{}", world.path("bin").display(), world.path("loose").display());
    finish(root.arg("exec").env("PATH", &path)).exits(255).says("no other apptainer in PATH");
    assert_eq!(run(&world, "bin:loose", &["exec"]).unwrap().code, 7, "a user may run it");
}

#[test]
fn a_link_named_singularity_is_apptainer_and_a_file_of_that_name_is_singularity() {
    let world = World::new();
    world.install();
    symlink("apptainer", world.path("bin/singularity")).unwrap();
    let run = |program: &str| {
        finish(
            Command::new(world.path(program))
                .args(["remote", "list"])
                .env_clear()
                .env("HOME", world.home())
                .stdin(Stdio::null()),
        )
    };
    run("bin/singularity").exits(0).prints("cloud.apptainer.org");
    fs::create_dir(world.path("sbin")).unwrap();
    fs::hard_link(world.exe(), world.path("sbin/singularity")).unwrap();
    run("sbin/singularity").exits(0).prints("SylabsCloud  cloud.sylabs.io");
}
