//! The command line: global options, who serves the command, the one dispatch.
//!
//! It is read in two stages, both by clap. The first reads the global options and stops at the command, since
//! a command of the real program must not be judged by our tree; the second reads one of our commands.

mod answer;
mod tree;

pub(crate) use answer::usage_text;
pub use tree::tree;

use crate::commands::completion::{self, Shell};
use crate::commands::images::{delete, pull, push, search};
use crate::commands::session::Session;
use crate::commands::{images, keyserver, registry, remote};
use crate::context::{Context, Found};
use crate::error::{Failure, Result};
use crate::message::{Level, escape};
use crate::passthrough;
use crate::persona::Persona;
use crate::uri::LibraryRef;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, FromArgMatches, Parser, Subcommand};
use std::ffi::{OsStr, OsString};

/// The groups that this program serves; everything else goes to the next program in PATH.
pub const GROUPS: &[&str] = &["keyserver", "registry", "remote"];

/// Manage remote endpoints, their keyservers and logins
#[derive(Parser)]
#[command(name = "apptainer", disable_version_flag = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    group: Group,
}

/// Before the group, and most of them after the command too.
#[derive(Args, Default)]
struct GlobalOptions {
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
    version: bool,
}

impl GlobalOptions {
    /// With those of `self` that were given in place of the `earlier` ones.
    fn after(self, earlier: &Self) -> Self {
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

#[derive(Subcommand)]
enum Group {
    Completion(completion::Options),
    Delete(delete::Options),
    Keyserver(keyserver::Group),
    Pull(pull::Options),
    Push(push::Options),
    Registry(registry::Group),
    Remote(remote::Group),
    Search(search::Options),
}

/// A command line after the first stage.
struct Line {
    /// The options before the command.
    global: GlobalOptions,
    /// The command and everything after it; may be empty.
    words: Vec<OsString>,
}

/// Runs one command line; `args[0]` is the program as it was called.
///
/// # Errors
/// Whatever ends the command; `lib::run` reports it.
pub fn run(args: &[OsString], ctx: &mut Context) -> Result<()> {
    let line = match Line::begin(args, ctx.persona) {
        Ok(line) => line,
        Err(error) => {
            // A command that is not ours has its own rules for the environment.
            let _ = set_messages(ctx, &GlobalOptions::default());
            hand_over(args, ctx)?;
            return match error.kind() {
                ErrorKind::DisplayHelp => print_help(ctx),
                ErrorKind::UnknownArgument | ErrorKind::InvalidUtf8 => {
                    Err(not_ours(&unknown(&error, args), ctx))
                }
                _ => answer::of_clap(error, &args[1..], ctx),
            };
        }
    };
    // What is wrong with a variable is said once the whole line is known.
    let _ = set_messages(ctx, &line.global);
    let command = line.command();
    match command {
        _ if line.global.version => {
            hand_over(args, ctx)?;
            return ctx.print(&format!("{} version {}\n", ctx.program(), version()));
        }
        "__complete" | "__completeNoDesc" => {
            return completion::answer(&line.words[1..], command == "__complete", ctx);
        }
        _ => {}
    }
    let ours = line.is_ours(ctx);
    if !ours {
        hand_over(args, ctx)?;
    }
    match command {
        "" if line.words.is_empty() => print_help(ctx),
        "help" if line.words.len() == 1 => print_help(ctx),
        "version" => ctx.print(&format!("{}\n", version())),
        _ if line.is_served() => line.run(ours, ctx),
        "help" => Err(not_ours(&line.words[1].to_string_lossy(), ctx)),
        _ => Err(not_ours(command, ctx)),
    }
}

impl Line {
    /// Reads the global options before the command.
    ///
    /// # Errors
    /// One of them is not ours or has a wrong value, or asks for help.
    fn begin(args: &[OsString], persona: Persona) -> std::result::Result<Self, clap::Error> {
        let words = args.iter().skip(1).skip_while(|word| word.is_empty());
        // The usual case, for which no tree has to be made.
        if words.clone().next().and_then(|word| word.to_str()).is_some_and(|word| !word.starts_with('-')) {
            return Ok(Self { global: GlobalOptions::default(), words: words.cloned().collect() });
        }
        let mut matches = tree::beginning(persona).try_get_matches_from(args.iter().take(1).chain(words))?;
        let global = GlobalOptions::from_arg_matches_mut(&mut matches)?;
        let Some((command, mut rest)) = matches.remove_subcommand() else {
            return Ok(Self { global, words: Vec::new() });
        };
        let rest = rest.remove_many::<OsString>("").into_iter().flatten();
        let words = std::iter::once(OsString::from(command)).chain(rest);
        Ok(Self { global, words: words.skip_while(|word| word.is_empty()).collect() })
    }

    fn command(&self) -> &str {
        self.words.first().and_then(|word| word.to_str()).unwrap_or_default()
    }

    /// The command that is to be run or explained.
    fn subject(&self) -> &str {
        match self.command() {
            "help" => self.words.get(1).and_then(|word| word.to_str()).unwrap_or_default(),
            command => command,
        }
    }

    /// Whether this program has the command, for some arguments at least.
    fn is_served(&self) -> bool {
        let subject = self.subject();
        subject == "completion" || GROUPS.contains(&subject) || images::COMMANDS.contains(&subject)
    }

    /// Whether the command is this program's to run, whoever else is there.
    fn is_ours(&self, ctx: &Context) -> bool {
        match (self.subject(), self.words.get(1)) {
            ("completion", Some(shell)) if self.command() == "completion" => {
                // A shell that we do not know may be one that the other program knows.
                let shell = shell.to_string_lossy();
                shell.starts_with('-') || Shell::is_known(&shell)
            }
            (command, _) if images::COMMANDS.contains(&command) => self.is_about_a_library(command, ctx),
            _ => self.is_served(),
        }
    }

    /// Whether a command for images is about a library, and has no option that we do not know. What is wrong
    /// with one that is about a library is ours to say.
    fn is_about_a_library(&self, command: &str, ctx: &Context) -> bool {
        let names_one = || self.words.iter().any(|word| is_library(word));
        match self.parse(ctx).map(|cli| cli.group) {
            Ok(Group::Pull(options)) => options.uri().map_or_else(names_one, |uri| is_library(uri)),
            Ok(Group::Push(options)) => is_library(options.uri().as_ref()),
            Ok(Group::Delete(options)) => {
                is_library(options.uri().as_ref()) || !options.uri().contains("://")
            }
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::UnknownArgument => false,
            Err(_) => !images::SHARED.contains(&command) || names_one(),
        }
    }

    /// The second stage.
    fn parse(&self, ctx: &Context) -> std::result::Result<Cli, clap::Error> {
        let words = tree::without_empty(&self.words, ctx.persona);
        let by = |command: clap::Command| {
            let args =
                std::iter::once(OsStr::new(ctx.program())).chain(words.iter().map(OsString::as_os_str));
            command.try_get_matches_from(args).and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches))
        };
        match tree::quick(&words, ctx.persona).map(by) {
            Some(Ok(cli)) => Ok(cli),
            _ => by(tree::reader(ctx.persona).term_width((ctx.width)())),
        }
    }

