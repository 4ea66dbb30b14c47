//! Commands that this program does not have: they are passed to the next program in PATH, or else rejected with
//! hints.

use super::elsewhere::{elsewhere, nearest};
use super::tree::tree;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::hint::CommandLine;
use crate::message::escape;
use clap::error::{ContextKind, ContextValue};
use std::ffi::OsString;

/// Replaces this process with the next program in PATH. Returns `Ok` if there is none.
pub(super) fn hand_over(args: &[OsString], ctx: &Context) -> Result<()> {
    let argv0 = args.first().cloned().unwrap_or_else(|| ctx.program().into());
    let Some(next) = ctx.next_program(&argv0) else { return Ok(()) };
    let error = (ctx.exec)(&next, args);
    Err(Failure::from(error).context(format!("cannot run {}", next.display())))
}

pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// A help text that says which program runs all other commands.
pub(super) fn who_serves_what(ctx: &Context) -> String {
    let rest = match ctx.next_program(ctx.program().as_ref()) {
        Some(next) => format!("Other commands are passed to {}.", escape(&next.to_string_lossy())),
        None => format!(
            "No other {} was found in PATH, so commands that are not listed here are unavailable.",
            ctx.program()
        ),
    };
    format!("apptainer-remote {}. {rest}", version())
}

/// The word of the command line that is unknown to clap or not valid UTF-8.
pub(super) fn unknown(error: &clap::Error, args: &[OsString]) -> String {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => {
            let odd = args.iter().find(|word| word.to_str().is_none());
            odd.map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
        }
    }
}

pub(super) fn not_ours(word: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    let failure =
        Failure::new(format!("unknown command {word:?} (no other {program} in PATH to pass it to)"));
    let hints = elsewhere(word, &tree(ctx.persona));
    let failure = match nearest(word, ctx.persona) {
        Some(near) if hints.is_empty() => failure.hint(CommandLine::new(&format!("{program} {near}"))),
        _ => hints.into_iter().fold(failure, Failure::hint),
    };
    failure.hint(CommandLine::new(&format!("{program} help")).because("to list the commands that work here"))
}

/// The error for an image command that would be passed to the other program, but there is none. `reference` is
/// the typed reference.
pub(super) fn not_a_library(command: &str, reference: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    let failure = Failure::new(format!(
        "cannot {command} {reference:?}: only library:// is supported, and no other {program} is in PATH"
    ));
    let command = |scheme: &str| CommandLine::new(program).words(command).arg(format!("{scheme}{reference}"));
    if reference.contains("://") {
        return failure.hint(CommandLine::new(program).words("help"));
    }
    failure
        .hint(command("library://").because("for an image of a library"))
        .hint(command("docker://").because("for an image of a registry, with a full Apptainer"))
}
