//! The global options, and the threshold and colours of messages that they and the environment decide.

use crate::context::Context;
use crate::error::Result;
use crate::message::Level;
use clap::Args;
use std::ffi::OsString;

/// Before the group, and most of them after the command too.
#[derive(Args, Default)]
pub(super) struct GlobalOptions {
    /// Print debugging information (highest verbosity)
    #[arg(short, long)]
    debug: Option<bool>,
    /// Print additional information
    #[arg(short, long)]
    verbose: Option<bool>,
    /// Suppress informational messages
    #[arg(short, long)]
    quiet: Option<bool>,
    /// Print only errors
    #[arg(short, long)]
    silent: Option<bool>,
    /// Print without colours
    #[arg(long)]
    nocolor: Option<bool>,
    /// Accepted for compatibility; has no effect on these commands
    #[arg(short, long, value_name = "FILE")]
    config: Option<OsString>,
    /// Accepted for compatibility; has no effect on these commands
    #[arg(long)]
    build_config: bool,
    /// Print the version
    #[arg(long)]
    pub version: bool,
}

impl GlobalOptions {
    /// With those of `self` that were given in place of the `earlier` ones.
    pub(super) fn after(self, earlier: &Self) -> Self {
        Self {
            debug: self.debug.or(earlier.debug),
            verbose: self.verbose.or(earlier.verbose),
            quiet: self.quiet.or(earlier.quiet),
            silent: self.silent.or(earlier.silent),
            nocolor: self.nocolor.or(earlier.nocolor),
            ..self
        }
    }
}

/// Sets threshold and colours from options, then from the environment.
///
/// # Errors
/// A variable is neither true nor false. Everything is set then too, as if it were false.
pub(super) fn set_messages(ctx: &mut Context, options: &GlobalOptions) -> Result<()> {
    let mut wrong = Ok(());
    // No line says which prefix is preferred: these decide whether such lines are shown.
    let (env, persona) = (&ctx.env, ctx.persona);
    let mut on = |option: Option<bool>, suffix: &str| {
        let variable = option.is_none().then(|| env.variable(persona, suffix)).flatten();
        match variable.map(|found| found.truth()).transpose() {
            Ok(variable) => option.or(variable).unwrap_or(false),
            Err(failure) => {
                if wrong.is_ok() {
                    wrong = Err(failure);
                }
                false
            }
        }
    };
    let levels = [
        (on(options.debug, "DEBUG"), Level::Debug as i8),
        (on(options.verbose, "VERBOSE"), 4),
        (on(options.quiet, "QUIET"), Level::Log as i8),
        (on(options.silent, "SILENT"), Level::Error as i8),
    ];
    let nocolor = on(options.nocolor, "NOCOLOR");
    let level = levels.iter().find_map(|(on, level)| on.then_some(*level)).unwrap_or_else(|| {
        env.variable(persona, "MESSAGELEVEL")
            .and_then(|found| found.value.to_str()?.parse::<i8>().ok())
            .map_or(Level::Info as i8, |level| level.max(Level::Error as i8))
    });
    let plain = nocolor
        || ctx.env.get("NO_COLOR").is_some()
        || ctx.env.get("TERM").is_some_and(|term| term == "dumb");
    ctx.colour = !plain;
    let terminals = ctx.terminals.clone();
    ctx.talk.configure(level, move || !plain && terminals.stderr());
    wrong
}
