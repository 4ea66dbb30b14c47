//! Messages about layers that do not fit together. `…` stands for any text.

use super::layers::{Layer, exclusive, seen};
use apptainer_remote::persona::Persona;

/// The lines that `list` prints about these layers, each once, in any order.
pub fn notes(global: &Layer, user: &Layer, persona: Persona) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, own) in &user.remotes {
        let line = match global.remotes.get(name) {
            None if own.system => format!("INFO:    \"{name}\" is a leftover copy…"),
            None => continue,
            Some(shared) if own.system => {
                if own.token.is_none() || own.same_server(shared) {
                    continue;
                }
                let program = program(persona);
                format!(
                    "WARNING: the stored token for \"{name}\" was issued for …. \
                     Log in again: {program} remote login {name}"
                )
            }
            Some(shared) if shared.exclusive => format!("WARNING: your remote \"{name}\" is ignored…"),
            Some(_) => {
                let level = if persona == Persona::Singularity { "WARNING:" } else { "INFO:   " };
                format!("{level} \"{name}\" is defined globally and in your file…")
            }
        };
        lines.push(line);
    }
    let there = |name: &String| name.is_empty() || seen(global, user, name).is_some();
    for (whose, active) in [("", &user.active), ("global ", &global.active)] {
        if !there(active) {
            lines.push(format!("WARNING: the {whose}default remote \"{active}\" does not exist…"));
        }
    }
    let names =
        global.remotes.keys().chain(user.remotes.keys().filter(|name| !global.remotes.contains_key(*name)));
    for name in names {
        if seen(global, user, name).is_some_and(|seen| seen.entry.uri.is_empty()) {
            lines.push(format!("WARNING: \"{name}\" has no URI…"));
        }
    }
    lines
}

/// The warning of `add` if another remote, or a global one of this name, is exclusive.
pub fn unusable(layer: &Layer, name: &str) -> Vec<String> {
    let line = |only| format!("WARNING: {name} cannot be used: remote {only} has been set exclusive…");
    exclusive(layer).map(line).into_iter().collect()
}

/// The warnings of `use --global` about the remotes that are no longer exclusive.
pub fn released(before: &Layer, after: &Layer) -> Vec<String> {
    let was = before.remotes.iter().filter(|(_, entry)| entry.exclusive);
    let gone = was.filter(|(name, _)| after.remotes.get(*name).is_some_and(|entry| !entry.exclusive));
    gone.map(|(name, _)| format!("WARNING: remote {name} is no longer exclusive")).collect()
}

/// The lines of standard error that the model predicts: all of `list`, and those about exclusive remotes.
pub fn known(stderr: &str, all: bool) -> Vec<&str> {
    let words = ["cannot be used: remote", "is no longer exclusive"];
    stderr.lines().filter(|line| all || words.iter().any(|words| line.contains(words))).collect()
}

/// Whether the lines are exactly the expected ones, each once.
pub fn agree(lines: &[&str], expected: &[String]) -> bool {
    let is = |line: &str, expected: &str| match expected.split_once('…') {
        Some((start, end)) => line.starts_with(start) && line[start.len()..].ends_with(end),
        None => line == expected,
    };
    lines.len() == expected.len()
        && expected.iter().all(|expected| lines.iter().filter(|line| is(line, expected)).count() == 1)
}

fn program(persona: Persona) -> &'static str {
    match persona {
        Persona::Apptainer => "apptainer",
        Persona::Singularity => "singularity",
    }
}
