//! The remote, keyserver and registry commands of Apptainer and SingularityCE, and those for images of a library.
//!
//! Imports point down only, as the picture in docs/architecture.md shows: `main` → `run` → [`cli`] → [`commands`] → …

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "a test looks at the world itself"
    )
)]

pub mod arch;
pub mod auth_file;
pub(crate) mod child;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod digest;
pub mod environment;
pub mod error;
pub(crate) mod executable;
pub mod fsio;
pub mod hint;
pub mod http;
pub mod image;
pub mod message;
pub(crate) mod passthrough;
pub mod paths;
#[cfg(test)]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the whole program")]
#[path = "../tests/peers/mod.rs"]
pub(crate) mod peers;
pub mod persona;
pub mod prompt;
pub(crate) mod runtime;
pub mod secret;
pub(crate) mod secret_source;
pub mod services;
pub(crate) mod signals;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the tests of the whole program")]
#[path = "../tests/support/skip.rs"]
mod skip;
pub mod uri;
pub mod view;

use context::Context;
use error::{Ending, Failure};
use message::Level;
use std::ffi::OsString;

/// Runs one command line in `ctx` and returns the exit status: 0 done, 1 wrong command line, 255 failed,
/// 141 closed standard output.
pub fn run(args: &[OsString], ctx: &mut Context) -> u8 {
    let result = if ctx.user.elevated {
        Err(Failure::new("refusing to run set-uid, set-gid or with file capabilities"))
    } else {
        cli::run(args, ctx)
    };
    let status = match result {
        Ok(()) => 0,
        Err(failure) => report(&failure, ctx),
    };
    signals::settle();
    status
}

/// One line in a pipe, where `grep` looks for it. On a terminal each cause has a line of its own.
fn say_fatal(failure: &Failure, ctx: &Context) {
    if !ctx.terminals.stderr() {
        ctx.talk.fatal(failure.message());
        return;
    }
    let mut chain = failure.source.chain().map(ToString::to_string);
    ctx.talk.fatal(chain.next().unwrap_or_default());
    for cause in chain {
        ctx.talk.continue_message(Level::Fatal, format!("caused by: {cause}"));
    }
}

/// The one reporter: one FATAL line, then the hints. A wrong command line is shown in clap's layout.
fn report(failure: &Failure, ctx: &Context) -> u8 {
    let status = match &failure.ending {
        Ending::ClosedStdout => return 141,
        Ending::Usage(command) => {
            ctx.talk.prompt(&cli::usage_text(command, &failure.message(), ctx));
            1
        }
        Ending::Failed => {
            say_fatal(failure, ctx);
            255
        }
    };
    for hint in &failure.hints {
        hint.show(&ctx.talk);
    }
    status
}
