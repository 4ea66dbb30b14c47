//! The command line: global options, the clap tree, the one dispatch.
//!
//! What stands before the group is looked at by hand and first, since most of it decides only whether the
//! command is ours at all: a command of the real program must not be judged by our tree.

use crate::commands::completion::{self, Shell};
use crate::commands::library::{delete, pull, push, search};
use crate::commands::session::Session;
use crate::commands::{keyserver, library, registry, remote};
use crate::context::{Context, is_true};
use crate::error::{Failure, Result};
use crate::message::{Level, escape};
use crate::passthrough;
use crate::persona::Persona;
use crate::uri::LibraryRef;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::collections::BTreeSet;
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
    Completion(completion::Options),
    Delete(delete::Options),
    Keyserver(keyserver::Group),
    Pull(pull::Options),
    Push(push::Options),
    Registry(registry::Group),
    Remote(remote::Group),
    Search(search::Options),
}

/// What the words before the group decide.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    /// One of our groups, or help of one.
    Ours,
    /// A command that the real program has too, for images from elsewhere: its arguments decide.
    Library(&'static str),
    /// `--version` (true: with the program's name) or `version`.
    Version(bool),
    /// No command at all, or help of none.
    Help,
    /// A shell asks what could stand where the cursor is, with (true) descriptions.
    Complete(bool),
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
    match route {
        Route::Ours => return ours(args, ctx),
        Route::Library(command) if is_ours(command, args, ctx) => return ours(args, ctx),
        Route::Complete(descriptions) => {
            return completion::answer(args.get(2..).unwrap_or_default(), descriptions, ctx);
        }
        _ => {}
    }
    let argv0 = args.first().cloned().unwrap_or_else(|| ctx.program().into());
    if let Some(next) = passthrough::next_program(ctx, &argv0) {
        let error = (ctx.exec)(&next, args);
        return Err(Failure::from(error).context(format!("cannot run {}", next.display())));
    }
    match route {
        Route::Version(true) => ctx.print(&format!("{} version {}\n", ctx.program(), version())),
        Route::Version(false) => ctx.print(&format!("{}\n", version())),
        Route::Help => {
            let help = tree(ctx.persona).term_width((ctx.width)()).render_help().to_string();
            ctx.print(&format!("{help}\n{}\n", who_serves_what(ctx)))
        }
        // Only for shells that we do not know: without another program it is ours to say so.
        Route::Other(word) if word == "completion" => ours(args, ctx),
        Route::Other(word) => Err(not_ours(&word, ctx)),
        Route::Library(command) => nobody_else(command, args, ctx),
        Route::Ours | Route::Complete(_) => unreachable!("taken above"),
    }
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

/// The clap tree in the persona's words.
pub fn tree(persona: Persona) -> Command {
    in_words_of(parser(persona), persona)
}

/// The same without those words, which only help shows and which take a good part of a start.
fn parser(persona: Persona) -> Command {
    // Of two words the first may be left out, which clap cannot tell: it would say that both may be.
    let usage = format!("{} pull [OPTIONS] [OUTPUT] <URI>", persona.name());
    let command = Cli::command().name(persona.name());
    repeatable(command.mut_subcommands(|sub| match sub.get_name() {
        "pull" => sub.override_usage(&usage),
        _ => sub,
    }))
}

/// Lets options stand there twice, the last one counting, as in the real programs: but not those that name
/// a secret, of which two are one too many.
fn repeatable(command: Command) -> Command {
    let secret =
        |arg: &clap::Arg| matches!(arg.get_id().as_str(), "tokenfile" | "password" | "password_stdin");
    let command = command.mut_args(|arg| {
        if secret(&arg) || arg.is_positional() {
            return arg;
        }
        let id = arg.get_id().clone();
        arg.overrides_with(id)
    });
    command.mut_subcommands(repeatable)
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
            "__complete" => return Route::Complete(true),
            "__completeNoDesc" => return Route::Complete(false),
            "completion" => return completion_for(words.as_slice()),
            _ if text.starts_with("--") && is_flag_with_value(text) => {}
            _ if text.starts_with('-') => match cluster(text) {
                Some(Cluster::Complete) => {}
                Some(Cluster::WantsValue) => {
                    words.next();
                }
                None => return Route::Other(word.clone()),
            },
            _ if GROUPS.contains(&text) => return Route::Ours,
            _ => return library_command(text).map_or_else(|| Route::Other(word.clone()), Route::Library),
        }
    }
    Route::Help
}

