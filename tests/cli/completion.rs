//! Completion: the output for a shell, and real shells that use it.

use crate::peers::wire::PATIENT;
use crate::pty::Pty;
use crate::real::daemon::installed;
use crate::world::{As, Shown, World, finish};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// A user with remotes, keyservers and logins.
fn world() -> World {
    let world = World::new();
    world.write_global(
        "
Active: DefaultRemote
Remotes:
  DefaultRemote:
    URI: cloud.apptainer.org
    System: true
    Keyservers:
      - {URI: 'https://keys.openpgp.org'}
      - {URI: 'hkp://lab:80', External: true}
  company: {URI: company.example, System: true}
",
    );
    world.write_user(
        r#"
Active: mycloud
Remotes:
  mycloud: {URI: mycloud.example, Token: t}
  my lab: {URI: lab.example}
  "bad\nname": {URI: x}
Credentials:
  - {URI: 'docker://ghcr.io'}
  - {URI: 'hkp://lab:80', Auth: Basic x}
"#,
    );
    fs::create_dir(world.home().join(".docker")).unwrap();
    fs::write(world.home().join(".docker/config.json"), r#"{"auths":{"quay.io":{"auth":"YTpi"}}}"#).unwrap();
    world
}

/// A next program that implements the completion protocol and nothing else.
const REAL: &str = r#"#!/bin/sh
[ "$1" = __complete ] || { echo "real: $*"; exit 7; }
shift
case "$1" in
exec) [ "$2" = --bi ] && printf -- '--bind\ta user-bind path\n:4\n' || printf ':0\n' ;;
completion) printf 'bash\npowershell\tthe other one\n:4\n' ;;
-*) printf -- '--debug\ttheirs\n--humm\n:4\n' ;;
*) printf 'exec\tRun a command\nremote\ttheirs\nrun\n:4\n' ;;
esac
"#;

/// The output for this line; the last word is the incomplete one.
fn asked(world: &World, line: &str) -> Shown {
    let words: Vec<&str> = std::iter::once("__complete").chain(line.split(' ')).collect();
    world.run(As::User, &words).exits(0)
}

/// The candidates and the directive.
fn candidates(world: &World, line: &str) -> (Vec<String>, String) {
    let shown = asked(world, line);
    let cobra = shown.stderr.strip_prefix("Completion ended with directive: ShellCompDirective");
    assert_eq!(cobra.map(|rest| rest.lines().count()), Some(1), "a message would disturb typing: {shown:?}");
    let (lines, directive) = shown.stdout.trim_end().rsplit_once(':').unwrap();
    let names = lines.lines().map(|line| line.split('\t').next().unwrap().to_string());
    (names.collect(), directive.to_string())
}

#[test]
fn names_of_remotes_and_logins_are_completed() {
    let world = world();
    for (line, expected) in [
        ("remote use ", "DefaultRemote company my lab mycloud"),
        ("remote use my", "my lab mycloud"),
        ("remote use --global ", "DefaultRemote company"),
        ("remote use -gjq ", "DefaultRemote company"),
        ("remote use -g -e=false ", "DefaultRemote company"),
        ("remote use -g --global=false ", "DefaultRemote company my lab mycloud"),
        ("-q remote status d", ""),
        ("remote remove ", "my lab mycloud"),
        ("remote remove -g ", "DefaultRemote company"),
        ("remote logout ", "mycloud docker://ghcr.io docker://quay.io hkp://lab:80"),
        ("remote logout --all ", ""),
        ("remote login hkp", "hkp://lab:80"),
        ("registry logout docker://g", "docker://ghcr.io"),
        ("registry login ", "docker://ghcr.io docker://quay.io"),
        ("keyserver login ", "hkp://lab:80"),
        ("keyserver logout --json ", "hkp://lab:80"),
        ("keyserver list c", "company"),
        ("keyserver add ", "DefaultRemote company"),
        ("keyserver remove DefaultRemote ", "https://keys.openpgp.org hkp://lab:80"),
        ("remote remove-keyserver h", ""),
        ("remote use mycloud ", ""),
        ("remote use -- my", "my lab mycloud"),
        ("remote add ", ""),
    ] {
        let (names, directive) = candidates(&world, line);
        assert_eq!((names.join(" ").as_str(), directive.as_str()), (expected, "4"), "{line}");
    }
    assert_eq!(asked(&world, "remote use myc").stdout, "mycloud\tmycloud.example\n:4\n");
    let bare = world.run(As::User, &["__completeNoDesc", "remote", "use", "myc"]).exits(0);
    assert_eq!(bare.stdout, "mycloud\n:4\n");
}

