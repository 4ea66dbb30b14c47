//! docs/cli.md is the clap tree in words: `UPDATE=1` writes it, every other run compares.

use apptainer_remote::cli;
use apptainer_remote::persona::Persona;
use std::fmt::Write;

const HEAD: &str = "# Commands

Made from the program's own help; `UPDATE=1 cargo test --test cli reference` writes it anew. In persona
singularity the program's name is `singularity` everywhere.

Exit status: 0 done; 1 the command line is wrong, nothing was done; 255 failed; 141 the reader of standard
output went away.
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
    let mut tree = cli::tree(Persona::Apptainer).term_width(100);
    tree.build();
    let mut text = HEAD.to_string();
    describe(&mut tree, &mut text);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        text,
        "docs/cli.md is not what the program says"
    );
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
