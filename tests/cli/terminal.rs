//! Behaviour on a terminal: colours, hidden input, Ctrl-C and Ctrl-D, and restored terminal settings.

use crate::peers::endpoint::Endpoint;
use crate::pty::Pty;
use crate::world::{As, World, words};
use std::os::unix::process::ExitStatusExt;

const TOKEN: &str = "tok3n-canary";

fn lab() -> (World, Endpoint) {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Insecure: true}}
",
        endpoint.host()
    ));
    (world, endpoint)
}

fn start(world: &World, line: &str) -> Pty {
    let mut command = world.command(As::User).unwrap();
    command.args(words(&format!("remote {line}"))).env("TERM", "xterm");
    Pty::start(&command, 80)
}

#[test]
fn a_typed_token_is_hidden_and_stored() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let mut terminal = start(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys(&format!("{TOKEN}\n"));
    let (status, screen) = terminal.end();
    assert!(status.success(), "{screen}");
    assert!(!screen.contains(TOKEN), "{screen}");
    assert!(screen.contains("\u{1b}[34mINFO:   \u{1b}[0m Access Token Verified!"), "{screen:?}");
    assert!(terminal.is_restored());
    assert!(world.user().contains(TOKEN));
}

#[test]
fn ctrl_c_at_a_hidden_prompt_restores_the_terminal_and_ends_by_signal() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let before = world.user();
    let mut terminal = start(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys("half a tok\u{3}");
    let (status, screen) = terminal.end();
    // setsid either passes the signal on as the shell's status 128 + 2, or dies of it itself.
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status:?} {screen}");
    assert!(terminal.is_restored());
    assert_eq!(world.user(), before);
}

/// Starts the command in a shell with job control, which reads a line after the command was stopped, then continues it.
fn start_in_shell(world: &World, line: &str) -> Pty {
    let program = world.command(As::User).unwrap();
    let mut shell = std::process::Command::new("/usr/bin/bash");
    shell.args(["-mc", r#""$0" "$@"; echo STOPPED; read -r; fg >/dev/null"#]);
    shell.arg(program.get_program()).args(program.get_args()).args(words(&format!("remote {line}")));
    let env = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
    shell.env_clear().envs(env).env("TERM", "xterm");
    Pty::start(&shell, 80)
}

#[test]
fn ctrl_z_at_the_hidden_question_restores_the_terminal_and_hides_it_again_afterwards() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let mut terminal = start_in_shell(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys("\u{1a}");
    terminal.expect("STOPPED");
    assert!(terminal.is_restored(), "a shell gets its terminal back");
    terminal.type_keys("\n");
    terminal.expect_hidden();
    terminal.type_keys(&format!("{TOKEN}\n"));
    let (status, screen) = terminal.end();
    assert!(status.success() && !screen.contains(TOKEN), "{screen}");
    assert!(terminal.is_restored() && world.user().contains(TOKEN));
}

#[test]
fn ctrl_z_without_a_shell_that_could_continue_does_nothing() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let mut terminal = start(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys("\u{1a}");
    std::thread::sleep(std::time::Duration::from_millis(100));
    terminal.expect_hidden();
    terminal.type_keys(&format!("{TOKEN}\n"));
    let (status, screen) = terminal.end();
    assert!(status.success() && !screen.contains(TOKEN), "{screen}");
    assert!(world.user().contains(TOKEN));
}

#[test]
fn ctrl_backslash_at_the_hidden_question_restores_the_terminal() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let mut terminal = start(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys("half a tok\u{1c}");
    let (status, screen) = terminal.end();
    assert!(status.code() == Some(131) || status.signal() == Some(3), "{status:?} {screen}");
    assert!(terminal.is_restored());
}

#[test]
fn ctrl_d_means_no_answer() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let before = world.user();
    let mut terminal = start(&world, "login");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys("\u{4}");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("nothing changed"), "{screen}");
    assert!(terminal.is_restored());
    assert_eq!(world.user(), before);
}

#[test]
fn a_set_token_is_replaced_only_after_yes() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    world.write_user(world.user().replace("Insecure", "Token: old, Insecure"));
    for (keys, says) in [("\n", "The stored token was kept."), ("\u{4}", "The stored token was kept.")] {
        let mut terminal = start(&world, "login");
        terminal.expect("Replace it? [y/N] ");
        terminal.type_keys(keys);
        let (status, screen) = terminal.end();
        assert!(status.success() && screen.contains(says), "{screen}");
        assert!(terminal.is_restored());
    }
    let mut terminal = start(&world, "login");
    terminal.expect("Replace it? [y/N] ");
    terminal.type_keys("\u{3}");
    let (status, _) = terminal.end();
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status:?}");
    let mut terminal = start(&world, "login");
    terminal.expect("Replace it? [y/N] ");
    terminal.type_keys("y\n");
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys(&format!("{TOKEN}\n"));
    assert!(terminal.end().0.success());
    assert!(world.user().contains(TOKEN));
}

#[test]
fn list_has_sections_and_failures_have_a_coloured_label() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, _endpoint) = lab();
    let (status, screen) = start(&world, "list").end();
    assert!(status.success());
    assert!(screen.contains("Cloud Services Endpoints\n===="), "{screen:?}");
    assert!(screen.contains("\u{1b}[1mlab\u{1b}[0m "), "the default is bold: {screen:?}");
    let (status, screen) = start(&world, "use nosuch").end();
    assert_eq!(status.code(), Some(255));
    assert!(screen.starts_with("\u{1b}[31mFATAL:  \u{1b}[0m nosuch is not a remote\n"), "{screen:?}");
}

#[test]
fn a_narrow_terminal_keeps_names_whole() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, endpoint) = lab();
    let mut command = world.command(As::User).unwrap();
    command.args(["remote", "list"]);
    let (_, screen) = Pty::start(&command, 40).end();
    assert!(screen.contains("DefaultRemote") && screen.contains(&endpoint.host()), "{screen}");
}

#[test]
fn input_for_an_option_that_reads_standard_input_is_hidden_too() {
    if !Pty::can_be_made() {
        return;
    }
    for option in ["--tokenfile -", "--password-stdin"] {
        let (world, _endpoint) = lab();
        let mut terminal = start(&world, &format!("login {option}"));
        terminal.expect("Access Token: ");
        terminal.expect_hidden();
        terminal.type_keys(&format!("{TOKEN}\n"));
        let (status, screen) = terminal.end();
        assert!(status.success() && !screen.contains(TOKEN), "{option}: {screen}");
        assert!(terminal.is_restored() && world.user().contains(TOKEN), "{option}");
    }
}

#[test]
fn an_endpoint_that_add_has_asked_is_in_the_cache() {
    if !Pty::can_be_made() {
        return;
    }
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    let mut terminal = start(&world, &format!("add -i lab {}", endpoint.url()));
    terminal.expect("Access Token: ");
    terminal.expect_hidden();
    terminal.type_keys(&format!("{TOKEN}\n"));
    let (status, screen) = terminal.end();
    assert!(status.success(), "{screen}");
    let cached = std::fs::read_dir(world.user_dir().join("remote-cache")).unwrap().count();
    assert_eq!(cached, 1, "commands that only look into the cache find the endpoint");
}
