//! Prompts on a terminal.

use crate::secret::keep_memory_private;
use crate::signals;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr, ttyname,
};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use zeroize::Zeroizing;

/// Reads answers. The question has already been printed to standard error.
pub trait Prompt {
    /// Reads one line, without its line end. `None` for no answer (Ctrl-D).
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn line(&mut self) -> io::Result<Option<String>>;

    /// Like `line`, but without echo.
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn secret(&mut self) -> io::Result<Option<Zeroizing<String>>>;
}

pub struct Terminal;

impl Prompt for Terminal {
    fn line(&mut self) -> io::Result<Option<String>> {
        read_line(&mut Stdin).map(|line| line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    fn secret(&mut self) -> io::Result<Option<Zeroizing<String>>> {
        let tty = open_terminal()?;
        keep_memory_private();
        // Restores the terminal even if the user ends or stops the program at the prompt.
        let saved = tcgetattr(&tty)?;
        let hidden = hidden(&saved);
        let set = |modes: &Termios| -> io::Result<_> {
            let (tty, modes) = (tty.try_clone()?, modes.clone());
            Ok(move || {
                let _ = tcsetattr(&tty, OptionalActions::Now, &modes);
            })
        };
        // Everything that can fail comes before the terminal is changed.
        let (restore, keyboard) = (set(&saved)?, Keyboard(tty.try_clone()?));
        let guard = signals::guard(set(&saved)?);
        let stop = signals::around_stop(set(&saved)?, set(&hidden)?);
        tcsetattr(&tty, OptionalActions::Now, &hidden)?;
        let config = rpassword::ConfigBuilder::new().input_reader(keyboard).output_discard().build();
        let answer = rpassword::read_password_with_config(config);
        drop(stop);
        restore();
        drop(guard);
        match answer {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Terminal modes without echo in which each key is delivered immediately, because a terminal's line buffer only
/// holds 4095 bytes. Ctrl-C, Ctrl-\ and Ctrl-Z still send signals.
fn hidden(modes: &Termios) -> Termios {
    let mut modes = modes.clone();
    modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes
}

/// The controlling terminal. If there is none, the terminal that is standard input, opened by name.
fn open_terminal() -> io::Result<File> {
    File::open("/dev/tty").or_else(|error| {
        let name = ttyname(rustix::stdio::stdin(), Vec::new()).map_err(|_| error)?;
        File::open(&*name.to_string_lossy())
    })
}

/// A terminal. Reads that a signal interrupts are repeated.
struct Keyboard(File);

impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut *buffer)).map_err(Into::into)
    }
}

/// Unbuffered standard input: what is not read here remains for the next reader.
pub struct Stdin;

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut *buffer))
            .map_err(Into::into)
    }
}

/// Longer lines are not valid names, answers or secrets.
pub const LINE_LIMIT: usize = 64 * 1024;

/// Reads one line byte by byte, without its LF or CR LF. `None` at the end of the input.
///
/// # Errors
/// The input cannot be read, or the line has more than [`LINE_LIMIT`] bytes.
pub fn read_line(input: &mut dyn Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Full capacity from the start, because growing would leave copies of a secret in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_LIMIT));
    let mut byte = [0];
    loop {
        match input.read(&mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == LINE_LIMIT => {
                return Err(io::Error::new(ErrorKind::InvalidData, "the line is longer than 64 KiB"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_is_read() {
        let mut input: &[u8] = b"token\r\nnext";
        assert_eq!(read_line(&mut input).unwrap().unwrap().as_slice(), b"token");
        assert_eq!(input, b"next");
        assert_eq!(read_line(&mut input).unwrap().unwrap().as_slice(), b"next");
        assert!(read_line(&mut input).unwrap().is_none());
    }

    #[test]
    fn an_empty_line_is_accepted_and_an_endless_line_is_an_error() {
        assert_eq!(read_line(&mut &b"\n"[..]).unwrap().unwrap().as_slice(), b"");
        assert!(read_line(&mut io::repeat(b'x')).is_err());
    }
}
