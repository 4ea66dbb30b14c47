//! The clap trees: one for display, and one that parses a command line like the real programs do.

use super::options::GlobalOptions;
use crate::commands::images::{delete, pull, push, search};
use crate::commands::{completion, keyserver, registry, remote};
use crate::environment::{VARIABLES, truth};
use crate::persona::Persona;
use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{Resettable, StyledStr, TypedValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, Command, CommandFactory, Parser, Subcommand};
use std::any::TypeId;
use std::ffi::{OsStr, OsString};

/// How clap shows a switch's optional value. It is removed from messages, because users need not know about it.
pub(super) const OPTIONAL_VALUE: &str = "[=<BOOL>]";

/// The command groups of this program. Other commands are passed to the next program in PATH.
pub(super) const GROUPS: &[&str] = &["keyserver", "registry", "remote"];

/// Manage remote endpoints, keyservers and registry logins, and library images
#[derive(Parser)]
#[command(name = "apptainer", disable_version_flag = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: GlobalOptions,
    #[command(subcommand)]
    pub group: Group,
}

#[derive(Subcommand)]
pub(super) enum Group {
    Completion(completion::Options),
    Delete(delete::Options),
    Keyserver(keyserver::Group),
    Pull(pull::Options),
    Push(push::Options),
    Registry(registry::Group),
    Remote(remote::Group),
    Search(search::Options),
}

/// The clap tree for help, completion and documentation, with the persona's name.
pub fn tree(persona: Persona) -> Command {
    let command = as_shown(whole(persona).mut_args(global_options)).styles(STYLES);
    with_variables(in_words_of(command, persona), "", persona.prefixes()[0])
}

/// The colours that Cargo uses.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Whether a global option may also come after the command.
fn is_global(arg: &Arg) -> bool {
    !matches!(arg.get_id().as_str(), "build_config" | "config" | "version")
}

/// Adds the global options to the help of every command.
fn global_options(arg: Arg) -> Arg {
    let global = is_global(&arg);
    arg.global(global).help_heading("Global options")
}

/// Adds the environment variable to the help of each option that has one. clap could do so too, but it would read
/// the variables itself.
fn with_variables(command: Command, path: &str, prefix: &str) -> Command {
    let of_command = path.to_string();
    let named = |arg: Arg| {
        let id = arg.get_id().as_str();
        let Some(variable) = VARIABLES.iter().find(|variable| variable.is_for(&of_command, id)) else {
            return arg;
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.long_help(format!("{help}\n[env: {}]", variable.name_after(prefix)))
    };
    let below = |sub: Command| {
        let path = format!("{path} {}", sub.get_name());
        with_variables(sub, path.trim_start(), prefix)
    };
    command.mut_args(named).mut_subcommands(below)
}

/// The tree that parses a command line and reports errors. Its help is not shown to users.
pub(super) fn reader(persona: Persona) -> Command {
    as_read(whole(persona))
}

fn whole(persona: Persona) -> Command {
    // clap cannot express that the first of two arguments is the optional one: it would show both as optional.
    let usage = format!("{} pull [OPTIONS] [OUTPUT] <URI>", persona.name());
    Cli::command().name(persona.name()).mut_subcommands(|sub| match sub.get_name() {
        "pull" => sub.override_usage(&usage),
        _ => sub,
    })
}

/// Parses the global options before the command. The command may belong to another program, so its words are left
/// unchanged.
pub(super) fn beginning(persona: Persona) -> Command {
    let command = GlobalOptions::augment_args(Command::new(persona.name()));
    let command = command.allow_external_subcommands(true).disable_help_subcommand(true);
    as_read(command.external_subcommand_value_parser(ValueParser::os_string()))
}

/// The parser for just the requested command, because building all commands takes longer than running most of
/// them. It accepts only what the whole tree accepts. If it fails, the whole tree parses again to get the error
/// message.
pub(super) fn quick(words: &[OsString], persona: Persona) -> Option<Command> {
    let (group, rest) = words.split_first()?;
    let mut rest = rest.iter().filter_map(|word| word.to_str());
    let command = match group.to_str()? {
        "keyserver" => rest.find_map(keyserver::only)?,
        "registry" => rest.find_map(registry::only)?,
        "remote" => rest.find_map(remote::only)?,
        "delete" => delete::Options::augment_args(Command::new("delete")),
        "pull" => pull::Options::augment_args(Command::new("pull")),
        "push" => push::Options::augment_args(Command::new("push")),
        "search" => search::Options::augment_args(Command::new("search")),
        _ => return None,
    };
    let root = GlobalOptions::augment_args(Command::new(persona.name()));
    Some(as_read(root.subcommand(command)))
}

/// Hides the optional values of switches.
fn as_shown(command: Command) -> Command {
    let plain = |arg: Arg| if is_switch(&arg) { arg.action(ArgAction::SetTrue) } else { arg };
    command.mut_args(plain).mut_subcommands(as_shown)
}

/// Makes clap parse options like Go does: a switch may have a value, the last one of repeated options wins, and
/// global options may also come after the command. `--help` is a switch like any other.
fn as_read(command: Command) -> Command {
    let anywhere = |arg: Arg| {
        let global = is_global(&arg);
        arg.global(global)
    };
    let command = options_as_read(command.mut_args(anywhere)).disable_help_flag(true);
    let help = |name, arg: Arg| {
        let id = arg.get_id().clone();
        with_optional_value(arg).value_parser(HelpSwitch(name)).overrides_with(id).global(true)
    };
    let command = command.arg(help("-h", Arg::new("short_help").short('h')));
    command.arg(help("--help", Arg::new("long_help").long("help")))
}

fn options_as_read(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let arg = if is_switch(&arg) { with_optional_value(arg) } else { arg };
        // A repeated option that names a secret is a mistake.
        if arg.is_positional() || matches!(arg.get_id().as_str(), "tokenfile" | "password") {
            return arg;
        }
        let id = arg.get_id().clone();
        let arg = match id.as_str() {
            "color" => arg.overrides_with("nocolor"),
            "nocolor" => arg.overrides_with("color"),
            _ => arg,
        };
        arg.overrides_with(id)
    });
    command.mut_subcommands(options_as_read)
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue) || arg.get_value_parser().type_id() == TypeId::of::<bool>()
}

