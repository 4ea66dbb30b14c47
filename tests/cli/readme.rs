//! README's quick start: every block is played at a terminal, and every line of it is what the program prints.

use crate::peers::library::{Library, NewImage};
use crate::peers::sif::Sif;
use crate::real::registry::Registry;
use crate::world::{As, World, apptainer_alone, words};

const README: &str = include_str!("../../README.md");
const TOKEN: &str = "canary-0123456789-abcdefghijklmnopqrstuvwxy";
const PASSWORD: &str = "canary pw";
const KEY: &str = "8883491F4268F173C6E5DC49EDECE4F3F38D871E";

/// Commands, each with the lines that it prints.
fn sessions() -> Vec<(&'static str, Vec<&'static str>)> {
    let blocks = README.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands = blocks.flat_map(|block| block.split("$ ").skip(1));
    let session = |text: &'static str| {
        let (command, output) = text.split_once('\n').unwrap();
        // A bar is drawn on a real terminal alone.
        let shown = output.lines().filter(|line| !line.trim().is_empty() && !line.contains("[==="));
        (command, shown.collect())
    };
    commands.map(session).collect()
}

/// Lines without their number of blanks: the columns of a table follow the lengths of addresses.
fn lines(text: &str) -> Vec<String> {
    let collapsed = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut lines: Vec<String> = collapsed.filter(|line| !line.is_empty()).collect();
    lines.sort();
    lines
}

#[test]
fn every_block_of_the_quick_start_shows_what_the_program_prints() {
    if apptainer_alone("README is written in the words of Apptainer") {
        return;
    }
    let Some(registry) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (mut world, library) = (World::new().on_terminal().with_env("NO_COLOR", "1"), Library::http());
    world.terminals.stderr = true;
    world.width.set(200);
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").signed(KEY).bytes()).signed(KEY));
    let sessions = sessions();
    assert!(sessions.len() >= 7, "the blocks were found");
    for (typed, expected) in sessions {
        let line = typed
            .replace("add mycloud cloud.example.com", &format!("add -i mycloud {}", library.url()))
            .replace("pull ", &format!("pull --dir {} ", world.home().display()))
            .replace("ghcr.io", &registry.host());
        if typed.contains("remote add") {
            world.answer(TOKEN);
        } else if typed.contains("registry login") {
            world.answer(PASSWORD);
        }
        let shown = world.run(As::User, &words(line.strip_prefix("apptainer ").unwrap())).exits(0);
        if expected.is_empty() {
            continue;
        }
        let said = format!("{}\n{}", shown.stderr, shown.stdout)
            .replace("-library ", " ")
            .replace("-token ", " ")
            .replace("-keys ", " ")
            .replace(&library.url(), "https://cloud.example.com")
            .replace(&registry.host(), "ghcr.io")
            .replace(&format!("{}/blast", world.home().display()), "blast")
            .replace(&world.home().display().to_string(), "/home/ada");
        assert_eq!(lines(&said), lines(&expected.join("\n")), "{typed}: {shown:#?}");
    }
}
