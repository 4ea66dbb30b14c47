//! In-memory streams and prompt answers of a world.

use apptainer_remote::context::{self, Stream};
use apptainer_remote::prompt::Prompt;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::rc::Rc;
use zeroize::Zeroizing;

#[derive(Clone, Default)]
pub struct Sink(Rc<RefCell<Vec<u8>>>);

impl Sink {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).expect("what is shown is text")
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub struct Answers(pub VecDeque<Option<String>>);

impl Prompt for Answers {
    fn line(&mut self) -> io::Result<Option<String>> {
        self.0.pop_front().ok_or_else(|| io::Error::other("a question that the test did not expect"))
    }

    fn secret(&mut self) -> io::Result<Option<Zeroizing<String>>> {
        Ok(self.line()?.map(Zeroizing::new))
    }
}

/// Which streams in-process runs treat as terminals.
#[derive(Clone, Copy, Default)]
pub struct Terminals {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

impl Terminals {
    pub fn asked(self) -> context::Terminals {
        context::Terminals::new(move |stream| match stream {
            Stream::Stdin => self.stdin,
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        })
    }
}
