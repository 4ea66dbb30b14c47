//! The global options, and the message threshold and colours that they and the environment set.

use crate::context::{Colours, Context};
use crate::error::Result;
use crate::message::Level;
use clap::Args;
use std::ffi::OsString;

/// Options of every command. They come before the command; all but the last three may also come after it.
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
    /// When to colour messages and help: auto, always or never
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"], hide_possible_values = true)]
    color: Option<String>,
    /// Disable colours
    #[arg(long)]
    nocolor: Option<bool>,
    /// Ignored (an Apptainer option); see `remote -c` for another remote.yaml
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<OsString>,
    /// Ignored (an Apptainer option)
    #[arg(long)]
    build_config: bool,
    /// Print the version
    #[arg(long)]
    pub version: bool,
}

impl GlobalOptions {
    /// Combines both: options of `self` override the `earlier` ones.
    pub(super) fn after(self, earlier: &Self) -> Self {
        let is_coloured = self.color.is_some();
        Self {
            debug: self.debug.or(earlier.debug),
            verbose: self.verbose.or(earlier.verbose),
            quiet: self.quiet.or(earlier.quiet),
            silent: self.silent.or(earlier.silent),
            // Of two options about colours, the last one counts.
            color: if self.nocolor.is_some() { None } else { self.color.or_else(|| earlier.color.clone()) },
            nocolor: if is_coloured { None } else { self.nocolor.or(earlier.nocolor) },
            ..self
        }
    }
}

/// Sets the threshold and colours from the options, then from the environment.
///
/// # Errors
/// A variable is neither true nor false. It then counts as false, and everything is still set.
pub(super) fn set_messages(ctx: &mut Context, options: &GlobalOptions) -> Result<()> {
    let mut wrong = Ok(());
    // These variables are read without the note about the preferred prefix, because they decide whether notes are
    // shown.
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
    let dumb = || ctx.env.get("TERM").is_some_and(|term| term == "dumb");
    let colours = match options.color.as_deref() {
        Some("always") => Colours::Always,
        Some("never") => Colours::Never,
        _ if nocolor || ctx.env.get("NO_COLOR").is_some() || dumb() => Colours::Never,
        _ => Colours::Auto,
    };
    let level = levels.iter().find_map(|(on, level)| on.then_some(*level)).unwrap_or_else(|| {
        env.variable(persona, "MESSAGELEVEL")
            .and_then(|found| found.value.to_str()?.parse::<i8>().ok())
            .map_or(Level::Info as i8, |level| level.max(Level::Error as i8))
    });
    let terminals = ctx.terminals.clone();
    ctx.colours = colours;
    ctx.talk.configure(level, move || colours.are_on(|| terminals.stderr()));
    wrong
}
