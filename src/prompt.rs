//! Questions to a person on a terminal.

use crate::secret::keep_memory_private;
use crate::signals;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr, ttyname,
};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use zeroize::Zeroizing;

/// Asks. The words of the question were said before, on standard error.
pub trait Prompt {
    /// One line of what the person types, without its end. `None`: no answer (Ctrl-D).
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn line(&mut self) -> io::Result<Option<String>>;

    /// As `line`, without showing what is typed.
    ///
    /// # Errors
    /// The terminal cannot be read.
    fn secret(&mut self) -> io::Result<Option<Zeroizing<String>>>;
}

/// The terminal of this process.
pub struct Terminal;

impl Prompt for Terminal {
    fn line(&mut self) -> io::Result<Option<String>> {
        read_line(&mut Stdin).map(|line| line.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    fn secret(&mut self) -> io::Result<Option<Zeroizing<String>>> {
        let tty = open_terminal()?;
        keep_memory_private();
        // The user may end or stop the program at the question; the shell must get its terminal back as it was.
        let saved = tcgetattr(&tty)?;
        let hidden = hidden(&saved);
        let set = |modes: &Termios| -> io::Result<_> {
            let (tty, modes) = (tty.try_clone()?, modes.clone());
            Ok(move || {
                let _ = tcsetattr(&tty, OptionalActions::Now, &modes);
            })
        };
        let guard = signals::guard(set(&saved)?);
        let stop = signals::around_stop(set(&saved)?, set(&hidden)?);
        tcsetattr(&tty, OptionalActions::Now, &hidden)?;
        let keyboard = Keyboard(tty.try_clone()?);
        let config = rpassword::ConfigBuilder::new().input_reader(keyboard).output_discard().build();
        let answer = rpassword::read_password_with_config(config);
        drop(stop);
        set(&saved)?();
        drop(guard);
        match answer {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Terminal modes in which nothing typed is shown and each key arrives at once, because a terminal keeps no line of
/// more than 4095 bytes. Ctrl-C, Ctrl-\ and Ctrl-Z remain signals.
fn hidden(modes: &Termios) -> Termios {
    let mut modes = modes.clone();
    modes.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    modes
}

/// The controlling terminal; without one, the terminal that is standard input, by its name.
fn open_terminal() -> io::Result<File> {
    File::open("/dev/tty").or_else(|error| {
        let name = ttyname(rustix::stdio::stdin(), Vec::new()).map_err(|_| error)?;
        File::open(&*name.to_string_lossy())
    })
}

/// A terminal that is read again after a signal.
struct Keyboard(File);

impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut *buffer)).map_err(Into::into)
    }
}

/// Standard input without a buffer: what is not read here stays for whoever reads next.
pub struct Stdin;

impl Read for Stdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut *buffer))
            .map_err(Into::into)
    }
}

/// Lines longer than this are no name, answer or secret.
pub const LINE_LIMIT: usize = 64 * 1024;

/// One line of `input`, byte by byte, without its LF or CR LF. `None` at the end of the input.
///
/// # Errors
/// The input's own, and a line of more than [`LINE_LIMIT`] bytes.
pub fn read_line(input: &mut dyn Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // The whole room at once: growing would leave copies of a secret behind.
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
    fn a_line_is_read_and_the_rest_stays() {
        let mut input: &[u8] = b"token\r\nnext";
        assert_eq!(read_line(&mut input).unwrap().unwrap().as_slice(), b"token");
        assert_eq!(input, b"next");
        assert_eq!(read_line(&mut input).unwrap().unwrap().as_slice(), b"next");
        assert!(read_line(&mut input).unwrap().is_none());
    }

    #[test]
    fn an_empty_line_is_an_answer_and_an_endless_one_is_none() {
        assert_eq!(read_line(&mut &b"\n"[..]).unwrap().unwrap().as_slice(), b"");
        assert!(read_line(&mut io::repeat(b'x')).is_err());
    }
}
