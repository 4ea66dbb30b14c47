//! Reads secrets from a token file, standard input, an option, the environment or a terminal.
//!
//! Secrets are only stored in a [`Secret`]. Error messages name the source and the problem, but never contain the
//! secret.

use crate::error::{Failure, Result, ResultExt};
use crate::prompt::{LINE_LIMIT, Prompt, read_line};
use crate::secret::{Secret, keep_memory_private};
use clap::Args;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The options that name a source for a secret. At most one of them may be given.
#[derive(Args, Clone, Default)]
pub(crate) struct SecretOptions {
    /// Read the token from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE")]
    pub tokenfile: Option<PathBuf>,
    /// Password or token (visible in the process list; prefer --password-stdin)
    #[arg(short, long, value_name = "PASSWORD", value_parser = secret)]
    pub password: Option<Secret>,
    /// Read the password or token from standard input
    #[arg(long)]
    pub password_stdin: bool,
}

impl fmt::Debug for SecretOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretOptions").field("tokenfile", &self.tokenfile).finish_non_exhaustive()
    }
}

/// Where a secret can come from if no option names a source.
pub(crate) struct Streams<'a> {
    /// Standard input, unbuffered.
    pub stdin: &'a mut dyn Read,
    /// Whether it is a terminal, so that the user can be asked.
    pub terminal: bool,
    /// Asks the user.
    pub prompt: &'a mut dyn Prompt,
}

impl SecretOptions {
    /// Each option, and whether it was given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--tokenfile <FILE>", self.tokenfile.is_some()),
            ("--password <PASSWORD>", self.password.is_some()),
            ("--password-stdin", self.password_stdin),
        ]
    }

    /// Whether the command line names a source.
    pub(crate) fn is_given(&self) -> bool {
        self.given().iter().any(|(_, given)| *given)
    }

    /// Whether that source is standard input. On a terminal the input must then be hidden.
    pub(crate) fn is_stdin(&self) -> bool {
        self.password_stdin || self.tokenfile.as_deref() == Some(Path::new("-"))
    }

    /// Reads the secret from the source that the command line names; `None` if it names none.
    ///
    /// # Errors
    /// The file or standard input cannot be read or is not valid text.
    pub(crate) fn read(&self, stdin: &mut dyn Read) -> Result<Option<Secret>> {
        if let Some(path) = &self.tokenfile {
            return if path == Path::new("-") {
                first_line(stdin, "standard input")
            } else {
                from_file(path)
            }
            .map(|secret| Some(secret.unwrap_or_else(empty)));
        }
        if self.password_stdin {
            return whole_stdin(stdin).map(Some);
        }
        Ok(self.password.clone())
    }
}

impl Streams<'_> {
    /// Reads from the terminal without echo, or one line from a pipe. `None` if the input is empty.
    ///
    /// # Errors
    /// The stream cannot be read or is not valid text.
    pub(crate) fn read(&mut self) -> Result<Option<Secret>> {
        if !self.terminal {
            return first_line(self.stdin, "standard input");
        }
        let answer = self.prompt.secret().fail_context(|| "reading the terminal")?;
        // Pasted tokens often have a space at the end.
        Ok(answer.and_then(|text| Secret::non_empty(text.trim().to_string())))
    }

    /// Like `read`, but keeps spaces at the beginning and end.
    ///
    /// # Errors
    /// Like `read`.
    pub(crate) fn password(&mut self) -> Result<Option<Secret>> {
        if !self.terminal {
            return self.read();
        }
        let answer = self.prompt.secret().fail_context(|| "reading the terminal")?;
        Ok(answer.and_then(|text| Secret::non_empty(text.to_string())))
    }
}

/// Checks that a token consists of 1 to 8192 characters of RFC 6750's b64token, so that the content of a wrong
/// file is never sent to a server.
///
/// # Errors
/// The token is invalid. The message names the broken rule and the `source` of the token.
pub(crate) fn check_token(token: Secret, source: &str) -> Result<Secret> {
    let text = token.expose();
    let body = text.trim_end_matches('=');
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > 8192 {
        "is longer than 8192 characters"
    } else if text.contains([' ', '\t']) {
        "contains spaces"
    } else if body.is_empty() || !body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b)) {
        "contains invalid characters (allowed: letters, digits, - . _ ~ + / and = at the end)"
    } else {
        return Ok(token);
    };
    Err(Failure::new(format!("the token from {source} {problem}; nothing was sent")))
}

