//! docs/cli.md is the clap tree in words: `UPDATE=1` writes it, every other run compares.

use apptainer_remote::cli;
use apptainer_remote::environment::{VARIABLES, Variable};
use apptainer_remote::persona::Persona;
use std::fmt::Write;

const HEAD: &str = "# Commands

Generated from the program's own help by `UPDATE=1 cargo test --test cli reference`. In persona singularity the
program's name is `singularity` everywhere.

Exit status: 0 done; 1 wrong command line, nothing was done; 255 failed; 141 standard output was closed.
";

fn describe(command: &mut clap::Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_string();
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    write!(text, "\n## `{name}`\n\n```\n{}\n```\n", help.join("\n")).unwrap();
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        describe(sub, text);
    }
}

#[test]
fn reference() {
    let mut tree = cli::tree(Persona::Apptainer).term_width(80);
    tree.build();
    let mut text = HEAD.to_string();
    describe(&mut tree, &mut text);
    same_as("docs/cli.md", &text);
}

/// Compares a file with what it has to be, or writes it.
fn same_as(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, text, "{file} is out of date");
}

const VARIABLES_HEAD: &str = "# Environment variables

Generated from the program's own table by `UPDATE=1 cargo test --test cli reference`. A variable stands for the option in
its row; if both are given, the option wins. Switches take `1`, `true`, `0` or `false` (also `t`, `T`,
`True` … as in Go); any other value is an error. An empty variable counts as unset.

Those with a prefix are read as `APPTAINER_NAME`, then as `SINGULARITY_NAME`; in persona singularity only as
`SINGULARITY_NAME`.
";

/// The options that a variable stands for, each with the commands that have it: `--force` (`delete`, `pull`).
fn options_of(variable: &Variable, tree: &clap::Command) -> String {
    let mut options: Vec<(String, Vec<&str>)> = Vec::new();
    for (of, id) in variable.options.iter().filter_map(|option| option.rsplit_once(' ')) {
        let words = of.split(' ').filter(|word| *word != "*");
        let command = words.fold(tree, |command, word| command.find_subcommand(word).expect("a command"));
        let arg =
            command.get_arguments().find(|arg| arg.get_id() == id).unwrap_or_else(|| panic!("{of} {id}"));
        let long = format!("`--{}`", arg.get_long().expect("an option with a long name"));
        match options.iter_mut().find(|(name, _)| *name == long) {
            Some((_, commands)) => commands.push(of),
            None => options.push((long, vec![of])),
        }
    }
    let shown = |(name, commands): &(String, Vec<&str>)| match commands.as_slice() {
        ["*"] => name.clone(),
        commands => format!("{name} (`{}`)", commands.join("`, `")),
    };
    options.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[test]
fn environment() {
    let tree = cli::tree(Persona::Apptainer);
    let mut text = VARIABLES_HEAD.to_string();
    for (title, prefixed) in [("With a prefix", true), ("Without a prefix", false)] {
        write!(text, "\n## {title}\n\n| variable | what it does | option |\n|---|---|---|\n").unwrap();
        for variable in VARIABLES.iter().filter(|variable| variable.prefixed == prefixed) {
            let option = options_of(variable, &tree);
            writeln!(text, "| `{}` | {} | {option} |", variable.name, variable.what).unwrap();
        }
    }
    same_as("docs/environment.md", &text);
}

#[test]
fn every_command_has_examples() {
    let mut tree = cli::tree(Persona::Apptainer).term_width(100);
    tree.build();
    for group in tree.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        // What has two names shows the shorter one.
        let own = |name: &str| !(name.ends_with("-keyserver") || name == "help");
        for command in group.get_subcommands_mut().filter(|sub| own(sub.get_name())) {
            let help = command.render_long_help().to_string();
            let bin = command.get_bin_name().unwrap_or_default();
            assert!(
                ["$ ", "$ sudo ", "| "].iter().any(|before| help.contains(&format!("{before}{bin}"))),
                "{bin}: {help}"
            );
            assert!(!help.contains("{prog}"), "{bin}");
        }
    }
}
