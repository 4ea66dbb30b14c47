//! Files that are not valid layers, as the user's file and as the global file: the message of every command,
//! and that every command leaves the disk unchanged.

mod odd;

use crate::disk::{Picture, chmod, process};
use crate::peers::wire::PATIENT;
use crate::world::{As, Shown, World, apptainer_alone, is_root, words};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

/// The token in every broken text. No stream may ever show it.
const CANARY: &str = "canary-7f3a";

/// All commands that open the user's layer.
const OF_USERS: &[&str] = &[
    "list",
    "list --all",
    "list --json",
    "status",
    "status --json lab",
    "check",
    "get-login-password",
    "use DefaultRemote",
    "add --no-login new new.example.com",
    "add --no-login --replace lab new.example.com",
    "remove lab",
    "login lab",
    "logout",
    "logout --all",
];

/// All commands of root that open only the global layer.
const OF_ROOT: &[&str] = &[
    "check --global",
    "use --global lab",
    "use --exclusive lab",
    "add --global new new.example.com",
    "add --global --replace lab new.example.com",
    "remove --global lab",
];

/// The file that holds the broken text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layer {
    User,
    Global,
}

impl Layer {
    const BOTH: [Self; 2] = [Self::User, Self::Global];

    fn file(self, world: &World) -> PathBuf {
        if self == Self::User { world.user_file() } else { world.global_file() }
    }

    /// A world with this content in the layer, and a valid file in the other layer.
    fn holding(self, text: impl AsRef<[u8]>) -> World {
        let world = World::new();
        match self {
            Self::User => world.write_user(text),
            Self::Global => {
                world.write_user(
                    "
Remotes:
    own:
        URI: own.example.com
        Token: own-canary
",
                );
                world.write_global(text);
            }
        }
        world
    }

    /// The commands that must refuse an unreadable file in this layer, and who runs them.
    fn commands(self) -> Vec<(As, &'static str)> {
        let users = OF_USERS.iter().map(|line| (As::User, *line));
        match self {
            Self::User => users.collect(),
            Self::Global => users.chain(OF_ROOT.iter().map(|line| (As::Root, *line))).collect(),
        }
    }
}

fn run(world: &World, who: As, line: &str) -> Shown {
    world.pipe("piped-canary\n").run(who, &words(line))
}

/// Runs every command of the layer, plain and with `-d`. Each fails with one FATAL line that has `says`
/// directly after the file name, shows no secret, and leaves the disk unchanged.
#[track_caller]
fn everything_refuses(world: &World, layer: Layer, says: &str) {
    let before = Picture::of(world);
    let fatal = format!("{}{says}", layer.file(world).display());
    for (who, line) in layer.commands() {
        for options in ["", "-d "] {
            let shown = run(world, who, &format!("{options}remote {line}")).exits(255).never_shows("canary");
            let lines: Vec<&str> = shown.stderr.lines().filter(|line| line.starts_with("FATAL:")).collect();
            assert!(matches!(lines[..], [one] if one.contains(&fatal)), "{line}: no {fatal:?} in {shown:#?}");
            assert_eq!(shown.stdout, "", "{line}");
            before.is_still(world, line);
        }
    }
}

/// A remote with the canary as its token, followed by `mistake`.
fn lab(mistake: &str) -> String {
    format!(
        "\
Active: lab
Remotes:
    lab:
        Token: {CANARY}
        URI: lab.example.com
{mistake}"
    )
}

