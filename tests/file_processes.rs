//! Writers that are killed, interrupted or started with `nohup`, or whose system calls fail. This test binary
//! runs itself as the writer, and checks what it leaves behind.

#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests use files and processes directly"
)]

#[path = "support/skip.rs"]
mod skip;

use apptainer_remote::fsio::{Identity, Role, Target, Trusted, read, update};
use apptainer_remote::message::Talk;
use rustix::process::{Pid, Signal, kill_process};
use skip::skipped;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The variable with the file for [`writer`], which does nothing without it.
const FILE: &str = "FILE_PROCESSES_FILE";

/// Larger than a single write, so that a half-written file is possible.
const LENGTH: usize = 300_000;

/// The same for [`once`] and [`reader`].
const ONCE: &str = "FILE_PROCESSES_ONCE";
const READ: &str = "FILE_PROCESSES_READ";

fn me() -> Identity {
    Identity { uid: rustix::process::geteuid().as_raw() }
}

/// A directory that no other user can write, whatever the umask of the user who runs the tests.
fn directory() -> tempfile::TempDir {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    tempfile::tempdir().unwrap()
}

fn set(path: &Path, letter: u8) {
    let who = me();
    let talk = Talk::new(Box::new(std::io::sink()), 1, false);
    update(&Target::user(path, 1 << 20), who, &talk, &mut |_| Ok(Some(vec![letter; LENGTH]))).unwrap();
}

/// The writer: not a test, but the process that the tests below start.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    for letter in (b'a'..=b'z').cycle() {
        set(&path, letter);
        println!("\nwritten");
    }
}

/// A writer of one word, which prints all messages.
#[test]
fn once() {
    let Some(path) = std::env::var_os(ONCE).map(PathBuf::from) else { return };
    let talk = Talk::new(Box::new(std::io::stderr()), 5, false);
    match update(&Target::user(&path, 1 << 20), me(), &talk, &mut |_| Ok(Some(b"new".to_vec()))) {
        Ok(written) => println!("\nwritten: {written}"),
        Err(failure) => println!("\nfailed: {}", failure.message()),
    }
}

/// A reader of a global file, which prints whether it trusts the file.
#[test]
fn reader() {
    let Some(path) = std::env::var_os(READ).map(PathBuf::from) else { return };
    let state = read(&path, Role::Global { trusted: Trusted::default() }, me(), 1 << 20).unwrap();
    println!("\ndistrust: {:?}", state.distrust.map(|distrust| distrust.reason));
}

/// Runs one of the functions above under another program, and returns both of its streams.
fn run_under(program: &[&str], name: &str, variable: &str, path: &Path) -> String {
    let output = Command::new(program[0])
        .args(&program[1..])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(variable, path)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Whether `program` works here; prints a message if not.
fn works(program: &[&str]) -> bool {
    let works = Command::new(program[0]).args(&program[1..]).arg("true").output();
    let works = works.is_ok_and(|output| output.status.success());
    if !works {
        skipped(&format!("needs a tool: {} does not work here", program.join(" ")));
    }
    works
}

fn start(path: &Path, shell: &str) -> Child {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" --exact writer --nocapture --test-threads=1")])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_writes(&mut child, 1);
    child
}

