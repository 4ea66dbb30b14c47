//! A command that is not ours: it goes to the next program in PATH, or is refused with what works here.

use super::tree::tree;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::message::escape;
use crate::persona::Persona;
use clap::error::{ContextKind, ContextValue};
use std::ffi::OsString;

/// Runs the next program in PATH in place of this one; returns `Ok` if there is none.
pub(super) fn hand_over(args: &[OsString], ctx: &Context) -> Result<()> {
    let argv0 = args.first().cloned().unwrap_or_else(|| ctx.program().into());
    let Some(next) = ctx.next_program(&argv0) else { return Ok(()) };
    let error = (ctx.exec)(&next, args);
    Err(Failure::from(error).context(format!("cannot run {}", next.display())))
}

/// This program's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Which commands are this program's, and who has the others: for help texts.
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

/// The word of the command line that clap does not know, or that is not text.
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
    let failure = match nearest(word, ctx.persona) {
        Some(near) => failure.hint(format!("{program} {near}")),
        None => failure,
    };
    failure.hint(format!("to list the commands that work here: {program} help"))
}

/// The group that the word may be meant for.
fn nearest(word: &str, persona: Persona) -> Option<String> {
    let error = tree(persona).try_get_matches_from([persona.name(), word]).err()?;
    match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::Strings(names) => names.last().cloned(),
        ContextValue::String(name) => Some(name.clone()),
        _ => None,
    }
}

/// A command for images that the other program should have had, if there were one.
pub(super) fn not_a_library(command: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    Failure::new(format!(
        "cannot {command} this image: only library:// is supported, and no other {program} is in PATH"
    ))
    .hint(format!("{program} {command} --help"))
}
