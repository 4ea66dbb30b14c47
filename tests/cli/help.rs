//! Help: as wide as the terminal, narrow enough for a pipe, and with everything that a command takes.

use crate::world::{As, Shown, World, words};
use apptainer_remote::cli;
use apptainer_remote::persona::Persona;

fn run(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(line)).exits(0)
}

/// Every command, as the words that name it.
fn commands() -> Vec<String> {
    let tree = cli::tree(Persona::Apptainer);
    let mut all = vec![String::new()];
    for command in tree.get_subcommands().filter(|sub| sub.get_name() != "help") {
        all.push(command.get_name().into());
        let below = command.get_subcommands().filter(|sub| sub.get_name() != "help");
        all.extend(below.map(|sub| format!("{} {}", command.get_name(), sub.get_name())));
    }
    all
}

#[test]
fn no_line_is_wider_than_80_columns_in_a_pipe() {
    let (world, mut wide) = (World::new(), Vec::new());
    for command in commands() {
        for flag in ["--help", "-h"] {
            let shown = run(&world, &format!("{command} {flag}"));
            let lines = shown.stdout.lines().filter(|line| line.chars().count() > 80);
            wide.extend(lines.map(|line| format!("{command} {flag}: {line}")));
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn the_width_is_that_of_standard_output_then_of_standard_error_then_columns() {
    let longest = |world: &World| {
        let help = run(world, "remote use --help --nocolor").stdout;
        help.lines().map(|line| line.chars().count()).max().unwrap()
    };
    let screen = |width: usize| {
        let world = World::new().on_terminal();
        world.width.set(width);
        world
    };
    assert!((81..=100).contains(&longest(&screen(200))), "long lines are hard to read");
    let narrow = longest(&screen(60));
    assert!((45..=60).contains(&narrow), "{narrow}");
    let mut piped = World::new();
    piped.terminals.stderr = true;
    piped.width.set(50);
    assert!(longest(&piped) <= 50);
    assert!(longest(&World::new().with_env("COLUMNS", "55")) <= 55);
    assert!(longest(&World::new().with_env("COLUMNS", "300")) <= 80);
    assert!(longest(&World::new().with_env("COLUMNS", "wide")) <= 80);
}

#[test]
fn it_is_coloured_on_a_terminal_and_where_somebody_asks_for_it() {
    let coloured = |world: &World, line: &str| run(world, line).stdout.contains("\u{1b}[1m\u{1b}[32mUsage:");
    let terminal = World::new().on_terminal();
    assert!(coloured(&terminal, "remote --help"));
    assert!(!coloured(&terminal, "remote --help --color never"));
    assert!(!coloured(&terminal, "--nocolor remote --help"));
    assert!(!coloured(&terminal, "remote --nocolor=true --help"));
    assert!(coloured(&terminal, "remote --nocolor=false --help"));
    let pipe = World::new();
    assert!(!coloured(&pipe, "remote --help"));
    assert!(coloured(&pipe, "--color always remote --help"));
    assert!(coloured(&pipe.with_env("NO_COLOR", "1"), "--color=always remote -h"));
}

#[test]
fn color_beats_the_environment_and_the_last_one_counts() {
    let world = World::new().with_env("NO_COLOR", "1");
    let shown = world.run(As::User, &words("--color never remote use nosuch --color always")).exits(255);
    assert!(shown.stderr.starts_with("\u{1b}[31mFATAL:"), "{shown:?}");
    world.remote("list --color sometimes").exits(1).says("[possible values: auto, always, never]");
    for (line, coloured) in [
        ("--color auto remote use nosuch", false),
        ("remote use nosuch --color always --nocolor", false),
        ("remote use nosuch --nocolor --color always", true),
        ("--color always remote use nosuch --nocolor", false),
        ("--nocolor remote use nosuch --color always", true),
    ] {
        let mut world = World::new().with_env("NO_COLOR", "1");
        world.terminals.stderr = true;
        let shown = world.run(As::User, &words(line)).exits(255);
        assert_eq!(shown.stderr.starts_with('\u{1b}'), coloured, "{line}");
    }
    let plain = world.run(As::User, &words("remote list --color always")).exits(0);
    assert!(!plain.stdout.contains('\u{1b}'), "tables in a pipe stay as they are: {plain:?}");
}

#[test]
fn global_options_are_in_every_help_and_accepted_after_the_command() {
    let world = World::new();
    for command in commands() {
        let help = run(&world, &format!("{command} --help")).stdout;
        let (_, global) =
            help.split_once("\nGlobal options:\n").unwrap_or_else(|| panic!("{command}: {help}"));
        for option in
            ["-d, --debug", "-v, --verbose", "-q, --quiet", "-s, --silent", "--color <WHEN>", "--nocolor"]
        {
            assert!(global.contains(option), "{command}: {option}");
        }
    }
    world.remote("list --quiet --debug=false").exits(0);
}

#[test]
fn an_option_names_its_variable() {
    let help = run(&World::new(), "pull --help").stdout;
    for (option, variable) in [("--force", "FORCE"), ("--dir", "PULLDIR"), ("--arch <ARCH>", "PULL_ARCH")] {
        let text = help.split_once(option).unwrap().1.split_once("\n\n").unwrap().0;
        let named = format!("[env: APPTAINER_{variable}]");
        assert!(text.contains(&named), "{option}: {text}");
    }
    let help = run(&World::new(), "remote add --help").stdout;
    assert!(help.contains("[env: APPTAINER_ADD_INSECURE]"), "{help}");
}

#[test]
fn ls_and_rm_are_list_and_remove() {
    let world = World::new();
    world.write_user("Remotes:\n  lab: {URI: lab.example}\n");
    assert_eq!(world.remote("ls").exits(0).stdout, world.remote("list").exits(0).stdout);
    world.remote("rm lab").exits(0).says("Remote \"lab\" removed.");
    run(&world, "keyserver ls");
    run(&world, "registry ls");
    world.remote("rm").exits(1).says("Usage: apptainer remote remove");
}