fn wait_for_writes(child: &mut Child, count: usize) {
    // Unbuffered, so that nothing is lost for the next call.
    let mut lines = BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).lines();
    for _ in 0..count {
        while lines.next().unwrap().unwrap() != "written" {}
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Lets the writer run for a time that differs from round to round, ends it, and returns its exit status.
fn end(mut child: Child, signal: Signal, round: u64) -> ExitStatus {
    let mut stdout = child.stdout.take().unwrap();
    let drain = std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    std::thread::sleep(Duration::from_micros(round * 731 % 9_000));
    send(&child, signal);
    let status = child.wait().unwrap();
    drain.join().unwrap().unwrap();
    status
}

fn assert_whole(path: &Path) {
    let content = std::fs::read(path).unwrap();
    assert_eq!(content.len(), LENGTH);
    assert!(content.iter().all(|&byte| byte == content[0]), "a mixture of two contents");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_signal_removes_the_temporary_file_and_is_raised_again() {
    let world = directory();
    let path = world.path().join("remote.yaml");
    let signals = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
    for (round, signal) in signals.into_iter().cycle().take(40).enumerate() {
        let status = end(start(&path, "ulimit -c 0;"), signal, round as u64);
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert_eq!(names(world.path()), [".remote.yaml.lock", "remote.yaml"], "after {signal:?}");
        assert_whole(&path);
    }
}

#[test]
fn kill_9_leaves_the_old_or_the_new_content() {
    let world = directory();
    let path = world.path().join("remote.yaml");
    for round in 0..40 {
        assert_eq!(end(start(&path, ""), Signal::KILL, round).signal(), Some(Signal::KILL.as_raw()));
        assert_whole(&path);
    }
    set(&path, b'!');
    assert_eq!(names(world.path()), [".remote.yaml.lock", "remote.yaml"]);
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let world = directory();
    let path = world.path().join("remote.yaml");
    let mut child = start(&path, "trap '' HUP;");
    send(&child, Signal::HUP);
    wait_for_writes(&mut child, 20);
    assert_eq!(end(child, Signal::TERM, 0).signal(), Some(Signal::TERM.as_raw()));
}

#[test]
fn a_file_size_limit_is_an_error_and_does_not_kill_the_writer() {
    let world = directory();
    let path = world.path().join("remote.yaml");
    set(&path, b'!');
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 100; exec \"$0\" --exact writer --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, &path)
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), None);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("File too large (os error 27)"), "{told}");
    assert_eq!(names(world.path()), [".remote.yaml.lock", "remote.yaml"]);
    assert!(std::fs::read(&path).unwrap().iter().all(|&byte| byte == b'!'));
}

/// Writes "new" over "old" while system calls fail as `inject` says. Returns the messages and the resulting
/// content.
fn with_fault(inject: &str) -> Option<(String, String)> {
    let inject = format!("inject={inject}");
    let strace = ["strace", "-f", "-o", "/dev/null", "-e", &inject];
    works(&strace[..4]).then(|| {
        let world = directory();
        let path = world.path().join("remote.yaml");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let told = run_under(&strace, "once", ONCE, &path);
        assert_eq!(names(world.path()), [".remote.yaml.lock", "remote.yaml"], "{told}");
        (told, std::fs::read_to_string(&path).unwrap())
    })
}

#[test]
fn a_disk_error_leaves_the_old_file_and_no_temporary_file() {
    for (inject, doing) in [
        ("fsync:error=EIO:when=1", "writing a temporary file in "),
        ("fsync:error=EDQUOT:when=1", "writing a temporary file in "),
        ("renameat,renameat2:error=EIO", "renaming a temporary file in "),
        ("renameat,renameat2:error=ENOSPC", "renaming a temporary file in "),
    ] {
        let Some((told, content)) = with_fault(inject) else { return };
        assert!(told.contains("remote.yaml was not changed: ") && told.contains(doing), "{inject}: {told}");
        assert_eq!(content, "old");
    }
}

#[test]
fn a_filesystem_without_locks_or_directory_sync_gives_one_message() {
    for (inject, line) in [
        ("flock:error=ENOLCK", "continuing without a lock"),
        ("flock:error=EOPNOTSUPP", "continuing without a lock"),
        ("flock:error=ENOSYS", "continuing without a lock"),
        ("fsync:error=EINVAL:when=2", "cannot sync the directory"),
        ("fsync:error=EOPNOTSUPP:when=2", "cannot sync the directory"),
    ] {
        let Some((told, content)) = with_fault(inject) else { return };
        assert!(told.contains("VERBOSE: ") && told.contains(line), "{inject}: {told}");
        assert!(told.contains("written: true") && content == "new", "{inject}: {told}");
    }
}

#[test]
fn a_failed_directory_sync_is_reported() {
    let Some((told, content)) = with_fault("fsync:error=EIO:when=2") else { return };
    assert!(told.contains("was written, but might not survive a power failure"), "{told}");
    assert_eq!(content, "new");
}

#[test]
fn in_a_user_namespace_the_overflow_uid_counts_as_root() {
    let unshare = ["unshare", "--user"];
    if !works(&unshare) {
        return;
    }
    let world = directory();
    let path = world.path().join("remote.yaml");
    std::fs::write(&path, "x").unwrap();
    for (mode, told) in [(0o644, "distrust: None"), (0o666, "distrust: Some(\"is writable by others")] {
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let output = run_under(&unshare, "reader", READ, &path);
        assert!(output.contains(told), "{output}");
    }
}