    /// Parses and dispatches; a command for images is `ours` if it is about a library.
    fn run(&self, ours: bool, ctx: &mut Context) -> Result<()> {
        let cli = match self.parse(ctx) {
            Ok(cli) => cli,
            Err(error) => return answer::of_clap(error, &self.words, ctx),
        };
        set_messages(ctx, &cli.global.after(&self.global))?;
        match cli.group {
            Group::Completion(options) => completion::run(&options, ctx),
            Group::Keyserver(group) => keyserver::run(group, ctx),
            Group::Registry(group) => registry::run(group, ctx),
            Group::Remote(group) => remote::run(group, ctx),
            // It says what is missing, whoever's the image would be.
            Group::Pull(options) if options.uri().is_none() => {
                pull::run(&options, &mut Session::new(ctx, None))
            }
            _ if !ours => Err(not_a_library(self.command(), ctx)),
            Group::Delete(options) => delete::run(&options, &mut Session::new(ctx, None)),
            Group::Pull(options) => pull::run(&options, &mut Session::new(ctx, None)),
            Group::Push(options) => push::run(&options, &mut Session::new(ctx, None)),
            Group::Search(options) => search::run(&options, &mut Session::new(ctx, None)),
        }
    }
}

/// Runs the next program in PATH in place of this one; returns `Ok` if there is none.
fn hand_over(args: &[OsString], ctx: &Context) -> Result<()> {
    let argv0 = args.first().cloned().unwrap_or_else(|| ctx.program().into());
    let Some(next) = passthrough::next_program(ctx, &argv0) else { return Ok(()) };
    let error = (ctx.exec)(&next, args);
    Err(Failure::from(error).context(format!("cannot run {}", next.display())))
}

