//! Computes completion candidates from the clap tree, the user's own names, and the next program in PATH.
//!
//! Request and response use the protocol of Apptainer's own scripts, so those scripts work too. The arguments are
//! the words before the cursor, then the unfinished word. The output has one candidate per line, followed by a
//! tab and its description. The last line is `:N`, the sum of the directives.

use super::candidates::{Answer, Completes, FILES, NO_FILES};
use super::{known, other};
use crate::commands::images::{self, SHARED};
use crate::commands::{keyserver, registry, remote};
use crate::context::Context;
use crate::environment::truth;
use crate::error::Result;
use crate::message::escape;
use clap::{Arg, Command};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Prints the candidates for a shell, based on the commands of `tree`. Invalid files cause no failure, and no
/// network request is sent. Without `descriptions`, only the candidates are printed.
///
/// # Errors
/// Writing to standard output failed.
pub(crate) fn answer(
    words: &[OsString],
    descriptions: bool,
    tree: &Command,
    ctx: &mut Context,
) -> Result<()> {
    // A message would appear in the middle of the user's command line.
    ctx.talk.configure(i8::MIN, || false);
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let answer = of(&words, tree, ctx);
    let mut text = String::new();
    for (candidate, description) in &answer.candidates {
        // Candidates are separated by line breaks, so a name that contains one cannot be offered.
        if candidate.contains(char::is_control) {
            continue;
        }
        text.push_str(&escape(candidate));
        let description = description.lines().next().unwrap_or_default();
        if descriptions && !description.is_empty() {
            let _ = write!(text, "\t{}", escape(description));
        }
        text.push('\n');
    }
    let _ = writeln!(text, ":{}", answer.directive);
    ctx.print(&text)?;
    ctx.talk.prompt(&format!("Completion ended with directive: {}\n", directive_names(answer.directive)));
    Ok(())
}

/// A directive under its cobra names. Apptainer's scripts ignore this line; people use it for debugging.
fn directive_names(directive: u32) -> String {
    const NAMES: [&str; 6] = ["Error", "NoSpace", "NoFileComp", "FilterFileExt", "FilterDirs", "KeepOrder"];
    let set = NAMES.iter().enumerate().filter(|(bit, _)| directive & (1 << bit) != 0);
    let names: Vec<String> = set.map(|(_, name)| format!("ShellCompDirective{name}")).collect();
    if names.is_empty() { "ShellCompDirectiveDefault".into() } else { names.join(", ") }
}

fn of(words: &[String], tree: &Command, ctx: &mut Context) -> Answer {
    let (before, partial) = match words.split_last() {
        Some((partial, before)) => (before, partial.as_str()),
        None => (&[][..], ""),
    };
    let Some(at) = first_command(before) else {
        if before.last().is_some_and(|word| word == "-c" || word == "--config") {
            return Answer { directive: FILES, ..Answer::default() };
        }
        return first_word(words, partial, tree, ctx);
    };
    let mut built = tree.clone();
    built.build();
    let (rest, word) = (&before[at + 1..], before[at].as_str());
    let is_group = |command: &&Command| command.has_subcommands();
    match (word, built.find_subcommand(word)) {
        ("help", _) => match rest.first().map(|word| built.find_subcommand(word).filter(is_group)) {
            None => first_word(words, partial, tree, ctx).without(&["help"]),
            Some(Some(_)) => help_of(&built, rest, partial),
            Some(None) => other::ask(words, ctx).unwrap_or_default(),
        },
        ("completion", _) => shells(words, rest, partial, ctx),
        (_, Some(group)) if is_group(&group) => Walk::through(group, rest).answer(partial, ctx),
        (_, Some(command)) => of_images(words, command, rest, partial, ctx),
        _ => other::ask(words, ctx).unwrap_or_default(),
    }
}

