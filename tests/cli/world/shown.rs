//! What a run showed, and what a test expects of it.

use super::words::{back, in_singularity};
use std::io::Write;
use std::process::Command;

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Shown {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Shown {
    /// Asserts the exit status; shows everything where it is another one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that standard error holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(!text.is_empty() && self.stderr.contains(text), "stderr lacks {text:?}: {self:#?}");
        self
    }

    /// Asserts that standard output holds `text`.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(!text.is_empty() && self.stdout.contains(text), "stdout lacks {text:?}: {self:#?}");
        self
    }

    /// Asserts that neither stream holds `text`.
    #[track_caller]
    pub fn never_shows(self, text: &str) -> Self {
        assert!(!text.is_empty(), "every text holds an empty one");
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "shows {text:?}: {self:#?}");
        self
    }
}

/// Waits for a command and takes what it showed. A signal is shown as in a shell: 128 and its number.
pub fn finish(command: &mut Command) -> Shown {
    use std::os::unix::process::ExitStatusExt;
    let output = command.output().expect("the program starts");
    let status = output.status;
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        if in_singularity() { back(&text) } else { text }
    };
    Shown {
        code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// As `finish`, with something to read.
pub fn finish_reading(command: &mut Command, input: &str) -> Shown {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    finish(command.stdin(file))
}