fn print_help(ctx: &mut Context) -> Result<()> {
    let help = tree(ctx.persona).term_width((ctx.width)()).render_help().to_string();
    ctx.print(&format!("{help}\n{}\n", who_serves_what(ctx)))
}

/// This program's version.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Which commands are this program's, and who has the others: for help texts.
pub fn who_serves_what(ctx: &Context) -> String {
    let groups = GROUPS.join(", ");
    let rest = match passthrough::next_program(ctx, ctx.program().as_ref()) {
        Some(next) => format!("everything else goes to {}", escape(&next.to_string_lossy())),
        None => format!("for everything else there is no other {} in PATH", ctx.program()),
    };
    let images = "delete and search, pull and push of library://";
    format!("apptainer-remote {} serves completion, {groups}, {images}; {rest}.", version())
}

/// The word of the command line that clap does not know, or that is not text.
fn unknown(error: &clap::Error, args: &[OsString]) -> String {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => {
            let odd = args.iter().find(|word| word.to_str().is_none());
            odd.map(|word| word.to_string_lossy().into_owned()).unwrap_or_default()
        }
    }
}

fn not_ours(word: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    let failure = Failure::new(format!(
        "{word:?} is not a command of this program, and no other {program} was found in PATH"
    ));
    let failure = match nearest(word, ctx.persona) {
        Some(near) => failure.hint(format!("{program} {near}")),
        None => failure,
    };
    failure.hint(format!("{program} help: the commands that work here"))
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

fn is_library(word: &OsStr) -> bool {
    word.to_str().is_some_and(LibraryRef::is_one)
}

/// A command for images that the other program should have had, if there were one.
fn not_a_library(command: &str, ctx: &Context) -> Failure {
    let program = ctx.program();
    Failure::new(format!(
        "only library:// is this program's to {command}, and no other {program} was found in PATH"
    ))
    .hint(format!("{program} {command} --help"))
}

/// Sets threshold and colours from options, then from the environment.
///
/// # Errors
/// A variable is neither true nor false. Everything is set then too, as if it were false.
fn set_messages(ctx: &mut Context, options: &GlobalOptions) -> Result<()> {
    let mut wrong = Ok(());
    let mut on = |option: Option<bool>, suffix: &str| {
        let variable = option.is_none().then(|| quiet_variable(ctx, suffix)).flatten();
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
        quiet_variable(ctx, "MESSAGELEVEL")
            .and_then(|found| found.value.to_str()?.parse::<i8>().ok())
            .map_or(Level::Info as i8, |level| level.max(Level::Error as i8))
    });
    let plain = nocolor
        || ctx.env.get("NO_COLOR").is_some()
        || ctx.env.get("TERM").is_some_and(|term| term == "dumb");
    let terminals = ctx.terminals.clone();
    ctx.talk.configure(level, move || !plain && terminals.stderr());
    wrong
}

/// A variable of the persona, without the line that says which prefix is preferred: it decides whether
/// such lines are shown.
fn quiet_variable<'a>(ctx: &'a Context, suffix: &str) -> Option<Found<'a>> {
    ctx.persona.prefixes().iter().find_map(|prefix| {
        let name = format!("{prefix}{suffix}");
        Some(Found { value: ctx.env.get(&name)?, name })
    })
}
