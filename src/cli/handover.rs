//! Commands that this program does not have: they are passed to the next program in PATH, or else rejected with
//! hints.

use super::elsewhere::{elsewhere, nearest};
use super::tree::tree;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::hint::CommandLine;
use crate::message::escape;
use crate::uri::{may_be_repeated, may_hold_password};
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

/// A help text that says which program runs all other commands. That there is none is said in the help of the whole
/// program.
pub(super) fn who_serves_what(ctx: &Context, is_whole: bool) -> Option<String> {
    let rest = match ctx.next_program(ctx.program().as_ref()) {
        Some(next) => format!("Other commands are passed to {}.", escape(&next.to_string_lossy())),
        None if is_whole => format!(
            "Other commands (run, exec, …) need a full Apptainer, and no other {} was found in PATH.",
            ctx.program()
        ),
        None => return None,
    };
    Some(format!("apptainer-remote {}. {rest}", version()))
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
    let what = if word.starts_with('-') { "unknown option" } else { "unknown command" };
    let is_safe = may_be_repeated(word) && !may_hold_password(word);
    let shown = if is_safe { format!(" {word:?}") } else { String::new() };
    let failure = Failure::new(format!("{what}{shown} (no other {program} in PATH to pass it to)"));
    let hints = elsewhere(word, &tree(ctx.persona));
    let failure = match nearest(word, ctx.persona) {
        Some(near) if hints.is_empty() => failure.hint(CommandLine::new(&format!("{program} {near}"))),
        _ => hints.into_iter().fold(failure, Failure::hint),
    };
    failure.hint(CommandLine::new(&format!("{program} help")).because("to list the commands that work here"))
}

/// The error for an image command that would be passed to the other program, but there is none. `reference` is
/// the typed reference.
pub(super) fn not_a_library(typed: &str, reference: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    let is_safe = may_be_repeated(reference);
    let what = if is_safe { format!("{reference:?}") } else { "this image".into() };
    let failure = Failure::new(format!(
        "cannot {typed} {what}: only library:// is supported, and no other {program} is in PATH"
    ));
    let command = |scheme: &str| CommandLine::new(program).words(typed).arg(format!("{scheme}{reference}"));
    if reference.contains("://") || !is_safe {
        return failure;
    }
    if typed == "push" {
        return failure
            .hint(CommandLine::new(program).words("push FILE").arg(format!("library://{reference}")));
    }
    failure
        .hint(command("library://").because("for an image of a library"))
        .hint(command("docker://").because("for an image of a registry, with a full Apptainer"))
}
