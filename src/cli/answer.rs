//! Help texts and usage errors, as produced by clap.

use super::elsewhere::elsewhere;
use super::handover::who_serves_what;
use super::tree::{GROUPS, OPTIONAL_VALUE, path, tree};
use crate::context::{Colours, Context};
use crate::environment::truth;
use crate::error::{Failure, Result};
use crate::message::escape;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::borrow::Cow;
use std::ffi::OsString;

/// A usage error in clap's layout: the message, the usage of the command (given by its words, e.g. `remote`,
/// `login`) unless the message already contains it, and a pointer to `--help`.
pub(crate) fn usage_text(command: &[String], message: &str, ctx: &Context) -> String {
    let usage = if message.lines().any(|line| line.starts_with("Usage:")) {
        String::new()
    } else {
        let words: Vec<OsString> = command.iter().map(OsString::from).collect();
        format!("\n\n{}", named(&mut built(ctx), &words).render_usage().to_string().trim_end())
    };
    format!("error: {message}{usage}\n\nFor more information, try '--help'.\n")
}

/// Prints help to standard output, or turns a usage error into a [`Failure`] of kind `Usage` with clap's message.
/// `args` are the words that clap parsed, without the program name.
pub(super) fn of_clap(error: clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    if error.kind() == ErrorKind::DisplayHelp {
        return print_help(&error, args, ctx);
    }
    let mut text = error.render().to_string().replace(OPTIONAL_VALUE, "");
    // clap repeats the typed words. Line breaks are escaped, and words that may be secrets are hidden.
    let (mut before, mut is_argument) = (Cow::Borrowed(""), false);
    for word in args.iter().map(|word| word.to_string_lossy()) {
        let is_value = is_argument || matches!(&*before, "-p" | "--password" | "--tokenfile");
        for part in [Some(&*word), word.split_once('=').map(|(_, value)| value)].into_iter().flatten() {
            if is_value && part.len() >= SHORTEST_SECRET && is_login(args) {
                text = text.replace(part, "…");
            } else if may_be_secret(part, args) {
                text = text.replace(&format!("'{part}'"), "'…'");
            } else if part.contains('\n') && !part.trim().is_empty() {
                text = text.replace(part, &escape(part));
            }
        }
        is_argument |= word == "--";
        before = word;
    }
    let options_end = args.iter().any(|word| word == "--");
    if error.kind() == ErrorKind::UnknownArgument && !options_end {
        text = text.replacen("unexpected argument '-", "unknown option '-", 1);
        if text.contains("unknown option") {
            text = text.replacen("' found", "'", 1);
        }
    }
    // The parser tree has no help option, so clap refers to the `help` command instead, and only for groups.
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

/// Prints the help requested with `--help`, `-h` or `help`.
fn print_help(error: &clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    // clap stops parsing at the help option, so colour options are parsed here.
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

/// Prints the short help of a group, or of the whole program if no group is given.
pub(super) fn print_short_help(group: Option<&str>, ctx: &mut Context) -> Result<()> {
    let words: Vec<OsString> = group.into_iter().map(OsString::from).collect();
    show_help(named(&mut built(ctx), &words), true, ctx)
}

/// Prints the help of a command. The help of a group and of the whole program ends by saying which program runs
/// all other commands.
fn show_help(command: &mut Command, short: bool, ctx: &mut Context) -> Result<()> {
    let depth = path(command).count();
    if let Some(others) = who_serves_what(ctx, depth == 0).filter(|_| depth < 2) {
        let before = [command.get_after_long_help().filter(|_| !short), command.get_after_help()];
        let text = before.into_iter().flatten().next().map_or_else(String::new, |text| format!("{text}\n\n"));
        let footer = format!("{text}{others}");
        *command = std::mem::take(command).after_help(footer.clone()).after_long_help(footer);
    }
    let help = if short { command.render_help() } else { command.render_long_help() };
    let coloured = ctx.colours.are_on(|| ctx.terminals.stdout());
    ctx.print(&if coloured { help.ansi().to_string() } else { help.to_string() })
}

/// The value of the last colour option.
fn colours(args: &[OsString]) -> Option<Colours> {
    let next = args.iter().skip(1).map(Some).chain([None]);
    let said = args.iter().zip(next).filter_map(|(word, next)| {
        let value = match word.to_str()? {
            "--nocolor" => "never",
            "--color" => next?.to_str()?,
            word => match word.strip_prefix("--nocolor=").map(truth) {
                Some(Some(true)) => "never",
                Some(_) => "auto",
                None => word.strip_prefix("--color=")?,
            },
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

/// The command that the words name, as far as they name one.
fn named<'a>(mut command: &'a mut Command, words: &[OsString]) -> &'a mut Command {
    for word in words.iter().filter(|word| *word != "help") {
        if command.find_subcommand(word).is_some() {
            command = command.find_subcommand_mut(word).expect("it was just there");
        }
    }
    command
}

/// An address may contain a password. Any word after `login` that is not an option may be a token.
fn may_be_secret(word: &str, args: &[OsString]) -> bool {
    word.contains('@')
        || is_login(args) && !word.starts_with('-') && word != "login" && !GROUPS.contains(&word)
}

/// A shorter value is left as it is: it could be part of any word of the message.
const SHORTEST_SECRET: usize = 4;

fn is_login(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "login")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persona::Persona;

    #[test]
    fn usage_errors_name_only_the_command() {
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
