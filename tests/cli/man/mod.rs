//! docs/man/*.1 are the clap tree as manual pages: `UPDATE=1` writes them, every other run compares. Two
//! independent readers have nothing to say about them.

mod document;

use crate::real::daemon::installed;
use crate::world::finish;
use apptainer_remote::cli;
use apptainer_remote::environment::VARIABLES;
use apptainer_remote::persona::Persona;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/man");

/// Of the last change to the pages; mandoc wants one.
const DATE: &str = "2026-11-25";
/// Input lines no longer than this; readers fill them anew.
const WIDTH: usize = 78;

/// Every page by its file name.
fn pages() -> BTreeMap<String, String> {
    let mut tree = cli::tree(Persona::Apptainer).term_width(100);
    tree.build();
    let mut pages = BTreeMap::new();
    for group in tree.get_subcommands().filter(|sub| sub.get_name() != "help") {
        add(group, None, &mut pages);
    }
    let format = document::page(
        include_str!("../../../docs/remote.yaml.md"),
        "remotes of Apptainer and SingularityCE",
    );
    pages.insert("remote.yaml.5".into(), format);
    pages
}

fn add(command: &clap::Command, parent: Option<&str>, pages: &mut BTreeMap<String, String>) {
    let name = page_name(command);
    pages.insert(format!("{name}.1"), page(command, parent));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        add(sub, Some(&name), pages);
    }
}

/// `apptainer-remote-add`, as manual pages of commands of commands are called.
fn page_name(command: &clap::Command) -> String {
    command.get_bin_name().unwrap().replace(' ', "-")
}

/// One page, in the order in which manual pages have their sections.
fn page(command: &clap::Command, parent: Option<&str>) -> String {
    let name = page_name(command);
    let words = command.get_bin_name().unwrap().split(' ').skip(1).collect::<Vec<_>>().join(" ");
    let mut page = Page::default();
    let version = cli::version();
    page.line(&format!(
        ".TH {} 1 {DATE} \"apptainer-remote {version}\" \"User Commands\"",
        name.to_uppercase()
    ));
    page.section("NAME");
    page.text(&format!("{name} - {}", command.get_about().unwrap()));
    page.section("SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    page.text(usage.trim_start_matches("Usage: "));
    page.section("DESCRIPTION");
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    // Its first paragraph is the line of NAME.
    for (at, paragraph) in long.split("\n\n").skip(1).enumerate() {
        if at > 0 {
            page.line(".PP");
        }
        page.text(&paragraph.replace('\n', " "));
    }
    if long.is_empty() {
        page.text(&format!("{}.", command.get_about().unwrap()));
    }
    // What comes before the examples belongs to the description.
    let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let (more, examples) = match after.split_once("Examples:\n") {
        Some((more, examples)) => (more.trim().to_string(), Some(examples.to_string())),
        None => (after.trim().to_string(), None),
    };
    if !more.is_empty() {
        page.line(".PP");
        page.text(&more);
    }
    page.list(
        "COMMANDS",
        command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
            .map(|sub| (format!("\\fB{}\\fR", escape(sub.get_name())), sub.get_about().unwrap().to_string())),
    );
    page.list("ARGUMENTS", command.get_positionals().map(|arg| (value(arg), help(arg))));
    for (section, global) in [("OPTIONS", false), ("GLOBAL OPTIONS", true)] {
        let options = command.get_opts().chain(switches(command)).filter(|arg| !arg.is_hide_set());
        let options = options.filter(|arg| (arg.get_help_heading() == Some("Global options")) == global);
        page.list(section, options.map(|arg| (option(arg), help(arg))));
    }
    if let Some(examples) = &examples {
        page.section("EXAMPLES");
        page.line(".nf");
        for line in examples.trim_end().lines() {
            page.line(&escape(line.trim()));
        }
        page.line(".fi");
    }
    let read = VARIABLES.iter().filter(|variable| variable.is_read_by(&words));
    page.list(
        "ENVIRONMENT",
        read.map(|variable| {
            (
                format!("\\fB{}\\fR", escape(&variable.full_name())),
                format!("{}.", variable.what.replace('`', "")),
            )
        }),
    );
    page.list("EXIT STATUS", EXITS.iter().map(|(status, what)| (status.to_string(), what.to_string())));
    page.list(
        "FILES",
        FILES.iter().map(|(file, what)| (format!("\\fI{}\\fR", escape(file)), what.to_string())),
    );
    page.section("SEE ALSO");
    let children = command.get_subcommands().filter(|sub| sub.get_name() != "help").map(page_name);
    let related: Vec<String> = match parent {
        Some(parent) => vec![parent.to_string()],
        None => children.collect(),
    };
    let related = if related.is_empty() { vec!["apptainer-remote".to_string()] } else { related };
    for (at, other) in related.iter().enumerate() {
        let comma = if at + 1 < related.len() { " ," } else { "" };
        page.line(&format!(".BR {} (1){comma}", escape(other)));
    }
    page.0
}

const EXITS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "The command line is wrong; nothing was done."),
    ("255", "The command failed; a hint names what to type next."),
    ("141", "The reader of standard output went away."),
];

