//! Another program, run to its end with a bound on its time and on what it says.

use crate::signals;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How much of a program is borne.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From its start to its end.
    pub patience: Duration,
    /// Of standard output, in bytes; of standard error the rest is left alone.
    pub longest: usize,
}

/// What it left behind. May hold secrets, and is wiped.
pub(crate) struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of it.
    pub stdout: Zeroizing<Vec<u8>>,
    /// Its beginning.
    pub stderr: Zeroizing<Vec<u8>>,
}

/// Why there is no output.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It could not be started, or waited for.
    Start(std::io::Error),
    /// It did not end in time, and was killed.
    Slow,
    /// Its output is longer than it may be; it was killed.
    Endless,
}

/// Runs a program that reads `input`.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn run(command: &mut Command, input: &str, bounds: Bounds) -> Result<Output, Trouble> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = spawn(command).map_err(Trouble::Start)?;
    let mut running = Running::new(child, bounds.patience);
    let stdin = running.child.stdin.take();
    let out = Collected::of(running.child.stdout.take(), bounds.longest).map_err(Trouble::Start)?;
    let err = Collected::of(running.child.stderr.take(), bounds.longest).map_err(Trouble::Start)?;
    // In a thread of its own, since a program need not read; that it did not is no failure in itself.
    let input = Zeroizing::new(input.to_string());
    let write = move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
    std::thread::Builder::new().spawn(write).map_err(Trouble::Start)?;
    let status = loop {
        match running.child.try_wait().map_err(Trouble::Start)? {
            Some(status) => break status,
            None if out.is_too_long() => return Err(Trouble::Endless),
            None if running.rest().is_zero() => return Err(Trouble::Slow),
            None => std::thread::sleep(TICK),
        }
    };
    // What it left running may hold its streams open for ever: what it said itself is there by now.
    let end = Instant::now() + AFTERWARDS;
    while !(out.is_complete() && err.is_complete()) && Instant::now() < end {
        std::thread::sleep(TICK);
    }
    if out.is_too_long() {
        return Err(Trouble::Endless);
    }
    running.ended = true;
    Ok(Output { status, stdout: out.take(), stderr: err.take() })
}

/// How often a running program is looked at.
const TICK: Duration = Duration::from_millis(2);
/// How long the streams of one that has ended are read on.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Starts a process. A file that another thread of this process was just writing may be busy for a moment.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    command.spawn().or_else(|error| match error.kind() {
        ErrorKind::ExecutableFileBusy => {
            std::thread::sleep(Duration::from_millis(50));
            command.spawn()
        }
        _ => Err(error),
    })
}

/// What is read from a stream, by a thread of its own.
struct Collected {
    bytes: Arc<Mutex<Zeroizing<Vec<u8>>>>,
    complete: Arc<AtomicBool>,
    longest: usize,
}

impl Collected {
    /// Reads to the end, or a little further than may be.
    fn of(stream: Option<impl Read + Send + 'static>, longest: usize) -> std::io::Result<Self> {
        let collected = Self { bytes: Arc::default(), complete: Arc::default(), longest };
        let (bytes, complete) = (Arc::clone(&collected.bytes), Arc::clone(&collected.complete));
        std::thread::Builder::new().spawn(move || {
            let mut buffer = Zeroizing::new([0; 4096]);
            let mut stream = stream;
            while let Some(Ok(read @ 1..)) = stream.as_mut().map(|stream| stream.read(&mut *buffer)) {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&buffer[..read]);
                if bytes.len() > longest {
                    break;
                }
            }
            complete.store(true, Ordering::Release);
        })?;
        Ok(collected)
    }

    fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    fn is_too_long(&self) -> bool {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).len() > self.longest
    }

    fn take(&self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A program at work, in a process group of its own: unless it has ended by itself it is killed with all
/// that it has started, also when a signal ends this program.
struct Running {
    child: Child,
    ends: Instant,
    ended: bool,
    _guard: signals::Guard,
}

impl Running {
    fn new(child: Child, patience: Duration) -> Self {
        let group = Pid::from_child(&child);
        let guard = signals::guard(move || {
            let _ = kill_process_group(group, Signal::KILL);
        });
        Self { child, ends: Instant::now() + patience, ended: false, _guard: guard }
    }

    fn rest(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