/// Completes an image command. The real program has more options for some of these commands, so it is asked
/// first.
fn of_images(
    words: &[String],
    command: &Command,
    rest: &[String],
    partial: &str,
    ctx: &mut Context,
) -> Answer {
    let others = SHARED.contains(&command.get_name()).then(|| other::ask(words, ctx)).flatten();
    others.unwrap_or_else(|| Walk::through(command, rest).answer(partial, ctx))
}

/// The index of the first word that is not a global option, or `None` if all words are options.
fn first_command(before: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = before.get(at) {
        match word.as_str() {
            "-c" | "--config" => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
    None
}

/// Completes a command or a global option: those of this program and those of the next one in PATH.
fn first_word(words: &[String], partial: &str, tree: &Command, ctx: &mut Context) -> Answer {
    let mut own: Vec<(String, String)> = if partial.starts_with('-') {
        options(tree, &[])
    } else {
        let help = ("help".to_string(), "Help about any command".to_string());
        tree.get_subcommands().map(described).chain([help]).collect()
    };
    own.retain(|(candidate, _)| candidate.starts_with(partial));
    let others = other::ask(words, ctx).unwrap_or_default().candidates;
    let known: HashSet<String> = own.iter().map(|(candidate, _)| candidate.clone()).collect();
    own.extend(
        others
            .into_iter()
            .filter(|(candidate, _)| candidate.starts_with(partial) && !known.contains(candidate)),
    );
    own.sort();
    Answer { candidates: own, directive: NO_FILES }
}

/// The subcommands of a group, for `help GROUP`.
fn help_of(tree: &Command, rest: &[String], partial: &str) -> Answer {
    let command = rest.iter().try_fold(tree, |command, word| command.find_subcommand(word));
    let candidates = command.map(|command| subcommands(command, partial)).unwrap_or_default();
    Answer { candidates, directive: NO_FILES }
}

fn shells(words: &[String], rest: &[String], partial: &str, ctx: &mut Context) -> Answer {
    let mut answer = other::ask(words, ctx).unwrap_or_default();
    if rest.is_empty() && !partial.starts_with('-') {
        for shell in ["zsh", "fish", "bash"].into_iter().filter(|shell| shell.starts_with(partial)) {
            if !answer.candidates.iter().any(|(candidate, _)| candidate == shell) {
                answer.candidates.insert(0, (shell.to_string(), String::new()));
            }
        }
    }
    Answer { directive: NO_FILES, ..answer }
}

impl Answer {
    fn without(mut self, names: &[&str]) -> Self {
        self.candidates.retain(|(candidate, _)| !names.contains(&candidate.as_str()));
        self
    }
}

fn described(command: &Command) -> (String, String) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    (command.get_name().to_string(), about)
}

fn subcommands(command: &Command, partial: &str) -> Vec<(String, String)> {
    let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help");
    visible.map(described).filter(|(name, _)| name.starts_with(partial)).collect()
}

/// The options of a command that are not on the command line yet.
fn options(command: &Command, given: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()) {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        if !given.contains(&arg.get_id().as_str()) {
            all.extend(arg.get_long().map(|long| (format!("--{long}"), help.clone())));
            all.extend(arg.get_short().map(|short| (format!("-{short}"), help)));
        }
    }
    all
}

/// The state after parsing the words that follow a command or group.
struct Walk<'a> {
    command: &'a Command,
    /// The names of the commands so far, e.g. `remote use`.
    path: Vec<&'a str>,
    positionals: Vec<&'a str>,
    given: Vec<&'a str>,
    /// The option whose value is the next word.
    pending: Option<&'a Arg>,
    /// `--` was given.
    only_positionals: bool,
    /// The group's `--config FILE`.
    user_layer: Option<PathBuf>,
}

impl<'a> Walk<'a> {
    fn through(group: &'a Command, words: &'a [String]) -> Self {
        let mut walk = Self {
            command: group,
            path: vec![group.get_name()],
            positionals: Vec::new(),
            given: Vec::new(),
            pending: None,
            only_positionals: false,
            user_layer: None,
        };
        words.iter().for_each(|word| walk.step(word));
        walk
    }