const FILES: &[(&str, &str)] = &[
    ("~/.apptainer/remote.yaml", "Your own remotes, tokens and logins."),
    (
        "/etc/apptainer/remote.yaml",
        "The global remotes, or etc/apptainer/remote.yaml beside the program's directory.",
    ),
    ("~/.docker/config.json", "Logins to registries, unless docker-config.json is in ~/.apptainer."),
];

fn switches(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional() && !arg.get_action().takes_values())
}

fn value(arg: &clap::Arg) -> String {
    let names: Vec<String> =
        arg.get_value_names().unwrap_or_default().iter().map(|name| escape(name)).collect();
    format!("\\fI{}\\fR", names.join(" "))
}

fn option(arg: &clap::Arg) -> String {
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR"));
    let long = arg.get_long().map(|long| format!("\\fB\\-\\-{}\\fR", escape(long)));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let value = if arg.get_action().takes_values() { format!(" {}", value(arg)) } else { String::new() };
    format!("{}{value}", names.join(", "))
}

fn help(arg: &clap::Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split(" (see ").next().unwrap();
    let values = if arg.is_hide_possible_values_set() { Vec::new() } else { arg.get_possible_values() };
    let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    match values.is_empty() || !arg.get_action().takes_values() {
        true => format!("{help}."),
        false => format!("{help}: {}.", values.join(", ")),
    }
}

/// Text in which nothing is a command or a hyphen that may be broken.
fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('…', "...").replace('-', "\\-").replace('\'', "\\(aq")
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.line(&format!(".SH {name}"));
    }

    /// A paragraph, in lines of bounded length, none of which begins as a request does.
    fn text(&mut self, text: &str) {
        self.words(&escape(text));
    }

    /// As `text`, for what is escaped already.
    fn words(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.line(&std::mem::take(&mut line));
            }
            if line.is_empty() && word.starts_with('.') {
                line += "\\&";
            } else if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        self.line(&line);
    }

    fn list(&mut self, section: &str, items: impl Iterator<Item = (String, String)>) {
        for (at, (head, text)) in items.enumerate() {
            if at == 0 {
                self.section(section);
            }
            self.line(".TP");
            self.line(&head);
            self.text(&text);
        }
    }
}

#[test]
fn pages_are_current() {
    let pages = pages();
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(DIRECTORY);
        fs::create_dir_all(DIRECTORY).unwrap();
        for (name, text) in &pages {
            fs::write(Path::new(DIRECTORY).join(name), text).unwrap();
        }
    }
    let there: BTreeMap<String, String> = fs::read_dir(DIRECTORY)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    assert!(there == pages, "docs/man is not what the program says: UPDATE=1 cargo test --test cli man");
}

#[test]
fn man_and_mandoc_read_them_without_complaint() {
    if !installed(&["man", "mandoc"]) {
        return;
    }
    for entry in fs::read_dir(DIRECTORY).unwrap() {
        let path = entry.unwrap().path();
        let shown = finish(Command::new("/usr/bin/mandoc").args(["-T", "lint"]).arg(&path));
        assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("", ""), "{}", path.display());
        let mut man = Command::new("/usr/bin/man");
        man.args(["--warnings", "-E", "UTF-8", "-l"])
            .arg(&path)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8");
        let shown = finish(&mut man).exits(0);
        assert_eq!(shown.stderr, "", "{}", path.display());
        let sections: &[&str] = if path.extension().is_some_and(|section| section == "5") {
            &["DESCRIPTION", "FORMAT"]
        } else {
            &["SYNOPSIS", "OPTIONS", "ENVIRONMENT"]
        };
        for section in sections {
            assert!(shown.stdout.contains(section), "{section}: {}", path.display());
        }
    }
}