#[test]
fn commands_options_and_files_are_completed() {
    let world = world();
    for (line, expected, directive) in [
        ("", "completion delete help keyserver pull push registry remote search", "4"),
        ("re", "registry remote", "4"),
        ("pu", "pull push", "4"),
        ("pull ", "", "0"),
        ("pull --dis", "--disable-cache", "4"),
        ("push image.sif ", "", "4"),
        ("search --", "--arch --signed --library --json --help GLOBAL", "4"),
        ("delete -q --fo", "--force", "4"),
        ("--deb", "--debug", "4"),
        ("remote lo", "login logout", "4"),
        ("help remote lo", "login logout", "4"),
        ("help ke", "keyserver", "4"),
        ("remote login --tok", "--tokenfile", "4"),
        ("remote use --global --", "--config --exclusive --json --help GLOBAL", "4"),
        ("remote login --tokenfile ", "", "0"),
        ("remote login --tokenfile=/et", "", "0"),
        ("remote status --min-ttl ", "", "4"),
        ("remote check ", "", "0"),
        ("-c ", "", "0"),
        ("completion ", "bash fish zsh", "4"),
        (
            "remote nosuch ",
            "add add-keyserver check get-login-password list login logout remove remove-keyserver rename status use",
            "4",
        ),
        ("exec ", "", "0"),
    ] {
        let (mut names, sum) = candidates(&world, line);
        let expected = expected.replace("GLOBAL", "--color --debug --nocolor --quiet --silent --verbose");
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        names.sort();
        expected.sort_unstable();
        assert_eq!(
            (names, sum.as_str()),
            (expected.iter().map(ToString::to_string).collect(), directive),
            "{line}"
        );
    }
}

#[test]
fn broken_and_missing_files_give_no_candidates_and_no_message() {
    let world = world();
    world.write_user("{broken");
    assert_eq!(candidates(&world, "remote use "), (vec![], "4".into()));
    let mut world = World::bare(apptainer_remote::persona::Persona::Singularity);
    assert_eq!(candidates(&world, "remote use ").0, ["SylabsCloud"]);
    assert!(!world.user_dir().exists());
    world.set_env("SINGULARITY_CONFIGDIR", "/nowhere");
    assert_eq!(candidates(&world, "remote use ").0, ["SylabsCloud"]);
}

/// Installs a next program, which the world's PATH finds.
fn with_real(world: &World, script: &str) -> String {
    let file = world.path("real/apptainer");
    fs::create_dir_all(world.path("real")).unwrap();
    let make = "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let made = Command::new("/bin/sh").args(["-c", make, "sh", script]).arg(&file).status();
    assert!(made.unwrap().success());
    format!("{}:{}:/usr/bin:/bin", world.path("bin").display(), world.path("real").display())
}

/// Neither a file nor the next program can control or deceive the terminal.
#[test]
fn invisible_characters_are_escaped() {
    let mut world = World::new();
    world.write_user("Remotes:\n  \"a\\u202Eb\": {URI: \"h\\u061C\\u009B2J.example\"}\n");
    let path = with_real(&world, "#!/bin/sh\nprintf 'exec\\tRun \\033[2Jit\\nr\\342\\200\\256n\\n:4\\n'\n");
    world.set_env("PATH", path);
    assert_eq!(asked(&world, "remote use a").stdout, "a\\u{202e}b\th\\u{61c}\\u{9b}2J.example\n:4\n");
    let all = asked(&world, "").never_shows("\u{1b}").never_shows("\u{202e}");
    all.prints("exec\tRun \\x1b[2Jit\n").prints("\nr\\u{202e}n\n");
}

