//! Suggestions for a word that is not a command in this position.

use super::tree::tree;
use crate::hint::{CommandLine, Hint};
use crate::persona::Persona;
use clap::Command;
use clap::error::{ContextKind, ContextValue};

/// All commands called `word`, with their groups: `remote pull` suggests `pull`, and `login` is in three groups.
pub(super) fn elsewhere(word: &str, tree: &Command) -> Vec<Hint> {
    let program = tree.get_name();
    let is_it = |command: &&Command| {
        command.get_name() != "help"
            && (command.get_name() == word || command.get_all_aliases().any(|own| own == word))
    };
    let commands = tree.get_subcommands().filter(|command| !command.has_subcommands() && is_it(command));
    let groups =
        ["remote", "registry", "keyserver"].into_iter().filter_map(|group| tree.find_subcommand(group));
    let inside = groups.flat_map(|group| {
        let found = group.get_subcommands().filter(is_it);
        found.map(|command| format!("{program} {} {}", group.get_name(), command.get_name()))
    });
    commands
        .map(|command| format!("{program} {}", command.get_name()))
        .chain(inside)
        .map(|line| CommandLine::new(&line).into())
        .collect()
}

/// The group whose name is most similar to the word.
pub(super) fn nearest(word: &str, persona: Persona) -> Option<String> {
    let error = tree(persona).try_get_matches_from([persona.name(), word]).err()?;
    match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::Strings(names) => names.last().cloned(),
        ContextValue::String(name) => Some(name.clone()),
        _ => None,
    }
}
