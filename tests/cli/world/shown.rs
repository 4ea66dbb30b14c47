//! The output of a run, and assertions about it.

use super::words::{back, in_singularity};
use std::io::Write;
use std::process::Command;

/// The exit status and the output of a run.
#[derive(Clone, Debug)]
pub struct Shown {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Shown {
    /// Asserts the exit status; on failure, prints everything.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Asserts that standard error contains `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(!text.is_empty() && self.stderr.contains(text), "stderr lacks {text:?}: {self:#?}");
        self
    }

    /// Asserts that standard output contains `text`.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(!text.is_empty() && self.stdout.contains(text), "stdout lacks {text:?}: {self:#?}");
        self
    }

    /// Asserts that neither stream contains `text`.
    #[track_caller]
    pub fn never_shows(self, text: &str) -> Self {
        assert!(!text.is_empty(), "the expected text is empty");
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "shows {text:?}: {self:#?}");
        self
    }
}

/// Waits for a command and returns its output. A signal gives the code that a shell gives: 128 plus its number.
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

/// Like `finish`, with standard input.
pub fn finish_reading(command: &mut Command, input: &str) -> Shown {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    finish(command.stdin(file))
}