#[test]
fn broken_yaml_is_reported_with_line_column_and_key() {
    let cases: &[(String, &str)] = &[
        // Not YAML at all.
        (lab("   oops: 1\n"), ":6:4: invalid YAML"),
        (lab("\tSystem: true\n"), ":5:14: invalid YAML"),
        (format!("Remotes: {{lab: {{Token: {CANARY}\n"), ":1:16: invalid YAML"),
        (format!("Remotes:\n  lab:\n    Token: \"{CANARY}\n"), ":3:12: invalid YAML"),
        (format!("Remotes:\n  lab:\n    Token: a: {CANARY}\n"), ":3:13: invalid YAML"),
        (format!("Remotes:\n  lab:\n    Token: @{CANARY}\n"), ":3:12: invalid YAML"),
        (format!("Remotes:\n  lab:\n    Token: *{CANARY}\n"), ":3:12: invalid YAML"),
        (format!("Remotes:\n  lab:\n    Token: !{CANARY}!x y\n"), ":3:12: invalid YAML"),
        // Valid YAML that is not a layer.
        (CANARY.into(), ":1:1: expected a mapping"),
        (format!("- {CANARY}\n"), ":1:1: expected a mapping"),
        (format!("Remotes: {CANARY}\n"), ":1:10: Remotes: expected a mapping"),
        (format!("Remotes: [{CANARY}]\n"), ":1:10: Remotes: expected a mapping"),
        (format!("Remotes:\n  lab: {CANARY}\n"), ":2:8: Remotes.lab: expected a mapping"),
        (format!("Remotes:\n  lab:\n    Token: [{CANARY}]\n"), ":3:12: Remotes.lab.Token: expected a string"),
        (
            format!("Remotes:\n  lab:\n    Token: {{a: {CANARY}}}\n"),
            ":3:12: Remotes.lab.Token: expected a string",
        ),
        (
            format!("Remotes:\n  lab:\n    System: {CANARY}\n"),
            ":3:13: Remotes.lab.System: expected true or false",
        ),
        (format!("Active: [{CANARY}]\n"), ":1:9: Active: expected a string"),
        (lab("        Keyservers: canary-x\n"), ":6:21: Remotes.lab.Keyservers: expected a list"),
        (
            lab("        Keyservers:\n            - canary-x\n"),
            ":7:15: Remotes.lab.Keyservers.0: expected a mapping",
        ),
        (lab("Credentials: {a: canary-x}\n"), ":6:14: Credentials: expected a list"),
        (
            lab("Credentials:\n    - URI: docker://h\n      Auth: [canary-x]\n"),
            ":8:13: Credentials.0.Auth: expected a string",
        ),
        (lab("    [canary-x]: {}\n"), ":6:5: Remotes: keys must be strings"),
        (lab("    ~: {URI: h}\n"), ":6:5: Remotes.~: a remote's name must not be null"),
        // Duplicate keys.
        (lab("    lab:\n        URI: canary-x\n"), ":6:5: Remotes.lab: duplicate key"),
        (lab("        Token: canary-x\n"), ":6:9: Remotes.lab.Token: duplicate key"),
        (lab("Active: canary-x\n"), ":6:1: Active: duplicate key"),
        // Two documents.
        (lab("---\nActive: canary-x\n"), ":6:1: only one YAML document is allowed"),
        (lab("...\n---\n"), ":7:1: only one YAML document is allowed"),
        // Quoted booleans.
        (
            lab("        System: \"true\"\n"),
            ":6:17: Remotes.lab.System: expected true or false without quotes",
        ),
        (
            lab("        Exclusive: 'no'\n"),
            ":6:20: Remotes.lab.Exclusive: expected true or false without quotes",
        ),
        // Control characters, which the real programs refuse, and which could control a terminal.
        (lab("        Keyservers: \u{1b}[2J\n"), ":6:21: control characters are not allowed"),
        (lab("\0"), ":6:1: control characters are not allowed"),
    ];
    for layer in Layer::BOTH {
        for (text, says) in cases {
            everything_refuses(&layer.holding(text), layer, says);
        }
    }
}

