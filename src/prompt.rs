//! Questions to a person on a terminal.

use crate::secret::keep_memory_private;
use crate::signals;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr, ttyname};
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
        let (path, tty) = open_terminal()?;
        keep_memory_private();
        // The person may end the program at the question; the shell must get its terminal back as it was.
        let saved = tcgetattr(&tty)?;
        let guard = signals::guard(move || {
            let _ = tcsetattr(&tty, OptionalActions::Now, &saved);
        });
        let config = rpassword::ConfigBuilder::new().input_file_path(path).output_discard().build();
        let answer = rpassword::read_password_with_config(config);
        match answer {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                // Ctrl-C: the signal is on its way to the thread that cleans up and ends the process.
                std::thread::sleep(std::time::Duration::from_secs(5));
                drop(guard);
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// The controlling terminal; where there is none, the one that standard input is, by its own name.
fn open_terminal() -> io::Result<(String, File)> {
    let controlling = "/dev/tty";
    File::open(controlling).map(|file| (controlling.to_string(), file)).or_else(|error| {
        let name = ttyname(rustix::stdio::stdin(), Vec::new()).map_err(|_| error)?;
        let path = name.to_string_lossy().into_owned();
        File::open(&path).map(|file| (path, file))
    })
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