/// Gives a switch an optional value. A switch without an environment variable defaults to false.
fn with_optional_value(arg: Arg) -> Arg {
    let default = match arg.get_action() {
        ArgAction::SetTrue => Resettable::Value("false".into()),
        _ => Resettable::Reset,
    };
    let arg = arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).value_name("BOOL");
    arg.default_missing_value("true").default_value(default).value_parser(switch)
}

fn switch(text: &str) -> Result<bool, &'static str> {
    truth(text).ok_or("must be true or false")
}

/// `--help`, which stops parsing, and `--help=false`, which does nothing. Contains the option's name.
#[derive(Clone)]
struct HelpSwitch(&'static str);

impl TypedValueParser for HelpSwitch {
    type Value = bool;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<bool, clap::Error> {
        if !TypedValueParser::parse_ref(&switch, command, arg, value)? {
            return Ok(false);
        }
        let words = path(command).map(String::from).collect();
        let mut error = clap::Error::new(ErrorKind::DisplayHelp).with_cmd(command);
        error.insert(ContextKind::InvalidArg, ContextValue::String(self.0.into()));
        error.insert(ContextKind::Custom, ContextValue::Strings(words));
        Err(error)
    }
}

/// The words that name a command of a built tree, from the group down: `remote`, `login`.
pub(super) fn path(command: &Command) -> impl Iterator<Item = &str> {
    command.get_bin_name().unwrap_or_default().split(' ').skip(1)
}

/// Removes empty words, which count as absent, and the options that have them as values.
pub(super) fn without_empty(words: &[OsString], persona: Persona) -> Vec<OsString> {
    let empty = |word: &OsString| word.is_empty() || word.as_encoded_bytes().ends_with(b"=");
    if !words.iter().any(empty) {
        return words.to_vec();
    }
    let root = reader(persona);
    let (mut command, mut options) = (&root, true);
    let mut kept: Vec<OsString> = Vec::with_capacity(words.len());
    // Whether the last word is an option that still needs its value.
    let mut waiting = false;
    for word in words {
        let text = word.to_string_lossy();
        let is_value = std::mem::replace(&mut waiting, false);
        if text.is_empty() {
            if let Some(option) = is_value.then(|| kept.pop()).flatten() {
                kept.extend(without_last_letter(&option));
            }
            continue;
        }
        if !is_value && options && text.starts_with('-') {
            options = text != "--";
            let (name, value) =
                text.split_once('=').map_or((&*text, None), |(name, value)| (name, Some(value)));
            let takes_value = takes_value(name, &[&root, command]);
            if takes_value && value == Some("") {
                continue;
            }
            waiting = takes_value && value.is_none();
        } else if !is_value && let Some(sub) = command.find_subcommand(word) {
            command = sub;
        }
        kept.push(word.clone());
    }
    kept
}

/// Removes the last option of `-abc`. `None` for `-c` and `--name`.
fn without_last_letter(option: &OsStr) -> Option<OsString> {
    let letters = option.to_str()?.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let (last, _) = letters.char_indices().next_back()?;
    (last > 0).then(|| format!("-{}", &letters[..last]).into())
}

/// Whether `--name`, or the last letter of `-abc`, is an option that takes the next word as its value.
fn takes_value(name: &str, commands: &[&Command]) -> bool {
    let mut all = commands.iter().flat_map(|command| command.get_arguments());
    let found = all.find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| name.ends_with(short)),
    });
    found.is_some_and(|arg| arg.get_action().takes_values() && !arg.is_require_equals_set())
}