#[test]
fn invalid_utf_8_is_reported_with_its_position() {
    let latin = [lab("").as_bytes(), b"        Keyservers: caf\xe9 canary\n"].concat();
    let utf_16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(lab("").encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for layer in Layer::BOTH {
        everything_refuses(&layer.holding(&latin), layer, ":6:24: invalid UTF-8");
        everything_refuses(&layer.holding(&utf_16), layer, ":1:1: invalid UTF-8");
    }
}

#[test]
fn huge_deep_and_aliased_files_are_refused_at_once() {
    let laughs = |item: &str| -> String {
        let level = |n: usize| {
            let text = item.replace("PREVIOUS", &format!("[*a{0}, *a{0}, *a{0}]", n - 1));
            format!("a{n}: &a{n} {text}\n")
        };
        (1..30).map(level).collect()
    };
    let merges = laughs("{<<: PREVIOUS}");
    let steps: String = (0..100).map(|n| format!("{}k:\n", " ".repeat(n))).collect();
    let remotes: String = (0..=100_000).map(|n| format!(" r{n}: {{}}\n")).collect();
    let cases = [
        (format!("Token: {}{CANARY}", "[".repeat(100_000)), ":1:40: nested more than 32 levels deep"),
        (format!("{}{CANARY}", "{a: ".repeat(100_000)), ":1:129: nested more than 32 levels deep"),
        (format!("{}{CANARY}", "- ".repeat(100_000)), ":1:65: nested more than 32 levels deep"),
        (format!("{steps} # {CANARY}"), ":33:33: nested more than 32 levels deep"),
        (format!("Remotes: &a\n  lab: *a # {CANARY}\n"), ":2:8: an alias refers to a node that contains it"),
        (
            format!("a0: &a0 {{Token: {CANARY}}}\n{merges}Remotes:\n  lab: *a29\n"),
            "aliases expand the file by more than 8 times its size plus 1 MiB",
        ),
        (format!("Remotes:\n{remotes}"), ":2:2: Remotes: more than 100,000 remotes"),
    ];
    for (text, says) in &cases {
        let world = Layer::User.holding(text);
        let before = Picture::of(&world);
        let begun = Instant::now();
        let file = world.user_file().display().to_string();
        world.run(As::User, &words("-d remote list")).exits(255).says(&file).says(says).never_shows("canary");
        // Fails if the file hangs the reader, but not on a slow machine.
        assert!(begun.elapsed() < PATIENT, "{says}: {:?}", begun.elapsed());
        before.is_still(&world, says);
    }
    for layer in Layer::BOTH {
        everything_refuses(&layer.holding(&cases[3].0), layer, cases[3].1);
    }
    // Aliases that are repeated but not used are harmless.
    let world = Layer::User.holding(format!("a0: &a0 [x, x, x]\n{}", laughs("PREVIOUS")));
    world.remote("list").exits(0).says("unknown key \"a29\"");
}

#[test]
fn files_over_64_mib_are_not_read() {
    for layer in Layer::BOTH {
        let world = layer.holding(lab(""));
        File::options().write(true).open(layer.file(&world)).unwrap().set_len((64 << 20) + 1).unwrap();
        everything_refuses(&world, layer, " is larger than 67108864 bytes");
    }
}

#[test]
fn special_files_are_reported_and_never_block() {
    for layer in Layer::BOTH {
        for (kind, says) in [("directory", "a directory"), ("fifo", "a named pipe"), ("socket", "a socket")] {
            let world = layer.holding("");
            let file = layer.file(&world);
            fs::remove_file(&file).unwrap();
            match kind {
                "directory" => fs::create_dir(&file).unwrap(),
                "fifo" => drop(crate::disk::run("mkfifo", &["-m", "600", file.to_str().unwrap()])),
                _ => {
                    // The path of a socket is limited to 108 bytes; the world's is short enough.
                    drop(std::os::unix::net::UnixListener::bind(&file).unwrap());
                    chmod(&file, 0o600);
                }
            }
            everything_refuses(&world, layer, &format!(" is {says}, not a regular file"));
        }
    }
}

#[test]
fn an_unreadable_file_is_an_error_with_the_command_to_run() {
    for layer in Layer::BOTH {
        let world = layer.holding(lab(""));
        world.give_home_to_user();
        let file = layer.file(&world);
        chmod(&file, 0o000);
        let before = if is_root() { Some(Picture::of(&world)) } else { None };
        let command = match (layer, is_root()) {
            (Layer::User, _) => format!("hint:    chmod u+rw {}\n", file.display()),
            (Layer::Global, _) => {
                format!("hint:    ask your administrator to run: chmod a+r {}\n", file.display())
            }
        };
        for line in ["list", "-d list", "use lab", "add --no-login x h", "status", "check"] {
            let (debug, line) = line.strip_prefix("-d ").map_or(("", line), |rest| ("-d", rest));
            let mut process = crate::disk::behind(&world, As::User, &[]).unwrap();
            process.args(words(&format!("{debug} remote {line}")));
            crate::world::finish(&mut process)
                .exits(255)
                .says(&format!("FATAL:   reading {}: Permission denied", file.display()))
                .says(&command)
                .never_shows("canary");
            if let Some(before) = &before {
                before.is_still(&world, line);
            }
        }
        chmod(&file, 0o600);
        if layer == Layer::User || !is_root() {
            process(&world, As::User, "list").unwrap().exits(0).prints("lab.example.com");
        }
    }
}
