//! A server process: starts it, waits until it listens, and kills it with all its children at the end.

use crate::peers::wire::PATIENT;
use crate::world::skipped;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The directories in which Debian installs programs; some are not in an ordinary user's PATH.
const DIRECTORIES: [&str; 2] = ["/usr/bin", "/usr/sbin"];

/// The path of a program in these directories.
pub fn program(name: &str) -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.exists())
}

/// Whether all of these programs are installed. Otherwise prints that the test is skipped.
pub fn installed(names: &[&str]) -> bool {
    let missing: Vec<_> = names.iter().filter(|name| program(name).is_none()).copied().collect();
    if !missing.is_empty() {
        skipped(&format!("needs a tool: {} is not installed", missing.join(", ")));
    }
    missing.is_empty()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A running server.
pub struct Daemon(Child);

impl Daemon {
    /// Starts a server with its output in `log`, and waits until it listens. `None` if it ended before: another
    /// process may have taken its port.
    pub fn start(mut command: Command, port: u16, log: &Path) -> Option<Self> {
        let output = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut daemon = Self(command.process_group(0).spawn().unwrap());
        let end = Instant::now() + PATIENT;
        while Instant::now() < end {
            if daemon.0.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(daemon);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no answer on port {port}: {}", std::fs::read_to_string(log).unwrap_or_default());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Runs a program, which must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