#[test]
fn the_next_program_completes_its_own_commands() {
    let mut world = world();
    let path = with_real(&world, REAL);
    world.set_env("PATH", path);
    let (names, _) = candidates(&world, "");
    let all = "completion delete exec help keyserver pull push registry remote run search";
    assert_eq!(names, all.split(' ').collect::<Vec<_>>());
    assert!(
        asked(&world, "rem").stdout.starts_with("remote\tManage remote endpoints"),
        "from this program, not from the next one"
    );
    assert_eq!(asked(&world, "exec --bi").stdout, "--bind\ta user-bind path\n:4\n");
    assert_eq!(candidates(&world, "exec "), (vec![], "0".into()));
    assert_eq!(candidates(&world, "completion ").0, ["fish", "zsh", "bash", "powershell"]);
    assert_eq!(candidates(&world, "--").0.iter().filter(|name| *name == "--debug").count(), 1);
    assert!(candidates(&world, "--h").0.contains(&"--humm".to_string()));
    assert_eq!(
        candidates(&world, "remote use my").0,
        ["my lab", "mycloud"],
        "the next program was run for this program's command"
    );
    // A shell that only the next program knows.
    let shown = world.run(As::User, &["completion", "powershell"]);
    assert!(shown.stderr.contains("would run"), "{shown:?}");
}

#[test]
fn a_next_program_that_hangs_or_prints_garbage_is_ignored() {
    for script in [
        "#!/bin/sh\nexec sleep 600\n",
        "#!/bin/sh\nexec yes\n",
        "#!/bin/sh\necho oops\n",
        "#!/bin/sh\necho a; echo :4; exit 3\n",
    ] {
        let mut world = world();
        let path = with_real(&world, script);
        world.set_env("PATH", path);
        let begun = Instant::now();
        assert_eq!(candidates(&world, "re").0, ["registry", "remote"], "{script}");
        assert_eq!(candidates(&world, "exec x"), (vec![], "0".into()), "{script}");
        assert!(begun.elapsed() < PATIENT, "{script}");
    }
}

#[test]
fn an_unsupported_shell_is_an_error() {
    let world = World::new();
    for line in [&["completion", "tcsh"][..], &["completion"], &["completion", "bash", "zsh"]] {
        world.run(As::User, line).exits(1).says("completion");
    }
    world.run(As::User, &["completion", "tcsh"]).exits(1).says("bash, fish, zsh");
    world.run(As::User, &["help", "completion"]).exits(0).prints("$ apptainer completion fish");
    let zsh = World::singularity().run(As::User, &["completion", "zsh"]).exits(0);
    assert!(zsh.stdout.starts_with("#compdef singularity\n") && !zsh.stdout.contains("apptainer"));
}

/// A shell on a terminal in the world's home, with the script loaded.
fn shell(world: &World, program: &str, args: &[&str], setup: &str) -> Pty {
    world.install();
    let path = with_real(world, REAL);
    fs::write(world.home().join("setup"), setup).unwrap();
    fs::write(world.home().join("notes.txt"), "").unwrap();
    let mut command = Command::new(program);
    command.args(args).env("HOME", world.home()).env("PATH", path).env("TERM", "dumb").env("PS1", "> ");
    let mut terminal = Pty::start(&command, 120);
    terminal.type_keys(&format!(". {}/setup; cd; echo rea''dy\n", world.home().display()));
    terminal.expect("ready");
    terminal
}

