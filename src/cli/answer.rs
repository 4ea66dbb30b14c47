//! What clap says to a person: help, and what is wrong with a command line.

use super::tree::{OPTIONAL_VALUE, tree};
use super::{GROUPS, who_serves_what};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::message::escape;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// A command line that clap takes and the command does not: in clap's layout, with the usage of the
/// command, named by its words (`remote`, `login`).
pub fn usage_error(ctx: &Context, words: &[&str], message: &str) -> Failure {
    let mut tree = built(ctx);
    let command = words.iter().try_fold(&mut tree, |command, word| command.find_subcommand_mut(word));
    match command {
        Some(command) => {
            let text = command.error(ErrorKind::ArgumentConflict, message).render().to_string();
            Failure::usage(text.trim_end().to_string())
        }
        None => Failure::usage(message.to_string()),
    }
}

/// Refuses two options that exclude each other. clap cannot: it would count `--switch=false` as given.
///
/// # Errors
/// Two of `options`, each with whether it was given, were given; `words` as for [`usage_error`].
pub fn exclusive(ctx: &Context, words: &[&str], options: &[(&str, bool)]) -> Result<()> {
    let given: Vec<&str> = options.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    match given.as_slice() {
        [one, other, ..] => {
            let message = format!("the argument '{one}' cannot be used with '{other}'");
            Err(usage_error(ctx, words, &message))
        }
        _ => Ok(()),
    }
}

/// Help goes to standard output; a wrong command line is a [`Failure`] of kind Usage with clap's words.
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
    // The tree that reads has no help option, so clap points to the command `help` instead, and only for groups.
    let text = text.trim_end().trim_end_matches("For more information, try 'help'.").trim_end();
    let mut text: Vec<_> = text.split('\n').map(|line| escape(line).into_owned()).collect();
    if !text.iter().any(|line| line.starts_with("Usage:")) {
        // clap leaves it out if a value is wrong.
        let usage = named(&mut built(ctx), args).render_usage().to_string();
        text.extend([String::new(), usage.trim_end().to_string()]);
    }
    text.push("\nFor more information, try '--help'.".into());
    Err(Failure::usage(text.join("\n")))
}

/// The help that `--help`, `-h` or `help` asked for.
fn print_help(error: &clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    let mut tree = built(ctx);
    let words: Vec<OsString> = match error.get(ContextKind::Custom) {
        Some(ContextValue::Strings(words)) => words.iter().map(OsString::from).collect(),
        _ => args.to_vec(),
    };
    let command = named(&mut tree, &words);
    let short =
        matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(name)) if name == "-h");
    let help = if short { command.render_help() } else { command.render_long_help() };
    let bin = command.get_bin_name().unwrap_or_default();
    match bin.split(' ').count() > 2 {
        true => ctx.print(&help.to_string()),
        false => ctx.print(&format!("{help}\n{}\n", who_serves_what(ctx))),
    }
}

fn built(ctx: &Context) -> Command {
    let mut tree = tree(ctx.persona).term_width((ctx.width)());
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
