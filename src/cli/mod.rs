//! The command line: global options, the decision which program runs the command, and the dispatch.
//!
//! clap parses it in two stages. The first parses the global options and stops at the command, because commands
//! of the real program must not be checked against this program's tree. The second parses a command of this
//! program.

mod answer;
mod elsewhere;
mod handover;
mod options;
mod tree;

pub(crate) use answer::usage_text;
pub use handover::version;
pub use tree::tree;

use crate::commands::completion::{self, Shell};
use crate::commands::images::{self, delete, pull, push, search};
use crate::commands::session::Session;
use crate::commands::{GroupOptions, keyserver, registry, remote};
use crate::context::Context;
use crate::error::Result;
use crate::persona::Persona;
use crate::uri::LibraryRef;
use answer::print_short_help;
use clap::FromArgMatches;
use clap::error::ErrorKind;
use handover::{hand_over, not_a_library, not_ours, unknown};
use options::{GlobalOptions, set_messages};
use std::ffi::{OsStr, OsString};
use tree::{Cli, GROUPS, Group};

/// The command line after the first stage.
struct Line {
    /// The options before the command.
    global: GlobalOptions,
    /// The command and everything after it; may be empty.
    words: Vec<OsString>,
}

/// Runs one command line. `args[0]` is the program name as typed.
///
/// # Errors
/// The failure that ended the command; `lib::run` reports it.
pub fn run(args: &[OsString], ctx: &mut Context) -> Result<()> {
    let line = match Line::begin(args, ctx.persona) {
        Ok(line) => line,
        Err(error) => {
            // Invalid variables are ignored here: a command of the other program has its own rules for them.
            let _ = set_messages(ctx, &GlobalOptions::default());
            hand_over(args, ctx)?;
            return match error.kind() {
                ErrorKind::DisplayHelp => print_short_help(None, ctx),
                ErrorKind::UnknownArgument | ErrorKind::InvalidUtf8 => {
                    Err(not_ours(&unknown(&error, args), ctx))
                }
                _ => answer::of_clap(error, &args[1..], ctx),
            };
        }
    };
    // Invalid variables are reported after the whole line has been parsed.
    let _ = set_messages(ctx, &line.global);
    let command = line.command();
    match command {
        _ if line.global.version => {
            hand_over(args, ctx)?;
            return ctx.print(&format!("{} version {}\n", ctx.program(), version()));
        }
        "__complete" | "__completeNoDesc" => {
            return completion::answer(&line.words[1..], command == "__complete", &tree(ctx.persona), ctx);
        }
        _ => {}
    }
    let ours = line.is_ours(ctx);
    if !ours {
        hand_over(args, ctx)?;
    }
    match command {
        "" if line.words.is_empty() => print_short_help(None, ctx),
        "help" if line.subject().is_empty() || line.subject() == "help" => print_short_help(None, ctx),
        "version" => ctx.print(&format!("{}\n", version())),
        _ if line.is_served() => line.run(ours, ctx),
        "help" => Err(not_ours(&line.words[1].to_string_lossy(), ctx)),
        _ => Err(not_ours(command, ctx)),
    }
}