/// `--debug=true`, as the real program's parser takes it.
fn is_flag_with_value(text: &str) -> bool {
    const FLAGS: [&str; 6] = ["--debug", "--verbose", "--quiet", "--silent", "--nocolor", "--build-config"];
    text.split_once('=').is_some_and(|(flag, value)| FLAGS.contains(&flag) && go_bool(value).is_some())
}

/// Short global options that stand together: `-dq`, `-qcFILE`.
enum Cluster {
    /// Nothing is missing.
    Complete,
    /// The file of `-c` is the next word.
    WantsValue,
}

/// `None` where one of the options is not ours.
fn cluster(text: &str) -> Option<Cluster> {
    let letters =
        text.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'))?;
    let (flags, rest) = match letters.split_once('c') {
        Some((flags, file)) => (flags, Some(file)),
        None => (letters.split_once('=').map_or(letters, |(flags, _)| flags), None),
    };
    flags.chars().all(|flag| "dvqs".contains(flag)).then_some(match rest {
        Some("") => Cluster::WantsValue,
        _ => Cluster::Complete,
    })
}

/// What Go's parser of flags takes for a boolean.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The arguments without the values that the real program's parser lets a switch have: `--global=true` is
/// `--global`, `--global=false` is nothing. What follows `--` stays.
fn without_switch_values(args: &[OsString], tree: &Command) -> Vec<OsString> {
    if !args.iter().any(|word| word.to_string_lossy().contains('=')) {
        return args.to_vec();
    }
    let switches = switches(tree);
    let mut options = true;
    let mut kept = Vec::with_capacity(args.len());
    for word in args {
        options &= word != "--";
        let given = word.to_str().filter(|_| options).and_then(|text| text.split_once('='));
        match given
            .map(|(switch, value)| (switch, switches.contains(switch).then(|| go_bool(value)).flatten()))
        {
            Some((switch, Some(true))) => kept.push(switch.into()),
            Some((_, Some(false))) => {}
            _ => kept.push(word.clone()),
        }
    }
    kept
}

/// Every `-x` and `--long` of the tree that takes no value.
fn switches(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter(|arg| !arg.get_action().takes_values());
    let names = own.flat_map(|arg| {
        let (short, long) =
            (arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(|l| format!("--{l}")));
        short.into_iter().chain(long)
    });
    names.chain(command.get_subcommands().flat_map(switches)).collect()
}

/// `help`, `help GROUP COMMAND`: ours for our groups.
fn help_of(words: &[OsString]) -> Route {
    match words.first() {
        None => Route::Help,
        Some(group) if group == "completion" || GROUPS.iter().any(|ours| group == ours) => Route::Ours,
        Some(other) => other
            .to_str()
            .and_then(library_command)
            .map_or_else(|| Route::Other(other.clone()), Route::Library),
    }
}

/// `completion SHELL`: ours for the shells that we know, and for a word that is an option.
fn completion_for(words: &[OsString]) -> Route {
    match words.first().map(|word| word.to_string_lossy()) {
        Some(shell) if !shell.starts_with('-') && !Shell::is_known(&shell) => {
            Route::Other("completion".into())
        }
        _ => Route::Ours,
    }
}

fn not_ours(word: &OsStr, ctx: &Context) -> Failure {
    let (program, word) = (ctx.program(), word.to_string_lossy());
    let failure = Failure::new(format!(
        "{word:?} is not a command of this program, and no other {program} was found in PATH"
    ));
    let failure = match nearest(&word, ctx.persona) {
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

fn library_command(word: &str) -> Option<&'static str> {
    library::COMMANDS.into_iter().find(|command| *command == word)
}

/// Whether a command for images is ours to run: it is about a library, and has no option that we do not know.
/// What is wrong with one that is about a library is ours to say.
fn is_ours(command: &str, args: &[OsString], ctx: &Context) -> bool {
    match parse(args, ctx) {
        Ok(Cli { group: Group::Pull(options), .. }) => match options.uri() {
            Some(uri) => is_library(uri),
            None => args.iter().any(|word| is_library(word)),
        },
        Ok(Cli { group: Group::Push(options), .. }) => is_library(options.uri().as_ref()),
        Ok(Cli { group: Group::Delete(options), .. }) => {
            is_library(options.uri().as_ref()) || !options.uri().contains("://")
        }
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::UnknownArgument => false,
        Err(_) => !library::SHARED.contains(&command) || args.iter().any(|word| is_library(word)),
    }
}

fn is_library(word: &OsStr) -> bool {
    word.to_str().is_some_and(LibraryRef::is_one)
}

/// A command for images that the other program should have had, if there were one.
fn nobody_else(command: &str, args: &[OsString], ctx: &mut Context) -> Result<()> {
    match parse(args, ctx) {
        Err(error) => clap_answer(error, args, ctx),
        Ok(_) => {
            let program = ctx.program();
            Err(Failure::new(format!(
                "only library:// is this program's to {command}, and no other {program} was found in PATH"
            ))
            .hint(format!("{program} {command} --help")))
        }
    }
}

fn parse(args: &[OsString], ctx: &Context) -> std::result::Result<Cli, clap::Error> {
    let by = |command: Command| {
        let args = without_switch_values(args, &command);
        command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches))
    };
    if let Some(cli) = quick(args).and_then(|command| by(command).ok()) {
        return Ok(cli);
    }
    by(parser(ctx.persona).term_width((ctx.width)()))
}

