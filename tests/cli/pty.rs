//! A pseudo-terminal, which the program takes for a person's terminal.

use crate::peers::wire::PATIENT;
use crate::world::skipped;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program that runs on a terminal.
pub struct Pty {
    keyboard: File,
    /// Kept open, so that the terminal settings can be checked after the program ended.
    screen: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Pty {
    /// Whether pseudo-terminals can be created here. Otherwise prints that the test is skipped.
    pub fn can_be_made() -> bool {
        let can = Self::pair().is_ok();
        if !can {
            skipped("needs a terminal: no file system of terminals is mounted at /dev/pts");
        }
        can
    }

    /// Both ends of a new terminal: the person's end and the program's end.
    fn pair() -> std::io::Result<(File, File)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?;
        let screen = File::options().read(true).write(true).open(OsStr::from_bytes(path.to_bytes()))?;
        Ok((File::from(master), screen))
    }

    /// Starts `command` with the terminal as its controlling terminal and all three streams on it.
    pub fn start(command: &Command, columns: u16) -> Self {
        let (keyboard, screen) = Self::pair().unwrap();
        if crate::world::is_root() {
            rustix::fs::fchmod(&screen, rustix::fs::Mode::from_raw_mode(0o666)).unwrap();
        }
        tcsetwinsize(&screen, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        // setsid makes its standard input the controlling terminal of the new session.
        let mut leader = Command::new("setsid");
        leader.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).env_clear();
        leader.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        leader
            .stdin(screen.try_clone().unwrap())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen.try_clone().unwrap());
        let child = leader.spawn().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (keyboard.try_clone().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { keyboard, screen, shown, child }
    }

    /// The output so far, with LF as line end.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace("\r\n", "\n")
    }

    /// Waits until `text` is on the screen.
    #[track_caller]
    pub fn expect(&self, text: &str) {
        let end = Instant::now() + PATIENT;
        while !self.screen().contains(text) {
            assert!(Instant::now() < end, "{text:?} did not appear:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the terminal no longer echoes input.
    #[track_caller]
    pub fn expect_hidden(&self) {
        let end = Instant::now() + PATIENT;
        while self.echoes() {
            assert!(Instant::now() < end, "still echoing:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types keys; `\u{3}` is Ctrl-C, `\u{4}` is Ctrl-D.
    pub fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end. Returns the exit status and the whole screen.
    #[track_caller]
    pub fn end(&mut self) -> (ExitStatus, String) {
        let end = Instant::now() + PATIENT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "the program does not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        };
        std::thread::sleep(Duration::from_millis(50));
        (status, self.screen())
    }

    /// Whether the terminal echoes input.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.screen).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Whether the terminal has the settings that a shell needs.
    pub fn is_restored(&self) -> bool {
        let needed = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcgetattr(&self.screen).unwrap().local_modes.contains(needed)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
