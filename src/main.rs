//! The operating system → [`Context`] → [`run`] → exit status; nothing else.

use apptainer_remote::context::{Colours, Context, Stream, Terminals, User};
use apptainer_remote::environment::Env;
use apptainer_remote::message::Talk;
use apptainer_remote::persona::Persona;
use apptainer_remote::prompt::{Stdin, Terminal};
use apptainer_remote::services::Limits;
use apptainer_remote::{paths, run, secret};
use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::tcgetwinsize;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::mem::size_of;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    secret::guard_memory();
    let status = run(&args, &mut context());
    // At once: what std would still put away after main goes with the process.
    signal_hook::low_level::exit(status.into())
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn context() -> Context {
    // Without /proc no path: argv[0] is the caller's choice, and would choose the global layer.
    let exe = std::fs::read_link("/proc/self/exe").unwrap_or_default();
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
        width: Box::new(width),
        colours: Colours::Auto,
        now: SystemTime::now,
        limits: Limits::default(),
        exec: Box::new(exec),
    }
}

/// Who runs the program, as the kernel recorded it at the start: real and effective ids, and AT_SECURE, which is
/// set for set-uid files and for files with capabilities. A process that may not read its own vector is one of
/// those.
fn user() -> User {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;
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
    let ids = [uid, euid, gid, egid].map(|key| value(key).and_then(|(_, id)| u32::try_from(id).ok()));
    match (ids, value(secure)) {
        ([Some(uid), Some(euid), Some(gid), Some(egid)], Some((_, secure))) => {
            User { uid: euid, elevated: uid != euid || gid != egid || secure != 0 }
        }
        _ => user_without_proc(read == Err(Errno::ACCESS)),
    }
}

/// The same by system calls: more of them, but none needs /proc.
fn user_without_proc(unreadable: bool) -> User {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    let elevated = getuid() != geteuid() || getgid() != getegid() || has_capabilities_of_the_file();
    User { uid: geteuid().as_raw(), elevated: elevated || unreadable }
}

/// Whether an ordinary user has capabilities that only the file of this program can have given: those that a
/// process passes on through `execve` are ambient.
fn has_capabilities_of_the_file() -> bool {
    use rustix::thread::{capabilities, capability_is_in_ambient_set};
    let is_ambient = |one| capability_is_in_ambient_set(one).unwrap_or(false);
    let permitted = capabilities(None).map(|sets| sets.permitted);
    !rustix::process::getuid().is_root()
        && permitted.map_or(true, |permitted| permitted.iter().any(|one| !is_ambient(one)))
}

/// Columns of a terminal; `None` for a pipe, and for a terminal that reports none.
fn width(stream: Stream) -> Option<usize> {
    let size = match stream {
        Stream::Stdin => tcgetwinsize(stdin()),
        Stream::Stdout => tcgetwinsize(stdout()),
        Stream::Stderr => tcgetwinsize(stderr()),
    };
    let size = size.ok()?;
    Some(size.ws_col.into()).filter(|columns| *columns > 0)
}

/// The same process, arguments and environment for the program that takes over.
fn exec(program: &Path, args: &[OsString]) -> io::Error {
    let mut command = Command::new(program);
    if let Some((argv0, rest)) = args.split_first() {
        command.arg0(argv0).args(rest);
    }
    command.exec()
}