/// The tree with no more in it than the command that seems to be meant. What it takes, the whole tree takes
/// too; of what it does not take, the whole tree has to say why.
fn quick(args: &[OsString]) -> Option<Command> {
    let mut words = args.iter().skip(1).filter_map(|word| word.to_str());
    let (name, augment): (_, fn(Command) -> Command) = loop {
        match words.next()? {
            "keyserver" => return root(words.find_map(|word| keyserver::only("keyserver", word))?),
            "registry" => return root(words.find_map(|word| registry::only("registry", word))?),
            "remote" => return root(words.find_map(|word| remote::only("remote", word))?),
            "delete" => break ("delete", delete::Options::augment_args),
            "pull" => break ("pull", pull::Options::augment_args),
            "push" => break ("push", push::Options::augment_args),
            "search" => break ("search", search::Options::augment_args),
            _ => {}
        }
    };
    root(augment(Command::new(name)))
}

/// The program with this command alone.
fn root(command: Command) -> Option<Command> {
    let global = GlobalOptions::augment_args(Command::new("apptainer"));
    Some(repeatable(global.subcommand(command)))
}

/// Parses with clap and dispatches.
fn ours(args: &[OsString], ctx: &mut Context) -> Result<()> {
    let cli = match parse(args, ctx) {
        Ok(cli) => cli,
        Err(error) => return clap_answer(error, args, ctx),
    };
    set_messages(ctx, &cli.global);
    match cli.group {
        Group::Completion(options) => completion::run(&options, ctx),
        Group::Keyserver(group) => keyserver::run(group, ctx),
        Group::Registry(group) => registry::run(group, ctx),
        Group::Remote(group) => remote::run(group, ctx),
        Group::Delete(options) => delete::run(&options, &mut Session::new(ctx, None)),
        Group::Pull(options) => pull::run(&options, &mut Session::new(ctx, None)),
        Group::Push(options) => push::run(&options, &mut Session::new(ctx, None)),
        Group::Search(options) => search::run(&options, &mut Session::new(ctx, None)),
    }
}

/// A command line that clap takes and the command does not: in clap's layout, with the usage of the
/// command, named by its words (`remote`, `login`).
pub fn usage_error(ctx: &Context, words: &[&str], message: &str) -> Failure {
    let mut tree = tree(ctx.persona).term_width((ctx.width)());
    tree.build();
    let command = words.iter().try_fold(&mut tree, |command, word| command.find_subcommand_mut(word));
    match command {
        Some(command) => {
            let text = command.error(ErrorKind::ArgumentConflict, message).render().to_string();
            Failure::usage(text.trim_end().to_string())
        }
        None => Failure::usage(message.to_string()),
    }
}

