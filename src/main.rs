//! Builds a [`Context`] from the operating system, calls [`run`], and exits with its status.

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

#[expect(clippy::disallowed_methods, reason = "this is the only place that reads the environment")]
fn main() {
    let args: Vec<OsString> = std::env::args_os().collect();
    secret::guard_memory();
    let status = run(&args, &mut context());
    // Skips std's cleanup at exit; the operating system frees everything.
    signal_hook::low_level::exit(status.into())
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that reads the environment")]
fn context() -> Context {
    // Without /proc the path is empty. argv[0] is not used: the caller chooses it, and could thereby choose the
    // global layer.
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

/// The user, from the auxiliary vector that the kernel set at program start: real and effective ids, and
/// AT_SECURE, which is set for set-uid files and files with capabilities. If the process may not read its own
/// vector, it runs with such privileges.
fn user() -> User {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;
    // Keys of the auxiliary vector, from <elf.h>.
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

/// The same with system calls. There are more of them, but they do not need /proc.
fn user_without_proc(unreadable: bool) -> User {
    use rustix::process::{getegid, geteuid, getgid, getuid};
    let elevated = getuid() != geteuid() || getgid() != getegid() || has_capabilities_of_the_file();
    User { uid: geteuid().as_raw(), elevated: elevated || unreadable }
}

/// Whether a user other than root has capabilities that can only come from the program's file. Capabilities that
/// are inherited through `execve` are ambient.
fn has_capabilities_of_the_file() -> bool {
    use rustix::thread::{capabilities, capability_is_in_ambient_set};
    let is_ambient = |one| capability_is_in_ambient_set(one).unwrap_or(false);
    let permitted = capabilities(None).map(|sets| sets.permitted);
    !rustix::process::getuid().is_root()
        && permitted.map_or(true, |permitted| permitted.iter().any(|one| !is_ambient(one)))
}

/// The width of a terminal in columns. `None` for a pipe, and for a terminal that reports no width.
fn width(stream: Stream) -> Option<usize> {
    let size = match stream {
        Stream::Stdin => tcgetwinsize(stdin()),
        Stream::Stdout => tcgetwinsize(stdout()),
        Stream::Stderr => tcgetwinsize(stderr()),
    };
    let size = size.ok()?;
    Some(size.ws_col.into()).filter(|columns| *columns > 0)
}

/// Replaces this process with another program that gets the same arguments and environment.
fn exec(program: &Path, args: &[OsString]) -> io::Error {
    let mut command = Command::new(program);
    if let Some((argv0, rest)) = args.split_first() {
        command.arg0(argv0).args(rest);
    }
    command.exec()
}
