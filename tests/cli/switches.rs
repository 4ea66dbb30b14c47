//! Switches and global options, parsed as Go's flag parser does: the last one wins, an option overrides its
//! variable, and a variable must be true or false.

use crate::peers::library::{Library, NewImage};
use crate::peers::sif::Sif;
use crate::world::{As, Shown, World, words};

const TOKEN: &str = "canary-t0ken";

fn run(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(line))
}

#[test]
fn the_last_switch_wins() {
    let world = World::new();
    world.remote("add --no-login --global --global=false a a.example.com").exits(0);
    world.remote("add --no-login -n -n=false b b.example.com").exits(0);
    assert!(world.user().starts_with("Active: b\n"), "{}", world.user());
    world.remote("add --no-login -n=false -n c c.example.com").exits(0);
    assert!(world.user().starts_with("Active: b\n"), "{}", world.user());
    world.remote("use -e -e=false -g=1 --global=F a").exits(0);
    assert!(world.user().starts_with("Active: a\n"), "{}", world.user());
    world.remote("use -g=false -g a").exits(255).says("root");
    world.remote("add --no-login -i -i=0 d http://d.example.com").exits(255).says("http URI requires");
    world.remote("add --no-login -i=0 -ni d http://d.example.com").exits(0);
    world.remote("list -j -j=false").exits(0).prints("\nNAME ");
    world.remote("list --json=false --json=t").exits(0).prints("{\"version\"");
    world.remote("use --global=nonsense a").exits(1).says("invalid value 'nonsense' for '--global'");
    world.remote("use --global= a").exits(1).says("--global");
}

/// Two options exclude each other only if both are on.
#[test]
fn a_switch_set_to_false_excludes_nothing() {
    let world = World::new();
    world.remote("list --all --json").exits(1).says("'--all' cannot be used with '--json'");
    world.remote("list --all --json=false").exits(0).prints("Active cloud services keyserver");
    world.remote("add --no-login --if-absent --replace=false a a.example.com").exits(0);
    world.remote("add --no-login --if-absent --replace a a.example.com").exits(1).says("'--replace'");
    world.remote("logout --all=false a").exits(0);
    world.remote("logout --all a").exits(1).says("cannot be used with '--all'");
    let file = world.path("token");
    std::fs::write(&file, "a b").unwrap();
    let file = file.display();
    let why = "while reading token file";
    world.remote(&format!("add --global=false --tokenfile {file} b b.example.com")).exits(255);
    world.remote(&format!("add --global --tokenfile {file} b b.example.com")).exits(1).says("'--tokenfile");
    for (line, code, says) in [
        ("login --password-stdin=false --tokenfile /nowhere docker://h", 255, "a username is required"),
        ("login -u a --password-stdin=false --tokenfile /nowhere docker://h", 255, why),
        ("login -u a --password-stdin --tokenfile /nowhere docker://h", 1, "cannot be used with"),
        ("login -u a -p x -p y docker://h", 1, "cannot be used multiple times"),
    ] {
        world.remote(line).exits(code).says(says);
    }
}

#[test]
fn global_options_come_before_or_after_the_command() {
    let world = World::new();
    for line in [
        "-v remote list",
        "remote -v list",
        "remote list -v",
        "remote list --verbose=true -q=false",
        "-q -q=false --verbose remote list",
        "-v=false remote list -v",
        "-dq remote list",
        "-dqs=0 remote list",
        "-qd=1 remote list -jv",
        "-dc /nowhere --build-config=false remote list",
        "-vc/nowhere remote list",
        "-s --silent=F remote list -d",
    ] {
        run(&world, line).exits(0).says("VERBOSE: ");
    }
    for line in ["-v remote list -v=false", "-d -d=false remote list", "remote list --debug=true --debug=0"] {
        assert_eq!(run(&world, line).exits(0).stderr, "", "{line}");
    }
    let quiet = run(&world, "remote add --no-login a a.example.com -q").exits(0);
    assert_eq!(quiet.stderr, "");
    run(&world, "--debug=bad remote list").exits(1).says("invalid value 'bad' for '--debug'");
    run(&world, "remote list --version").exits(1);
}

#[test]
fn help_is_a_switch_too() {
    let world = World::new();
    let long = run(&world, "remote list --help").exits(0);
    for line in [
        "--debug=true remote list --help",
        "-q remote list --help=true",
        "remote list --help=false --help",
        "remote list nonsense --help",
        "help remote list",
        "-q=true help remote list",
        "remote help list",
    ] {
        let shown = run(&world, line);
        if line.contains("nonsense") {
            shown.exits(1).says("'nonsense'");
        } else {
            assert_eq!(shown.exits(0).stdout, long.stdout, "{line}");
        }
    }
    let short = run(&world, "remote list -h").exits(0).stdout;
    assert!(short.len() < long.stdout.len());
    assert_eq!(run(&world, "-q=true remote -v list -jh=1").exits(0).stdout, short);
    for line in ["remote list -h=false", "-h=false remote list --help=0", "remote -h=0 list --help=F"] {
        run(&world, line).exits(0).prints("\nNAME ");
    }
    run(&world, "-h=false").exits(0).prints("Usage: apptainer [OPTIONS] <COMMAND>");
    run(&world, "--help=x remote list").exits(1).says("--help");
    for line in
        ["remote add --help=false", "remote add", "remote add -g=x", "remote add a b --if-absent --replace"]
    {
        let shown = run(&world, line).exits(1).says("\n\nUsage: apptainer remote add ");
        assert!(shown.stderr.ends_with("\n\nFor more information, try '--help'.\n"), "{shown:?}");
    }
    for line in ["remote nosuch", "remote --nosuch", "keyserver nosuch"] {
        let stderr = run(&world, line).exits(1).stderr;
        assert_eq!(stderr.matches("For more information").count(), 1, "{stderr}");
    }
    let errors = run(&world, "remote add -g --nosuch").exits(1).stderr;
    assert!(!errors.contains("BOOL"), "{errors}");
}

