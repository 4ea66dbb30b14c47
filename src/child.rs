//! Another program, run to its end with a bound on its time and on what it says.

use crate::runtime::block_on;
use crate::signals;
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
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

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Start(error)
    }
}

/// What it left running may hold its streams open for ever: they are read for so long after its end.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Runs a program that reads `input`, in a process group of its own: with all that it has started it is killed when
/// it does not end by itself, also when a signal ends this program.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn run(command: std::process::Command, input: &str, bounds: Bounds) -> Result<Output, Trouble> {
    block_on(async {
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = spawn(&mut command).await?;
        let group = Group::of(&child);
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut stdout, mut stderr) = (Zeroizing::default(), Zeroizing::default());
        let (status, fits) = {
            let write = async {
                if let Some(mut stdin) = stdin {
                    // A program need not read; that it did not is no failure in itself.
                    let _ = stdin.write_all(input.as_bytes()).await;
                }
            };
            let read = async {
                let (out, _) = tokio::join!(
                    read(out, bounds.longest, &mut stdout),
                    read(err, bounds.longest, &mut stderr)
                );
                out
            };
            let streams = async { tokio::join!(write, read).1 };
            let mut streams = std::pin::pin!(streams);
            let whole = async {
                tokio::select! {
                    fits = &mut streams => match fits {
                        true => Ok((child.wait().await?, true)),
                        false => Err(Trouble::Endless),
                    },
                    status = child.wait() => {
                        Ok((status?, timeout(AFTERWARDS, &mut streams).await.unwrap_or(true)))
                    }
                }
            };
            timeout(bounds.patience, whole).await.unwrap_or(Err(Trouble::Slow))?
        };
        if !fits {
            return Err(Trouble::Endless);
        }
        group.has_ended();
        Ok(Output { status, stdout, stderr })
    })?
}

/// Starts a process. A file that another thread of this process was just writing may be busy for a moment.
async fn spawn(command: &mut Command) -> std::io::Result<Child> {
    match command.spawn() {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
            sleep(Duration::from_millis(50)).await;
            command.spawn()
        }
        started => started,
    }
}

/// Reads to the end, or a little further than may be. Returns whether all of it fits.
async fn read(
    stream: Option<impl AsyncRead + Unpin>,
    longest: usize,
    bytes: &mut Zeroizing<Vec<u8>>,
) -> bool {
    let Some(mut stream) = stream else { return true };
    let mut buffer = Zeroizing::new([0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut *buffer).await {
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.len() > longest {
            return false;
        }
    }
    true
}

/// The processes of a program, which are killed unless it has ended by itself.
struct Group {
    leader: Option<Pid>,
    _guard: signals::Guard,
}

impl Group {
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Self { leader, _guard: signals::guard(move || kill(leader)) }
    }

    fn has_ended(mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.leader);
    }
}

fn kill(leader: Option<Pid>) {
    if let Some(leader) = leader {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}
