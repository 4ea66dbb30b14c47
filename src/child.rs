//! Runs another program with limits on its time and output.

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

/// The limits for a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// From start to exit.
    pub patience: Duration,
    /// Maximum size of standard output in bytes. Standard error beyond this size is ignored.
    pub longest: usize,
}

/// The result of a program. The output may contain secrets, so its memory is wiped on drop.
pub(crate) struct Output {
    pub status: ExitStatus,
    /// The complete standard output.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The beginning of standard error.
    pub stderr: Zeroizing<Vec<u8>>,
}

/// Why a program has no result.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It could not be started or waited for.
    Start(std::io::Error),
    /// It did not exit in time and was killed.
    Slow,
    /// Its standard output is too long, and it was killed.
    Endless,
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Start(error)
    }
}

/// Background processes of the program may keep its streams open forever, so reading stops this long after it
/// exits.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// Runs a program with `input` on standard input, in its own process group. The whole group is killed if the
/// program does not exit in time, or if a signal ends this program.
///
/// # Errors
/// The program failed to run or exceeded its limits.
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
                    // The program need not read its input, so a failed write is not an error.
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

/// Starts a process, with one retry: a file that another thread has just written may be busy for a moment.
async fn spawn(command: &mut Command) -> std::io::Result<Child> {
    match command.spawn() {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
            sleep(Duration::from_millis(50)).await;
            command.spawn()
        }
        started => started,
    }
}

/// Reads to the end, or slightly more than `longest` bytes. Returns whether everything fits.
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

/// The process group of a program. It is killed on drop, unless the program has exited by itself.
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
