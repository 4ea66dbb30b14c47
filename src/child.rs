//! Another program, run to its end with a bound on its time and on what it says.

use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How much of a program is borne.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// From its start to its end, and to that of its streams.
    pub patience: Duration,
    /// Of standard output, in bytes; of standard error the rest is left alone.
    pub longest: usize,
}

/// What it left behind. May hold secrets, and is wiped.
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// All of it.
    pub stdout: Zeroizing<Vec<u8>>,
    /// Its beginning.
    pub stderr: Zeroizing<Vec<u8>>,
}

/// Why there is no output.
#[derive(Debug)]
pub enum Trouble {
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
pub fn run(command: &mut Command, input: &str, bounds: Bounds) -> Result<Output, Trouble> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(command).map_err(Trouble::Start)?;
    let mut running = Running { child, ends: Instant::now() + bounds.patience };
    let stdin = running.child.stdin.take();
    let out = collect(running.child.stdout.take(), bounds.longest);
    let err = collect(running.child.stderr.take(), bounds.longest);
    // In a thread of its own, since a program need not read; that it did not is no failure in itself.
    let input = Zeroizing::new(input.to_string());
    let _ = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(input.as_bytes())));
    let stdout = running.receive(&out).ok_or(Trouble::Slow)?;
    if stdout.len() > bounds.longest {
        return Err(Trouble::Endless);
    }
    let status = running.wait().ok_or(Trouble::Slow)?.map_err(Trouble::Start)?;
    let stderr = running.receive(&err).unwrap_or_default();
    Ok(Output { status, stdout, stderr })
}

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

/// Reads a stream to its end, or one byte further than may be, in a thread of its own.
fn collect(stream: Option<impl Read + Send + 'static>, longest: usize) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        if let Some(stream) = stream {
            let _ = stream.take(longest as u64 + 1).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

/// A program at work; killed when nobody waits for it any more.
struct Running {
    child: Child,
    ends: Instant,
}

impl Running {
    fn rest(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    fn receive(&self, bytes: &Receiver<Zeroizing<Vec<u8>>>) -> Option<Zeroizing<Vec<u8>>> {
        bytes.recv_timeout(self.rest()).ok()
    }

    fn wait(&mut self) -> Option<std::io::Result<ExitStatus>> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(Ok(status)),
                Ok(None) if self.rest().is_zero() => return None,
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