/// Names the source of the secret, for messages.
pub(crate) fn source_name(options: &SecretOptions, terminal: bool) -> String {
    match &options.tokenfile {
        Some(path) if path != Path::new("-") => shown(path),
        None if options.password.is_some() => "the command line".into(),
        None if terminal && !options.password_stdin => "the terminal".into(),
        _ => "standard input".into(),
    }
}

/// Parses a command-line value that must be treated as a secret.
fn secret(text: &str) -> std::result::Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text.to_string()))
}

fn empty() -> Secret {
    Secret::new(String::new())
}

/// A file name for messages, shortened if it may be the token itself.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.char_indices().nth(8) {
        Some((end, _)) if looks_like_token(path) => format!("{}…", &text[..end]),
        _ => text.into_owned(),
    }
}

/// Reads the first line of a file, which may be a pipe: `--tokenfile <(pass show site)`.
fn from_file(path: &Path) -> Result<Option<Secret>> {
    let failed = || format!("while reading token file {}", shown(path));
    // Called before the file is opened, because opening a FIFO may block.
    keep_memory_private();
    let mut file = File::open(path).fail_context(failed).map_err(|failure| match looks_like_token(path) {
        true => {
            failure.hint("--tokenfile takes the name of a file; to pipe in the token itself: --tokenfile -")
        }
        false => failure,
    })?;
    if file.metadata().fail_context(failed)?.is_dir() {
        return Err(Failure::new("it is a directory").context(failed()));
    }
    first_line(&mut file, &shown(path)).map_err(|failure| failure.context("while reading token file"))
}

/// Whether the user probably gave the token itself instead of a file name: it is long, contains no directory, and
/// is not an existing file.
fn looks_like_token(path: &Path) -> bool {
    const SHORTEST: usize = 20;
    let text = path.to_string_lossy();
    text.len() >= SHORTEST && !text.contains('/') && !path.exists()
}

fn first_line(input: &mut dyn Read, name: &str) -> Result<Option<Secret>> {
    keep_memory_private();
    match read_line(input).fail_context(|| name.to_string())? {
        Some(line) => text(line.to_vec(), name).map(|secret| (!secret.is_empty()).then_some(secret)),
        None => Ok(None),
    }
}

/// Reads all of standard input, without one trailing LF or CR LF.
fn whole_stdin(stdin: &mut dyn Read) -> Result<Secret> {
    let name = "standard input";
    keep_memory_private();
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_LIMIT + 1));
    stdin.take(LINE_LIMIT as u64 + 1).read_to_end(&mut bytes).fail_context(|| name)?;
    if bytes.len() > LINE_LIMIT {
        return Err(Failure::new(format!("{name} is longer than 64 KiB")));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    text(bytes.to_vec(), name)
}