/// Help goes to standard output; a wrong command line is a [`Failure`] of kind Usage with clap's words.
fn clap_answer(error: clap::Error, args: &[OsString], ctx: &mut Context) -> Result<()> {
    let is_help =
        matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    let error = match is_help {
        true => tree(ctx.persona).term_width((ctx.width)()).try_get_matches_from(args).err().unwrap_or(error),
        false => error,
    };
    let mut text = error.render().to_string();
    if is_help {
        let of_command = args.iter().filter(|word| !word.to_string_lossy().starts_with('-')).count();
        let of_command = of_command > 2 + usize::from(args.iter().any(|word| word == "help"));
        return match of_command {
            true => ctx.print(&text),
            false => ctx.print(&format!("{text}\n{}\n", who_serves_what(ctx))),
        };
    }
    // clap repeats what was typed: line breaks and secrets of it are not to be shown.
    for word in args.iter().map(|word| word.to_string_lossy()) {
        for part in [Some(&*word), word.split_once('=').map(|(_, value)| value)].into_iter().flatten() {
            if may_be_secret(part, args) {
                text = text.replace(&format!("'{part}'"), "'…'");
            } else if part.contains('\n') && !part.trim().is_empty() {
                text = text.replace(part, &escape(part));
            }
        }
    }
    let mut text: Vec<_> = text.trim_end().split('\n').map(|line| escape(line).into_owned()).collect();
    if !text.iter().any(|line| line.starts_with("Usage:")) {
        // clap leaves it out where a value is wrong; it belongs before the line that names --help.
        text.insert(text.len() - 1, format!("{}\n", usage_of(args, ctx)));
    }
    Err(Failure::usage(text.join("\n")))
}

/// The usage of the command that the arguments name.
fn usage_of(args: &[OsString], ctx: &Context) -> String {
    let mut tree = tree(ctx.persona).term_width((ctx.width)());
    tree.build();
    let mut command = &mut tree;
    for word in args.iter().skip(1) {
        if command.find_subcommand(word).is_some() {
            command = command.find_subcommand_mut(word).expect("it was just there");
        }
    }
    command.render_usage().to_string().trim_end().to_string()
}

/// An address may hold a password; and whatever stands behind `login` and is no option may be a token.
fn may_be_secret(word: &str, args: &[OsString]) -> bool {
    let login = args.iter().any(|arg| arg == "login");
    word.contains('@') || login && !word.starts_with('-') && word != "login" && !GROUPS.contains(&word)
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
            .map_or(Level::Info as i8, |level| level.max(Level::Error as i8))
    };
    let plain = on(ctx, options.nocolor, "NOCOLOR")
        || ctx.env.get("NO_COLOR").is_some()
        || ctx.env.get("TERM").is_some_and(|term| term == "dumb");
    let terminals = ctx.terminals.clone();
    ctx.talk.configure(level, move || !plain && terminals.stderr());
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
    fn a_command_alone_is_the_one_of_the_whole_tree() {
        let whole = parser(Persona::Apptainer);
        let shape = |command: &Command| {
            let arguments = command.get_arguments().map(|arg| format!("{arg:?}")).collect::<Vec<_>>();
            (command.get_name().to_string(), arguments)
        };
        let alone = |line: &str| quick(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        let mut commands = 0;
        for group in whole.get_subcommands() {
            let names: Vec<_> = group.get_subcommands().collect();
            for command in &names {
                let root = alone(&format!("apptainer -d {} -c f {}", group.get_name(), command.get_name()));
                let root = root.expect("it is known");
                let only = root.get_subcommands().next().expect("the group");
                assert_eq!(shape(only), shape(group));
                assert_eq!(shape(only.get_subcommands().next().expect("the command")), shape(command));
                commands += 1;
            }
            if names.is_empty() && group.get_name() != "completion" {
                let root = alone(&format!("apptainer {}", group.get_name())).expect("it is known");
                assert_eq!(shape(root.get_subcommands().next().expect("the command")), shape(group));
                commands += 1;
            }
        }
        assert_eq!(commands, 11 + 5 + 3 + 4);
        assert!(alone("apptainer remote").is_none() && alone("apptainer remote lits").is_none());
    }

    #[test]
    fn words_before_the_group_decide() {
        for ours in [
            "remote",
            "-d remote list",
            "-dq --nocolor -c f remote",
            "--config=f remote",
            "help remote add",
            "-cx.c remote",
            "-qc x remote",
            "--debug=true -q=1 remote",
        ] {
            assert_eq!(routed(ours), Route::Ours, "{ours}");
        }
        for other in [
            "exec x",
            "--humm remote",
            "-x remote",
            "-",
            "help inspect",
            "-c remote exec",
            "-qcf run",
            "--debug=x remote",
        ] {
            assert!(matches!(routed(other), Route::Other(_)), "{other}");
        }
        for library in ["pull x", "-q push", "help search", "delete"] {
            assert!(matches!(routed(library), Route::Library(_)), "{library}");
        }
        for help in ["", "-q", "help", "-h", "--help remote"] {
            assert_eq!(routed(help), Route::Help, "{help}");
        }
        assert_eq!(routed("-d --version"), Route::Version(true));
        assert_eq!(routed("version"), Route::Version(false));
    }
}