/// Types a line, TAB, and Ctrl-G, which prints the line as it is then; finally empties the line.
fn complete(terminal: &mut Pty, line: &str, expected: &str) {
    terminal.type_keys(&format!("{line}\t"));
    // The shell is running the completion process and reads the next key when that is done.
    terminal.type_keys("\u{7}");
    terminal.expect(&format!("LINE[{expected}]"));
    terminal.type_keys(EMPTY);
}

/// Empties the line. Not Ctrl-U, which the terminal itself handles while the shell prints.
const EMPTY: &str = "\u{14}";

const TABLE: &[(&str, &str)] = &[
    ("apptainer remo", "apptainer remote "),
    ("apptainer remote us", "apptainer remote use "),
    ("apptainer remote use myc", "apptainer remote use mycloud "),
    ("apptainer remote status comp", "apptainer remote status company "),
    ("apptainer remote login myc", "apptainer remote login mycloud "),
    ("apptainer remote remove myc", "apptainer remote remove mycloud "),
    ("apptainer remote logout docker://g", "apptainer remote logout docker://ghcr.io "),
    ("apptainer keyserver login hkp://l", "apptainer keyserver login hkp://lab:80 "),
    ("apptainer remote status --stri", "apptainer remote status --strict "),
    ("apptainer remote login --tokenfile not", "apptainer remote login --tokenfile notes.txt "),
    ("apptainer exec --bi", "apptainer exec --bind "),
    ("apptainer ex", "apptainer exec "),
];

#[test]
fn bash_completes() {
    if !installed(&["bash"]) || !Pty::can_be_made() {
        return;
    }
    let world = world();
    let setup = r#"
. <(apptainer completion bash)
show() { printf 'LINE[%s]\n' "$READLINE_LINE"; }
bind -x '"\C-g": show'
bind '"\C-t": kill-whole-line'
bind 'set show-all-if-ambiguous on'
"#;
    let mut terminal = shell(&world, "/usr/bin/bash", &["--norc", "--noprofile", "-i"], setup);
    for (line, expected) in TABLE {
        complete(&mut terminal, line, expected);
    }
    complete(&mut terminal, "apptainer remote use my\\ ", "apptainer remote use my\\ ");
    complete(
        &mut terminal,
        "apptainer remote login --tokenfile=not",
        "apptainer remote login --tokenfile=notes.txt ",
    );
    terminal.type_keys("apptainer remote lo\t\t");
    terminal.expect("login   (Log in to a remote endpoint");
}

#[test]
fn zsh_completes() {
    if !installed(&["zsh"]) || !Pty::can_be_made() {
        return;
    }
    let world = world();
    let setup = r#"
autoload -Uz compinit && compinit -u -D
. <(apptainer completion zsh)
show() { zle -I; print -r -- "LINE[$BUFFER]" }
zle -N show
bindkey -e
bindkey '^G' show
bindkey '^T' kill-whole-line
"#;
    let mut terminal = shell(&world, "/usr/bin/zsh", &["-f", "-i"], setup);
    for (line, expected) in TABLE {
        complete(&mut terminal, line, expected);
    }
    complete(&mut terminal, "apptainer remote remove my", "apptainer remote remove my");
}

#[test]
fn fish_completes() {
    if !installed(&["fish"]) {
        return;
    }
    let world = world();
    world.install();
    let path = with_real(&world, REAL);
    fs::write(world.home().join("notes.txt"), "").unwrap();
    let ask = |line: &str| {
        let script = format!("apptainer completion fish | source; complete -C '{line}'");
        let mut command = Command::new("/usr/bin/fish");
        command.args(["--no-config", "-c", &script]).env_clear().env("HOME", world.home()).env("PATH", &path);
        let shown = finish(command.current_dir(world.home())).exits(0);
        shown.stdout.lines().map(|line| line.split('\t').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    for (line, expected) in TABLE {
        let last = expected.trim_end().rsplit(' ').next().unwrap();
        assert_eq!(ask(line), [last], "{line}");
    }
    assert_eq!(ask("apptainer remote use my"), ["my lab", "mycloud"]);
}