fn text(bytes: Vec<u8>, name: &str) -> Result<Secret> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Failure::new(format!("{name} is not valid UTF-8")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = check_token(Secret::new(text.into()), "f").unwrap_err().message();
        assert!(text.is_empty() || !error.contains(text), "{error}");
        error
    }

    #[test]
    fn invalid_tokens_are_rejected() {
        for good in ["a", "eyJ0eXAi.abc-_~+/9==", &"x".repeat(8192)] {
            assert_eq!(check_token(Secret::new(good.into()), "f").unwrap().expose(), good);
        }
        assert!(refused("").contains("empty"));
        assert!(refused(&"x".repeat(9000)).contains("8192"));
        assert!(refused("two words").contains("spaces"));
        for bad in ["root:$6$salt$hash:19000:0", "==", "a=b", "tökén", "a\rb"] {
            assert!(refused(bad).contains("characters"));
        }
    }

    #[test]
    fn only_one_line_end_is_removed_from_standard_input() {
        for (input, expected) in [("pw\r\n", "pw"), ("pw\n\n", "pw\n"), ("p w", "p w"), ("", "")] {
            assert_eq!(whole_stdin(&mut input.as_bytes()).unwrap().expose(), expected);
        }
    }

    #[test]
    fn standard_input_holds_at_most_64_kib() {
        let whole = "x".repeat(LINE_LIMIT);
        assert_eq!(whole_stdin(&mut whole.as_bytes()).unwrap().expose(), whole);
        let error = whole_stdin(&mut format!("{whole}x").as_bytes()).unwrap_err().message();
        assert_eq!(error, "standard input is longer than 64 KiB");
    }

    #[test]
    fn a_name_that_may_be_the_token_is_shortened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x".repeat(30));
        std::fs::write(&file, "").unwrap();
        let file = file.display().to_string();
        for (name, expected) in [
            ("0123456789012345678", "0123456789012345678"),
            ("01234567890123456789", "01234567…"),
            ("./01234567890123456789", "./01234567890123456789"),
            (&file, &file),
        ] {
            assert_eq!(shown(Path::new(name)), expected);
        }
    }

    fn options(tokenfile: Option<&str>, password: Option<&str>, password_stdin: bool) -> SecretOptions {
        let password = password.map(|text| Secret::new(text.into()));
        SecretOptions { tokenfile: tokenfile.map(PathBuf::from), password, password_stdin }
    }

    #[test]
    fn each_option_names_its_source() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "of-the-file\nmore\n").unwrap();
        let file = path.to_str().unwrap();
        let pipe = "of-the-pipe\nmore";
        for (options, given, stdin, read, at_terminal, in_pipe) in [
            (options(None, None, false), [false; 3], false, None, "the terminal", "standard input"),
            (options(Some(file), None, false), [true, false, false], false, Some("of-the-file"), file, file),
            (
                options(Some("-"), None, false),
                [true, false, false],
                true,
                Some("of-the-pipe"),
                "standard input",
                "standard input",
            ),
            (
                options(None, Some("typed"), false),
                [false, true, false],
                false,
                Some("typed"),
                "the command line",
                "the command line",
            ),
            (
                options(None, None, true),
                [false, false, true],
                true,
                Some(pipe),
                "standard input",
                "standard input",
            ),
        ] {
            let names = ["--tokenfile <FILE>", "--password <PASSWORD>", "--password-stdin"];
            assert_eq!(options.given().map(|(name, _)| name), names);
            assert_eq!(options.given().map(|(_, given)| given), given, "{options:?}");
            assert_eq!(options.is_given(), given.contains(&true), "{options:?}");
            assert_eq!(options.is_stdin(), stdin, "{options:?}");
            let secret = options.read(&mut pipe.as_bytes()).unwrap();
            assert_eq!(secret.as_ref().map(Secret::expose), read, "{options:?}");
            assert_eq!(source_name(&options, true), at_terminal, "{options:?}");
            assert_eq!(source_name(&options, false), in_pipe, "{options:?}");
        }
    }

    /// A user who types this text.
    struct Person(&'static str);

    impl Prompt for Person {
        fn line(&mut self) -> std::io::Result<Option<String>> {
            panic!("a secret is never shown")
        }

        fn secret(&mut self) -> std::io::Result<Option<Zeroizing<String>>> {
            Ok(Some(Zeroizing::new(self.0.into())))
        }
    }

    #[test]
    fn a_terminal_prompts_and_a_pipe_is_read() {
        for (terminal, typed, token, password) in [
            (true, " pw ", Some("pw"), Some(" pw ")),
            (true, "", None, None),
            (false, "unused", Some(" piped "), Some(" piped ")),
        ] {
            for (expected, of_password) in [(token, false), (password, true)] {
                let (mut stdin, mut person) = (" piped \nmore".as_bytes(), Person(typed));
                let mut streams = Streams { stdin: &mut stdin, terminal, prompt: &mut person };
                let read = if of_password { streams.password() } else { streams.read() }.unwrap();
                assert_eq!(read.as_ref().map(Secret::expose), expected, "{terminal} {typed:?}");
            }
        }
    }

    #[test]
    fn options_never_show_the_password() {
        let options =
            SecretOptions { password: Some(Secret::new("canary".into())), ..SecretOptions::default() };
        let shown = format!("{options:?}");
        assert!(shown.contains("tokenfile") && !shown.contains("canary"), "{shown}");
    }
}