impl Line {
    /// Parses the global options before the command.
    ///
    /// # Errors
    /// An option is unknown, has an invalid value, or asks for help.
    fn begin(args: &[OsString], persona: Persona) -> std::result::Result<Self, clap::Error> {
        let words = args.iter().skip(1).skip_while(|word| word.is_empty());
        // The usual case needs no clap tree.
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

    /// The command to run, or to explain with `help`.
    fn subject(&self) -> &str {
        match self.command() {
            "help" => self.words.get(1).and_then(|word| word.to_str()).unwrap_or_default(),
            command => command,
        }
    }

    /// Whether this program has the command, at least for some arguments.
    fn is_served(&self) -> bool {
        let subject = self.subject();
        subject == "completion" || GROUPS.contains(&subject) || images::COMMANDS.contains(&subject)
    }

    /// Whether this program runs the command even if there is another one in PATH.
    fn is_ours(&self, ctx: &Context) -> bool {
        match (self.subject(), self.words.get(1)) {
            ("completion", Some(shell)) if self.command() == "completion" => {
                // The other program may support a shell that this one does not.
                let shell = shell.to_string_lossy();
                shell.starts_with('-') || Shell::is_known(&shell)
            }
            ("completion", None) if self.command() == "completion" => false,
            (command, _) if images::COMMANDS.contains(&command) => self.is_about_a_library(command, ctx),
            _ => self.is_served(),
        }
    }

    /// Whether an image command refers to a library and has no unknown option. This program also reports the
    /// errors of such a command.
    fn is_about_a_library(&self, command: &str, ctx: &Context) -> bool {
        let names_one = || self.words.iter().any(|word| is_library(word));
        // Without a scheme, SingularityCE uses library://.
        let is_default = |word: &OsStr| {
            ctx.persona == Persona::Singularity && word.to_str().is_some_and(|word| !word.contains("://"))
        };
        let means_library = |word: &OsStr| is_library(word) || is_default(word);
        match self.parse(ctx).map(|cli| cli.group) {
            Ok(Group::Pull(options)) => {
                options.uri().map_or_else(names_one, |uri| means_library(uri)) || options.is_turned_round()
            }
            Ok(Group::Push(options)) => means_library(options.uri().as_ref()) || options.is_turned_round(),
            Ok(Group::Delete(options)) => {
                is_library(options.uri().as_ref()) || !options.uri().contains("://")
            }
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::UnknownArgument => false,
            Err(_) => !images::SHARED.contains(&command) || names_one(),
        }
    }

    /// The second stage: parses the command.
    fn parse(&self, ctx: &Context) -> std::result::Result<Cli, clap::Error> {
        let words = tree::without_empty(&self.words, ctx.persona);
        let by = |command: clap::Command| {
            let args =
                std::iter::once(OsStr::new(ctx.program())).chain(words.iter().map(OsString::as_os_str));
            command.try_get_matches_from(args).and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches))
        };
        match tree::quick(&words, ctx.persona).map(by) {
            Some(Ok(cli)) => Ok(cli),
            _ => by(tree::reader(ctx.persona).term_width(ctx.help_width())),
        }
    }

    /// Parses and runs the command. `ours`: an image command refers to a library.
    fn run(&self, ours: bool, ctx: &mut Context) -> Result<()> {
        let cli = match self.parse(ctx) {
            Ok(cli) => cli,
            Err(error) => return answer::of_clap(error, &self.words, ctx),
        };
        set_messages(ctx, &cli.global.after(&self.global))?;
        if self.global.config.is_some() {
            let words = self.words.first().and_then(|word| word.to_str()).unwrap_or_default();
            let file = if GROUPS.contains(&words) { format!("; see {words} -c FILE") } else { String::new() };
            ctx.talk.info(format!("-c before the command has no effect here{file}"));
        }
        match cli.group {
            Group::Completion(options) => completion::run(&options, ctx),
            Group::Keyserver(group) => run_in("keyserver", group.options, group.command, keyserver::run, ctx),
            Group::Registry(group) => run_in("registry", group.options, group.command, registry::run, ctx),
            Group::Remote(group) => run_in("remote", group.options, group.command, remote::run, ctx),
            // Without a URI this reports what is missing, whatever the source of the image.
            Group::Pull(options) if options.uri().is_none() => {
                pull::run(&options, &mut Session::new(ctx, "pull", None))
            }
            Group::Pull(options) if !ours => {
                let uri = options.uri().map(|uri| uri.to_string_lossy()).unwrap_or_default();
                Err(not_a_library("pull", &uri, ctx))
            }
            Group::Push(options) if !ours => Err(not_a_library("push", options.uri(), ctx)),
            Group::Delete(options) if !ours => Err(not_a_library("delete", options.uri(), ctx)),
            Group::Delete(options) => delete::run(&options, &mut Session::new(ctx, "delete", None)),
            Group::Pull(options) => pull::run(&options, &mut Session::new(ctx, "pull", None)),
            Group::Push(options) => push::run(&options, &mut Session::new(ctx, "push", None)),
            Group::Search(options) => search::run(&options, &mut Session::new(ctx, "search", None)),
        }
    }
}

/// Runs a command of a group. Without a command, prints the group's version or help.
fn run_in<C>(
    group: &str,
    options: GroupOptions,
    command: Option<C>,
    run: impl FnOnce(C, &mut Session) -> Result<()>,
    ctx: &mut Context,
) -> Result<()> {
    match command {
        // The real program has its own version, so this one is printed under its own name.
        _ if options.version => ctx.print(&format!("apptainer-remote {}\n", version())),
        Some(command) => run(command, &mut Session::new(ctx, "", options.user_layer)),
        None => print_short_help(Some(group), ctx),
    }
}

fn is_library(word: &OsStr) -> bool {
    word.to_str().is_some_and(LibraryRef::is_one)
}
