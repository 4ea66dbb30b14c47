//! The operating system → [`Context`] → [`run`] → exit status; nothing else.

use apptainer_remote::context::{Context, Env, Stream, Terminals, User};
use apptainer_remote::message::Talk;
use apptainer_remote::persona::Persona;
use apptainer_remote::prompt::{Stdin, Terminal};
use apptainer_remote::services::Limits;
use apptainer_remote::{paths, run, secret};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::mem::size_of;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    secret::guard_memory();
    let status = run(&args, &mut context(&args));
    // At once: what std would still put away after main goes with the process.
    signal_hook::low_level::exit(status.into())
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn context(args: &[OsString]) -> Context {
    let exe = std::fs::read_link("/proc/self/exe")
        .unwrap_or_else(|_| args.first().map(PathBuf::from).unwrap_or_default());
    Context {
        persona: Persona::of_executable(&exe),
        exe,
        env: Env::new(std::env::vars_os()),
        user: user(),
        passwd_home: Box::new(paths::passwd_home),
        stdin: Box::new(Stdin),
        stdout: Box::new(io::stdout()),
        talk: Talk::new(Box::new(io::stderr()), 1, false),
        prompt: Box::new(Terminal),
        terminals: Terminals::new(|stream| match stream {
            Stream::Stdin => io::stdin().is_terminal(),
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }),
        width,
        now: SystemTime::now,
        limits: Limits::default(),
        exec: Box::new(exec),
    }
}

/// Who runs the program, by the kernel's own word at its start: real and effective ids, and AT_SECURE, which
/// is set for set-uid files and for those with capabilities. A vector that its own process may not read is
/// such a process's.
fn user() -> User {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;
    use rustix::process::{getegid, geteuid, getgid, getuid};
    // The keys of the auxiliary vector, of <elf.h>.
    let [uid, euid, gid, egid, secure] = [11, 12, 13, 14, 23];
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| usize::from_ne_bytes(bytes.try_into().expect("a word"));
    let mut vector = [0; 1024];
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let read =
        open("/proc/self/auxv", flags, Mode::empty()).and_then(|file| rustix::io::read(file, &mut vector));
    let length = read.as_ref().copied().unwrap_or_default();
    let value = |key: usize| {
        let pairs = vector[..length].chunks_exact(2 * WORD);
        pairs.map(|pair| (word(&pair[..WORD]), word(&pair[WORD..]))).find(|pair| pair.0 == key)
    };
    let secure = match read {
        Ok(_) => value(secure).is_some_and(|(_, secure)| secure != 0),
        Err(error) => error == Errno::ACCESS,
    };
    let ids = [uid, euid, gid, egid].map(|key| value(key).and_then(|(_, id)| u32::try_from(id).ok()));
    let [uid, euid, gid, egid] = match ids {
        [Some(uid), Some(euid), Some(gid), Some(egid)] => [uid, euid, gid, egid],
        // No /proc here.
        _ => [getuid().as_raw(), geteuid().as_raw(), getgid().as_raw(), getegid().as_raw()],
    };
    User { uid: euid, elevated: uid != euid || gid != egid || secure }
}

/// Columns of the terminal; 100 in a pipe, where a person's window does not matter.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    size.map_or(100, |size| usize::from(size.ws_col)).clamp(40, 100)
}

/// The same process, arguments and environment for the program that takes over.
fn exec(program: &Path, args: &[OsString]) -> io::Error {
    let mut command = Command::new(program);
    if let Some((argv0, rest)) = args.split_first() {
        command.arg0(argv0).args(rest);
    }
    command.exec()
}
