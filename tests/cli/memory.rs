//! Memory that holds a secret, or soon will: no other process of the same user may read it.

use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint};
use crate::world::{As, World, finish, skipped};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TOKEN: &str = "canary-7f3a.t0ken";

/// A world with the endpoint as its default remote, with a stored token.
fn lab(endpoint: &Endpoint) -> World {
    endpoint.accept_token(TOKEN);
    let world = World::new();
    world.write_user(format!(
        "
Active: lab
Remotes:
    lab:
        URI: //{}
        Token: canary-other
        System: false
        Exclusive: false
        Insecure: true
",
        endpoint.host()
    ));
    world.give_home_to_user();
    world
}

/// A shell that runs as the world's user, in which `"$@"` is the program.
fn shell(world: &World, script: &str) -> Option<Command> {
    let command = world.command(As::User)?;
    let mut words = vec![command.get_program().to_owned()];
    words.extend(command.get_args().map(ToOwned::to_owned));
    let program = words.pop().unwrap();
    // The shell runs as that user too, because the pipes are its own.
    words.extend(["/usr/bin/bash", "-c", script, "bash"].map(Into::into));
    let mut shell = Command::new(&words[0]);
    shell.args(&words[1..]).arg(program).env_clear().envs(world.environment().iter());
    shell.env("PATH", "/usr/bin:/bin");
    Some(shell)
}

/// Asserts that a process runs as an ordinary user but its memory belongs to root in /proc, so that there are
/// no core files and the user cannot attach a debugger.
#[track_caller]
fn assert_private(child: &Child, what: &str) {
    let owner = fs::metadata(format!("/proc/{}/mem", child.id())).unwrap().uid();
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:\t")?.split('\t').next()).unwrap();
    assert!(owner == 0 && uid != "0", "{what}: mem of uid {uid} belongs to {owner}");
}

/// A process that is killed at the end of the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn memory_with_a_secret_is_unreadable_to_other_processes() {
    let endpoint = Endpoint::http();
    let world = lab(&endpoint);
    endpoint.set(DISCOVERY, Behaviour::Silent);
    let Some(mut command) = world.command(As::User) else { return };
    let child = Running(command.args(["remote", "status"]).spawn().unwrap());
    while endpoint.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_private(&child.0, "status");
}

/// Whether the process is blocked in `openat` or `read`, if the kernel allows to see that.
fn waits(child: &Child) -> bool {
    let calls = if cfg!(target_arch = "x86_64") { ["257 ", "0 "] } else { ["56 ", "63 "] };
    match fs::read_to_string(format!("/proc/{}/syscall", child.id())) {
        Ok(text) => calls.iter().any(|call| text.starts_with(call)),
        // This user can no longer see it: the process is already private.
        Err(_) => true,
    }
}

/// Waits until the process has been blocked for a while, which only the token file causes.
#[track_caller]
fn wait_for_the_file(child: &mut Child, what: &str) {
    let mut seen = 0;
    while seen < 20 {
        assert!(child.try_wait().unwrap().is_none(), "{what}: the process ended");
        seen = if waits(child) { seen + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn memory_stays_private_while_waiting_for_a_token_file() {
    let endpoint = Endpoint::http();
    let shared = match tempfile::Builder::new().prefix("apptainer-remote-test-").tempdir_in("/dev/shm") {
        Ok(shared) => shared,
        Err(error) => {
            return skipped(&format!("needs memory as a file system: a FIFO in /dev/shm: {}", error.kind()));
        }
    };
    let fifo = shared.path().join("token");
    assert!(Command::new("mkfifo").arg("-m").arg("666").arg(&fifo).status().unwrap().success());
    fs::set_permissions(shared.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let link = shared.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    let name = fifo.display().to_string();
    let login = "remote login --tokenfile";
    for (what, script) in [
        ("a FIFO", format!("exec \"$@\" {login} {name}")),
        ("a link to one", format!("exec \"$@\" {login} {}", link.display())),
        ("one by way of /proc", format!("exec \"$@\" {login} /proc/self/root{name}")),
        ("a descriptor", format!("exec 7<>{name}; exec \"$@\" {login} /dev/fd/7")),
        ("standard input", format!("exec \"$@\" {login} /dev/stdin <>{name}")),
    ] {
        let world = lab(&endpoint);
        let Some(mut command) = shell(&world, &script) else { return };
        let mut child = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        wait_for_the_file(&mut child.0, what);
        assert_private(&child.0, what);
    }
}

#[test]
fn a_token_file_may_be_a_descriptor_of_the_shell() {
    let endpoint = Endpoint::http();
    let world = lab(&endpoint);
    let login = "\"$@\" remote login --tokenfile";
    let script = format!(
        "exec 7< <(echo {TOKEN}); {login} /dev/fd/7 && {login} <(echo {TOKEN}) && echo {TOKEN} | {login} /dev/stdin \
         && echo {TOKEN} | {login} /proc/self/fd/0"
    );
    let Some(mut shell) = shell(&world, &script) else { return };
    let shown = finish(&mut shell).exits(0).never_shows("canary");
    assert_eq!(shown.stderr.matches("Access Token Verified!").count(), 4, "{shown:#?}");
    assert!(world.user().contains(TOKEN));
}