/// Replaces `{prog}` by the program's name in all help texts.
fn in_words_of(command: Command, persona: Persona) -> Command {
    let place = |arg: Arg| match arg.get_help().map(ToString::to_string) {
        Some(help) if help.contains("~/.apptainer") => {
            arg.help(help.replace("~/.apptainer", &format!("~/.{}", persona.name())))
        }
        _ => arg,
    };
    let mut command = command.mut_args(place).mut_subcommands(|sub| in_words_of(sub, persona));
    for (get, set) in [
        (Command::get_after_help as fn(&Command) -> Option<&StyledStr>, true),
        (Command::get_after_long_help, false),
    ] {
        if let Some(text) = get(&command) {
            let text = text.to_string().replace("{prog}", persona.name());
            command = if set { command.after_help(text) } else { command.after_long_help(text) };
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(|word| word.trim_matches('\'').into()).collect()
    }

    #[test]
    fn trees_pass_the_checks_of_clap() {
        for persona in [Persona::Apptainer, Persona::Singularity] {
            tree(persona).debug_assert();
            reader(persona).debug_assert();
            beginning(persona).debug_assert();
        }
    }

    #[test]
    fn single_command_parsers_match_the_whole_tree() {
        let whole = reader(Persona::Apptainer);
        let shape = |command: &Command| {
            let arguments = command.get_arguments().map(|arg| format!("{arg:?}")).collect::<Vec<_>>();
            (command.get_name().to_string(), arguments)
        };
        let alone = |line: &str| quick(&words(line), Persona::Apptainer);
        let mut commands = 0;
        for group in whole.get_subcommands() {
            let names: Vec<_> = group.get_subcommands().collect();
            for command in &names {
                let root = alone(&format!("{} -c f {}", group.get_name(), command.get_name()));
                let root = root.expect("it is known");
                let only = root.get_subcommands().next().expect("the group");
                assert_eq!(shape(only), shape(group));
                assert_eq!(shape(only.get_subcommands().next().expect("the command")), shape(command));
                commands += 1;
            }
            if names.is_empty() && group.get_name() != "completion" {
                let root = alone(group.get_name()).expect("it is known");
                assert_eq!(shape(root.get_subcommands().next().expect("the command")), shape(group));
                commands += 1;
            }
        }
        assert_eq!(commands, 12 + 5 + 3 + 4);
        assert!(alone("remote").is_none() && alone("remote lits").is_none());
    }

    #[test]
    fn every_argument_has_a_completion_kind() {
        let mut wrong = Vec::new();
        for group in reader(Persona::Apptainer).get_subcommands() {
            let positionals = |name: &str| match group.get_name() {
                "keyserver" => keyserver::positionals(name),
                "registry" => registry::positionals(name),
                "remote" => remote::positionals(name),
                _ => crate::commands::images::positionals(name),
            };
            let alone = [group].into_iter().filter(|group| !group.has_subcommands());
            for command in alone.chain(group.get_subcommands()).filter(|one| one.get_name() != "completion") {
                let arguments = command.get_positionals().count();
                if positionals(command.get_name()).map(<[_]>::len) != Some(arguments) {
                    wrong.push(format!(
                        "{} {} has {arguments} arguments: name each in POSITIONALS of its file",
                        group.get_name(),
                        command.get_name()
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn empty_words_are_removed() {
        for (typed, read) in [
            ("remote login ''", "remote login"),
            ("remote -c '' list", "remote list"),
            ("remote list -jc ''", "remote list -j"),
            ("remote list --config= a", "remote list a"),
            ("remote login --tokenfile '' '' lab", "remote login lab"),
            ("remote login --tokenfile= lab", "remote login lab"),
            ("remote list --json=", "remote list --json="),
            ("remote list -j ''", "remote list -j"),
            ("pull --name --dir ''", "pull --name --dir"),
            ("pull -- --dir= ''", "pull -- --dir="),
            ("push -D 'x' '' b", "push -D x b"),
            ("remote add a b=", "remote add a b="),
        ] {
            assert_eq!(without_empty(&words(typed), Persona::Apptainer), words(read), "{typed}");
        }
    }
}