    fn step(&mut self, word: &'a str) {
        if let Some(arg) = self.pending.take() {
            self.keep(arg, word);
            return;
        }
        if word == "--" {
            self.only_positionals = true;
        } else if word.starts_with('-') && word.len() > 1 && !self.only_positionals {
            self.note_given(word);
            if let Some(arg) = find_option(self.command, word) {
                if let Some((_, value)) = word.split_once('=') {
                    self.keep(arg, value);
                    if !arg.get_action().takes_values() && truth(value) == Some(false) {
                        self.given.retain(|given| *given != arg.get_id().as_str());
                    }
                }
                let alone = !word.contains('=') && (word.starts_with("--") || word.len() == 2);
                self.pending = (arg.get_action().takes_values() && alone).then_some(arg);
            }
        } else if let (true, Some(sub)) = (self.positionals.is_empty(), self.command.find_subcommand(word)) {
            self.command = sub;
            self.path.push(sub.get_name());
            self.given.clear();
        } else {
            self.positionals.push(word);
        }
    }

    /// Records every option in `word`, which may combine several letters (`-gj`).
    fn note_given(&mut self, word: &str) {
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        if name.starts_with("--") {
            self.given.extend(find_option(self.command, name).map(|arg| arg.get_id().as_str()));
            return;
        }
        for letter in name.chars().skip(1) {
            let arg = self.command.get_arguments().find(|arg| arg.get_short() == Some(letter));
            self.given.extend(arg.map(|arg| arg.get_id().as_str()));
        }
    }

    fn keep(&mut self, option: &Arg, value: &str) {
        if option.get_id() == "user_layer" {
            self.user_layer = Some(PathBuf::from(value));
        }
    }

    fn answer(&self, partial: &str, ctx: &mut Context) -> Answer {
        if let Some(arg) = self.pending {
            return value_of(arg);
        }
        if partial.starts_with('-') && !self.only_positionals {
            if let Some((name, _)) = partial.split_once('=') {
                return find_option(self.command, name).map_or_else(nothing, value_of);
            }
            let mut candidates = options(self.command, &self.given);
            candidates.retain(|(candidate, _)| candidate.starts_with(partial));
            return Answer { candidates, directive: NO_FILES };
        }
        if self.command.has_subcommands() {
            return Answer { candidates: subcommands(self.command, partial), directive: NO_FILES };
        }
        let next = self.next();
        if next == Completes::File {
            return Answer { directive: FILES, ..Answer::default() };
        }
        let mut answer = nothing();
        let first = self.positionals.first().copied();
        answer.candidates = known::names(next, first, self.user_layer.clone(), ctx);
        answer.candidates.retain(|(candidate, _)| candidate.starts_with(partial));
        answer
    }

    /// The kind of the next argument.
    fn next(&self) -> Completes {
        let positionals = match self.path.as_slice() {
            ["keyserver", name] => keyserver::positionals(name),
            ["registry", name] => registry::positionals(name),
            ["remote", name] => remote::positionals(name),
            [name] => images::positionals(name),
            _ => None,
        };
        let next = positionals.and_then(|all| all.get(self.positionals.len())).copied();
        let global = self.given.contains(&"global") || self.given.contains(&"exclusive");
        match next.unwrap_or(Completes::Nothing) {
            Completes::Remote | Completes::OwnRemote if global => Completes::GlobalRemote,
            Completes::Logout if self.given.contains(&"all") => Completes::Nothing,
            next => next,
        }
    }
}

fn nothing() -> Answer {
    Answer { directive: NO_FILES, ..Answer::default() }
}

/// Completes an option's value: files if the value name is FILE or DIR, else nothing.
fn value_of(arg: &Arg) -> Answer {
    let names = arg.get_value_names().unwrap_or_default();
    let directive = if names.iter().any(|name| *name == "FILE" || *name == "DIR") { FILES } else { NO_FILES };
    Answer { directive, ..Answer::default() }
}

fn find_option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        // If several letters are combined, only the last one can take a value.
        None => arg.get_short().is_some_and(|short| name.ends_with(short)),
    })
}
