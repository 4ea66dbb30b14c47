//! The command line: global options, the clap tree, the one dispatch.
//!
//! What stands before the group is looked at by hand and first, since most of it decides only whether the
//! command is ours at all: a command of the real program must not be judged by our tree.

use crate::commands::remote;
use crate::context::{Context, is_true};
use crate::error::{Failure, Result};
use crate::message::{Level, escape};
use crate::passthrough;
use crate::persona::Persona;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::{OsStr, OsString};

/// The groups that this program serves; everything else goes to the next program in PATH.
pub const GROUPS: &[&str] = &["remote"];

/// Manage remote endpoints, their keyservers and logins
#[derive(Parser)]
#[command(name = "apptainer", disable_version_flag = true, arg_required_else_help = true)]
#[command(after_help = "Other commands go to the next {prog} in PATH, if there is one.")]
pub struct Cli {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    group: Group,
}

/// What stands before the group.
#[derive(Args, Default)]
#[allow(clippy::struct_excessive_bools)]
struct GlobalOptions {
    /// Print debugging information (highest verbosity)
    #[arg(short, long, action = ArgAction::SetTrue)]
    debug: bool,
    /// Print additional information
    #[arg(short, long, action = ArgAction::SetTrue)]
    verbose: bool,
    /// Suppress informational messages
    #[arg(short, long, action = ArgAction::SetTrue)]
    quiet: bool,
    /// Print only errors
    #[arg(short, long, action = ArgAction::SetTrue)]
    silent: bool,
    /// Print without colours
    #[arg(long, action = ArgAction::SetTrue)]
    nocolor: bool,
    /// Accepted for compatibility; has no effect on these commands
    #[arg(short, long, value_name = "FILE")]
    config: Option<OsString>,
    /// Accepted for compatibility; has no effect on these commands
    #[arg(long)]
    build_config: bool,
    /// Print the version
    #[arg(long)]
    version: bool,
}

#[derive(Subcommand)]
enum Group {
    Remote(remote::Group),
}

/// What the words before the group decide.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// One of our groups, or help of one.
    Ours,
    /// `--version` (true: with the program's name) or `version`.
    Version(bool),
    /// No command at all, or help of none.
    Help,
    /// Everything else.
    Other(OsString),
}

/// Runs one command line; `args[0]` is the program as it was called.
///
/// # Errors
/// Whatever ends the command; `lib::run` reports it.
pub fn run(args: &[OsString], ctx: &mut Context) -> Result<()> {
    set_messages(ctx, &GlobalOptions::default());
    let route = route(args.get(1..).unwrap_or_default());
    if route == Route::Ours {
        return ours(args, ctx);
    }
    let argv0 = args.first().cloned().unwrap_or_else(|| ctx.program().into());
    if let Some(next) = passthrough::next_program(ctx, &argv0) {
        let error = (ctx.exec)(&next, args, &ctx.env);
        return Err(Failure::from(error).context(format!("cannot run {}", next.display())));
    }
    match route {
        Route::Version(true) => ctx.print(&format!("{} version {}\n", ctx.program(), version())),
        Route::Version(false) => ctx.print(&format!("{}\n", version())),
        Route::Help => {
            let help = tree(ctx.persona).term_width(ctx.width).render_help().to_string();
            ctx.print(&help)
        }
        Route::Other(word) => Err(not_ours(&word, ctx)),
        Route::Ours => unreachable!("taken above"),
    }
}

/// This program's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The clap tree in the persona's words.
pub fn tree(persona: Persona) -> Command {
    in_words_of(Cli::command().name(persona.name()), persona)
}

/// Puts the program's name into every help text that shows what to type.
fn in_words_of(command: Command, persona: Persona) -> Command {
    let mut command = command.mut_subcommands(|sub| in_words_of(sub, persona));
    for (get, set) in [
        (Command::get_after_help as fn(&Command) -> Option<&clap::builder::StyledStr>, true),
        (Command::get_after_long_help, false),
    ] {
        if let Some(text) = get(&command) {
            let text = text.to_string().replace("{prog}", persona.name());
            command = if set { command.after_help(text) } else { command.after_long_help(text) };
        }
    }
    command
}