#[test]
fn an_option_overrides_its_variable() {
    let library = Library::http();
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").bytes()));
    let world = crate::pull::world(&library).with_env("APPTAINER_FORCE", "1");
    world.remote("login --tokenfile /dev/null").exits(255);
    let file = world.path("blast.sif");
    std::fs::write(&file, "mine").unwrap();
    let pull = |force: &str| {
        run(&world, &format!("pull {force} --arch amd64 {} library://lab/tools/blast:v1", file.display()))
    };
    pull("--force=false").exits(255).says("will not overwrite");
    pull("-F -F=false").exits(255).says("will not overwrite");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    run(&world, "delete --force=false --arch amd64 library://lab/tools/blast:v1")
        .exits(255)
        .says("not a terminal");
    pull("").exits(0);
    assert_ne!(std::fs::read(&file).unwrap(), b"mine");
    let world = World::new().with_env("APPTAINER_ADD_INSECURE", "1").with_env("APPTAINER_DEBUG", "true");
    world.remote("add --no-login --insecure=false a http://a.example.com").exits(255).says("requires");
    assert_eq!(world.remote("list -d=false").exits(0).stderr, "");
    world.remote("add --no-login a http://a.example.com").exits(0);
}

#[test]
fn a_variable_must_be_true_or_false() {
    for (name, line) in [
        ("ADD_INSECURE", "remote add --no-login a a.example.com"),
        ("LOGIN_INSECURE", "registry login -u ada docker://127.0.0.1:1"),
        ("FORCE", "delete library://a/b/c"),
        ("NO_HTTPS", "delete --force library://a/b/c"),
        ("FORCE", "pull library://a"),
        ("NOHTTPS", "pull library://a"),
        ("DISABLE_CACHE", "pull library://a"),
        ("ALLOW_UNSIGNED", "pull library://a"),
        ("ALLOW_UNAUTHENTICATED", "pull library://a"),
        ("SEARCH_SIGNED", "search alpine"),
        ("DEBUG", "remote list"),
        ("VERBOSE", "search alpine"),
        ("QUIET", "keyserver list"),
        ("SILENT", "registry list"),
        ("NOCOLOR", "completion bash"),
    ] {
        for value in ["yes", "no", "bad", "2", "tRUE", " 1"] {
            let name = format!("APPTAINER_{name}");
            let world = World::new().with_env(&name, value);
            let shown = run(&world, line).exits(255).says(&format!("{name}={value}: must be true or false"));
            assert_eq!((shown.stdout.as_str(), world.user().as_str()), ("", ""), "{name} {line}");
        }
    }
    let world = World::new().with_env("SINGULARITY_DEBUG", "bad").with_env("APPTAINER_QUIET", "");
    if !crate::world::in_singularity() {
        run(&world, "remote list").exits(255).says("SINGULARITY_DEBUG=bad");
    }
    run(&world, "-d=false remote list").exits(0);
    run(&world, "remote list --help").exits(0);
}

#[test]
fn empty_values_count_as_absent() {
    let world = World::new();
    let run = |args: &[&str]| world.run(As::User, args);
    let list = run(&["remote", "list"]).exits(0).stdout;
    for args in [
        &["remote", "list", ""][..],
        &["remote", "", "list"],
        &["", "remote", "list"],
        &["", "-q=false", "", "remote", "list"],
        &["remote", "-c", "", "list"],
        &["remote", "list", "--config="],
        &["-c", "", "remote", "list"],
    ] {
        assert_eq!(run(args).exits(0).stdout, list, "{args:?}");
    }
    run(&["remote", "use", ""]).exits(1).says("<NAME>");
    run(&["remote", "add", "", "h.example.com"]).exits(1).says("<URI>");
    run(&["remote", "add", "--tokenfile=", "--no-login", "a", "h.example.com"]).exits(0);
    run(&["remote", "add", "--tokenfile", "", "--no-login", "b", "h.example.com"]).exits(0);
    run(&["remote", "login", "--authfile=", "-u", "", ""]).exits(255).says("while retrieving services");
    run(&["pull", ""]).exits(1).says("<URI>");
    let world = World::new();
    let pull = world.run(As::User, &["pull", "--arch=", "--dir", "", "library://a"]);
    pull.exits(255).says("DefaultRemote (cloud.apptainer.org) has no library");
}
