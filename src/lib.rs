//! The commands of Apptainer and SingularityCE for remotes, keyservers, registries and library images.
//!
//! Modules import only from layers below them, as shown in docs/architecture.md: `main` → `run` → [`cli`] →
//! [`commands`] → …

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "tests use the environment and files directly"
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

/// Runs one command line in `ctx` and returns the exit status: 0 for success, 1 for an invalid command line, 255
/// for a failure, 141 if standard output was closed.
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

/// Prints the failure. In a pipe it is one line, so that `grep` finds it. On a terminal each cause has its own
/// line.
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

/// Reports a failure: one FATAL line, then the hints. A usage error is printed in clap's layout.
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