/// Looks at the words before the group. An option that we do not know is the real program's.
fn route(args: &[OsString]) -> Route {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else { return Route::Other(word.clone()) };
        match text {
            "--help" | "-h" => return Route::Help,
            "--version" => return Route::Version(true),
            "--debug" | "--verbose" | "--quiet" | "--silent" | "--nocolor" | "--build-config" => {}
            "--config" | "-c" => {
                words.next();
            }
            _ if text.starts_with("--config=") => {}
            "version" => return Route::Version(false),
            "help" => return help_of(words.as_slice()),
            _ if text.starts_with('-') => {
                // Short options may stand together: -dq. One with a value ends the cluster.
                let cluster = text.strip_prefix('-').filter(|cluster| !cluster.starts_with('-'));
                let known = cluster.is_some_and(|cluster| {
                    let flags = cluster.split('c').next().unwrap_or_default();
                    !cluster.is_empty() && flags.chars().all(|flag| "dvqs".contains(flag))
                });
                if !known {
                    return Route::Other(word.clone());
                }
                if text.ends_with('c') {
                    words.next();
                }
            }
            _ if GROUPS.contains(&text) => return Route::Ours,
            _ => return Route::Other(word.clone()),
        }
    }
    Route::Help
}

/// `help`, `help GROUP COMMAND`: ours for our groups.
fn help_of(words: &[OsString]) -> Route {
    match words.first() {
        None => Route::Help,
        Some(group) if GROUPS.iter().any(|ours| group == ours) => Route::Ours,
        Some(_) => Route::Other("help".into()),
    }
}

fn not_ours(word: &OsStr, ctx: &Context) -> Failure {
    let (program, word) = (ctx.program(), word.to_string_lossy());
    let failure = Failure::new(format!(
        "{word:?} is not a command of this program, and no other {program} was found in PATH"
    ));
    failure.hint(format!("{program} help: the commands that work here"))
}

/// Parses with clap and dispatches.
fn ours(args: &[OsString], ctx: &mut Context) -> Result<()> {
    let command = tree(ctx.persona).term_width(ctx.width);
    let cli = match command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return clap_answer(&error, args, ctx),
    };
    set_messages(ctx, &cli.global);
    match cli.group {
        Group::Remote(group) => remote::run(group, ctx),
    }
}

/// Help goes to standard output; a wrong command line is a [`Failure`] of kind Usage with clap's words.
fn clap_answer(error: &clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    let mut text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        return ctx.print(&text);
    }
    // clap repeats what was typed; line breaks are its own, everything else of that kind is not.
    for word in args.iter().map(|word| word.to_string_lossy()).filter(|word| word.contains('\n')) {
        text = text.replace(&*word, &escape(&word));
    }
    let text: Vec<_> = text.trim_end().split('\n').map(escape).collect();
    Err(Failure::usage(text.join("\n")))
}

/// Sets threshold and colours from options, then from the environment.
fn set_messages(ctx: &mut Context, options: &GlobalOptions) {
    let on = |ctx: &Context, option: bool, suffix: &str| option || quiet_switch(ctx, suffix);
    let level = if on(ctx, options.debug, "DEBUG") {
        Level::Debug as i8
    } else if on(ctx, options.verbose, "VERBOSE") {
        4
    } else if on(ctx, options.quiet, "QUIET") {
        Level::Log as i8
    } else if on(ctx, options.silent, "SILENT") {
        Level::Error as i8
    } else {
        quiet_variable(ctx, "MESSAGELEVEL")
            .and_then(|value| value.to_str()?.parse::<i8>().ok())
            .unwrap_or(Level::Info as i8)
    };
    let plain = on(ctx, options.nocolor, "NOCOLOR")
        || ctx.env.get("NO_COLOR").is_some()
        || ctx.env.get("TERM").is_some_and(|term| term == "dumb");
    ctx.talk.configure(level, ctx.terminals.stderr && !plain);
}

/// A variable of the persona, without the line that says which prefix is preferred: it decides whether
/// such lines are shown.
fn quiet_variable<'a>(ctx: &'a Context, suffix: &str) -> Option<&'a OsStr> {
    ctx.persona.prefixes().iter().find_map(|prefix| ctx.env.get(&format!("{prefix}{suffix}")))
}

fn quiet_switch(ctx: &Context, suffix: &str) -> bool {
    quiet_variable(ctx, suffix).is_some_and(is_true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(line: &str) -> Route {
        route(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_tree_is_sound() {
        tree(Persona::Apptainer).debug_assert();
    }

    #[test]
    fn words_before_the_group_decide() {
        for ours in
            ["remote", "-d remote list", "-dq --nocolor -c f remote", "--config=f remote", "help remote add"]
        {
            assert_eq!(routed(ours), Route::Ours, "{ours}");
        }
        for other in ["exec x", "--humm remote", "-x remote", "-", "help pull", "-c remote exec", "-qcf run"]
        {
            assert!(matches!(routed(other), Route::Other(_)), "{other}");
        }
        for help in ["", "-q", "help", "-h", "--help remote"] {
            assert_eq!(routed(help), Route::Help, "{help}");
        }
        assert_eq!(routed("-d --version"), Route::Version(true));
        assert_eq!(routed("version"), Route::Version(false));
    }
}
