//! What clap says to a person: help, and what is wrong with a command line.

use super::elsewhere::elsewhere;
use super::handover::who_serves_what;
use super::tree::{GROUPS, OPTIONAL_VALUE, path, tree};
use crate::context::{Colours, Context};
use crate::error::{Failure, Result};
use crate::message::escape;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// What is wrong with a command line, in clap's layout: the message, the usage of the command (named by its words,
/// `remote`, `login`) where the message has none, and where to read more.
pub(crate) fn usage_text(command: &[String], message: &str, ctx: &Context) -> String {
    let usage = if message.lines().any(|line| line.starts_with("Usage:")) {
        String::new()
    } else {
        let words: Vec<OsString> = command.iter().map(OsString::from).collect();
        format!("\n\n{}", named(&mut built(ctx), &words).render_usage().to_string().trim_end())
    };
    format!("error: {message}{usage}\n\nFor more information, try '--help'.\n")
}

/// Help goes to standard output; a wrong command line is a [`Failure`] of kind `Usage` with clap's words.
/// `args` are the words that clap read, without the program.
pub(super) fn of_clap(error: clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    if error.kind() == ErrorKind::DisplayHelp {
        return print_help(&error, args, ctx);
    }
    let mut text = error.render().to_string().replace(OPTIONAL_VALUE, "");
    // clap repeats what was typed: line breaks and secrets of it are not to be shown.
    for word in args.iter().map(|word| word.to_string_lossy()) {
        for part in [Some(&*word), word.split_once('=').map(|(_, value)| value)].into_iter().flatten() {
            if may_be_secret(part, args) {
                text = text.replace(&format!("'{part}'"), "'…'");
            } else if part.contains('\n') && !part.trim().is_empty() {
                text = text.replace(part, &escape(part));
            }
        }
    }
    if error.kind() == ErrorKind::UnknownArgument {
        text = text.replacen("unexpected argument '-", "unknown option '-", 1);
        if text.contains("unknown option") {
            text = text.replacen("' found", "'", 1);
        }
    }
    // The tree that reads has no help option, so clap points to the command `help` instead, and only for groups.
    let text = text.trim_end().trim_end_matches("For more information, try 'help'.").trim_end();
    let text: Vec<_> = text.split('\n').map(escape).collect();
    let text = text.join("\n");
    let mut tree = built(ctx);
    let hints = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) => elsewhere(word, &tree),
        _ => Vec::new(),
    };
    let command: Vec<_> = path(named(&mut tree, args)).collect();
    let failure = Failure::usage(&command, text.strip_prefix("error: ").unwrap_or(&text).to_string());
    Err(hints.into_iter().fold(failure, Failure::hint))
}

/// The help that `--help`, `-h` or `help` asked for.
fn print_help(error: &clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    // clap stops reading at the option that asks for help.
    if let Some(colours) = colours(args) {
        ctx.colours = colours;
    }
    let mut tree = built(ctx);
    let words: Vec<OsString> = match error.get(ContextKind::Custom) {
        Some(ContextValue::Strings(words)) => words.iter().map(OsString::from).collect(),
        _ => args.to_vec(),
    };
    let command = named(&mut tree, &words);
    let short =
        matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name == "-h");
    show_help(command, short, ctx)
}

/// The short help of a group, or of the whole program where none is named.
pub(super) fn print_short_help(group: Option<&str>, ctx: &mut Context) -> Result<()> {
    let words: Vec<OsString> = group.into_iter().map(OsString::from).collect();
    show_help(named(&mut built(ctx), &words), true, ctx)
}

/// Prints the help of a command. That of a group, and of the whole program, ends with who serves the other commands.
fn show_help(command: &mut Command, short: bool, ctx: &mut Context) -> Result<()> {
    if path(command).count() < 2 {
        let others = who_serves_what(ctx);
        let before = [command.get_after_long_help().filter(|_| !short), command.get_after_help()];
        let text = before.into_iter().flatten().next().map_or_else(String::new, |text| format!("{text}\n\n"));
        let footer = format!("{text}{others}");
        *command = std::mem::take(command).after_help(footer.clone()).after_long_help(footer);
    }
    let help = if short { command.render_help() } else { command.render_long_help() };
    let coloured = ctx.colours.are_on(|| ctx.terminals.stdout());
    ctx.print(&if coloured { help.ansi().to_string() } else { help.to_string() })
}

/// What the last option for colours says.
fn colours(args: &[OsString]) -> Option<Colours> {
    let next = args.iter().skip(1).map(Some).chain([None]);
    let said = args.iter().zip(next).filter_map(|(word, next)| {
        let value = match word.to_str()? {
            "--nocolor" => "never",
            "--color" => next?.to_str()?,
            word => word.strip_prefix("--color=")?,
        };
        match value {
            "always" => Some(Colours::Always),
            "never" => Some(Colours::Never),
            "auto" => Some(Colours::Auto),
            _ => None,
        }
    });
    said.last()
}

fn built(ctx: &Context) -> Command {
    let mut tree = tree(ctx.persona).term_width(ctx.help_width());
    tree.build();
    tree
}

/// The command that the words name, as far as they do.
fn named<'a>(mut command: &'a mut Command, words: &[OsString]) -> &'a mut Command {
    for word in words.iter().filter(|word| *word != "help") {
        if command.find_subcommand(word).is_some() {
            command = command.find_subcommand_mut(word).expect("it was just there");
        }
    }
    command
}

/// An address may hold a password; and whatever stands behind `login` and is no option may be a token.
fn may_be_secret(word: &str, args: &[OsString]) -> bool {
    let login = args.iter().any(|arg| arg == "login");
    word.contains('@') || login && !word.starts_with('-') && word != "login" && !GROUPS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persona::Persona;

    #[test]
    fn only_the_words_that_name_a_command_are_kept() {
        let mut tree = tree(Persona::Apptainer);
        tree.build();
        for (typed, kept) in [
            ("remote login --password hunter2 --bogus", "remote login"),
            ("help keyserver add x", "keyserver add"),
            ("remote hunter2", "remote"),
            ("pull a b c", "pull"),
            ("hunter2", ""),
        ] {
            let words: Vec<OsString> = typed.split(' ').map(OsString::from).collect();
            let command: Vec<_> = path(named(&mut tree, &words)).collect();
            assert_eq!(command.join(" "), kept, "{typed}");
        }
    }
}
