//! Messages to the user on standard error, in Apptainer's levels and layout.
//!
//! Text from outside (YAML, JSON, HTTP, arguments) is escaped here, because all messages go through this module.
//! So the name of a remote can never move the cursor or change a colour.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write;

/// The level of a message. The numbers are Apptainer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum Level {
    Fatal = -4,
    Error = -3,
    Warning = -2,
    Log = -1,
    Info = 1,
    Verbose = 2,
    Debug = 5,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL:",
            Self::Error => "ERROR:",
            Self::Warning => "WARNING:",
            Self::Log => "LOG:",
            Self::Info => "INFO:",
            Self::Verbose => "VERBOSE:",
            Self::Debug => "DEBUG:",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Fatal | Self::Error => "\x1b[31m",
            Self::Warning => "\x1b[33m",
            Self::Info => "\x1b[34m",
            _ => "",
        }
    }
}

/// Writes messages to standard error. It is shared by reference, because all modules print messages.
pub struct Talk {
    threshold: i8,
    colour: Box<dyn Fn() -> bool>,
    out: RefCell<Box<dyn Write>>,
}

impl Talk {
    /// `threshold` is the highest level number to show: 1 by default, 5 for `-d`, −3 for `-s`.
    pub fn new(out: Box<dyn Write>, threshold: i8, colour: bool) -> Self {
        Self { threshold, colour: Box::new(move || colour), out: RefCell::new(out) }
    }

    /// Changes threshold and colour once the command line is known. `colour` is called for each message.
    pub fn configure(&mut self, threshold: i8, colour: impl Fn() -> bool + 'static) {
        self.threshold = threshold;
        self.colour = Box::new(colour);
    }

    /// Whether a message of this level would be shown. Saves building messages that are not.
    pub fn shows(&self, level: Level) -> bool {
        level as i8 <= self.threshold
    }

    /// Prints `text` at `level`, always on one line.
    pub fn say(&self, level: Level, text: impl AsRef<str>) {
        if !self.shows(level) {
            return;
        }
        let (on, off) = match level.colour() {
            on if !on.is_empty() && (self.colour)() => (on, "\x1b[0m"),
            _ => ("", ""),
        };
        self.line(&format!("{on}{:<8}{off} {}\n", level.label(), escape(text.as_ref())));
    }

    /// Prints a hint below a message: its purpose and the command to run. One of them may be empty. Hidden by
    /// `-q` and `-s`.
    pub fn hint(&self, reason: &str, command: &str) {
        if !self.shows(Level::Info) {
            return;
        }
        let [label, bold, off] = if (self.colour)() { ["\x1b[36m", "\x1b[1m", "\x1b[0m"] } else { [""; 3] };
        let mut text = escape(reason).into_owned();
        if !command.is_empty() {
            let between = if reason.is_empty() { "" } else { ": " };
            text.push_str(&format!("{between}{bold}{}{off}", escape(command)));
        }
        self.line(&format!("{label}{:<8}{off} {text}\n", "hint:"));
    }

    /// Prints another line of the message above, at the same level.
    pub fn continue_message(&self, level: Level, text: impl AsRef<str>) {
        if self.shows(level) {
            self.line(&format!("{:<8} {}\n", "", escape(text.as_ref())));
        }
    }

    /// Prints a prompt at any threshold. It is not escaped, so the caller must only use trusted text.
    pub fn prompt(&self, text: &str) {
        self.line(text);
    }

    /// Writes each line with a single write, so that lines of several processes do not mix. Errors are ignored,
    /// because there is nowhere to report them.
    fn line(&self, text: &str) {
        let mut out = self.out.borrow_mut();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

macro_rules! level_methods {
    ($($name:ident $level:ident $what:literal;)*) => {
        impl Talk {
            $(
                #[doc = concat!("Says `text` at level ", $what, ".")]
                pub fn $name(&self, text: impl AsRef<str>) {
                    self.say(Level::$level, text);
                }
            )*
        }
    };
}
level_methods! {
    fatal Fatal "FATAL";
    error Error "ERROR";
    warning Warning "WARNING";
    info Info "INFO";
    verbose Verbose "VERBOSE";
    debug Debug "DEBUG";
}

/// `text` with all control characters, line separators and invisible characters escaped.
///
/// Borrowed if there is nothing to escape.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) && (c as u32) < 0x80 => {
                let _ = write!(safe, "\\x{:02x}", c as u32);
            }
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", c as u32);
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Maximum length of text from a server in messages, in characters.
pub const LONGEST: usize = 256;

/// `text`, shortened to its first [`LONGEST`] characters and `…` if it is longer.
pub fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// `text` as one shell word, for suggested commands. Borrowed if it needs no quotes.
pub fn quoted(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

/// Whether a character is a control character (C0, DEL, C1), a Unicode line or paragraph separator, or one that a
/// terminal does not show or that only affects other characters. Such characters can make one name look like
/// another.
pub fn is_unsafe(c: char) -> bool {
    // A fast path, because most text is ASCII.
    c.is_control() || (c as u32) >= 0xad && (matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c))
}

/// The Unicode 16 property Default_Ignorable_Code_Point, from DerivedCoreProperties.txt, sorted. It includes
/// direction marks and isolates, joiners, variation selectors and tags.
const INVISIBLE: [(char, char); 17] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

fn is_invisible(c: char) -> bool {
    let after = INVISIBLE.partition_point(|(first, _)| *first <= c);
    after > 0 && c <= INVISIBLE[after - 1].1
}

/// An in-memory stream that collects messages in tests.
#[cfg(test)]
pub(crate) mod sink {
    use std::cell::RefCell;
    use std::io::Write;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    pub(crate) struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sink::Sink;
    use super::*;

    fn said(threshold: i8, colour: bool, speak: impl FnOnce(&Talk)) -> String {
        let sink = Sink::default();
        speak(&Talk::new(Box::new(sink.clone()), threshold, colour));
        sink.text()
    }

    #[test]
    fn labels_are_padded_to_eight_columns() {
        assert_eq!(said(1, false, |t| t.info("x")), "INFO:    x\n");
        assert_eq!(said(1, false, |t| t.warning("x")), "WARNING: x\n");
        assert_eq!(said(1, false, |t| t.fatal("x")), "FATAL:   x\n");
        assert_eq!(said(1, false, |t| t.hint("", "x")), "hint:    x\n");
    }

    #[test]
    fn only_the_label_is_coloured() {
        assert_eq!(said(1, true, |t| t.fatal("x")), "\x1b[31mFATAL:  \x1b[0m x\n");
        assert_eq!(said(5, true, |t| t.debug("x")), "DEBUG:   x\n");
    }

    #[test]
    fn messages_above_the_threshold_are_hidden() {
        assert_eq!(said(1, false, |t| t.verbose("x")), "");
        assert_eq!(said(-1, false, |t| t.info("x")), "");
        assert_eq!(said(-1, false, |t| t.hint("", "x")), "");
        assert_eq!(said(1, true, |t| t.hint("to y", "x")), "\x1b[36mhint:   \x1b[0m to y: \x1b[1mx\x1b[0m\n");
        assert_eq!(said(1, false, |t| t.hint("to y", "x")), "hint:    to y: x\n");
        assert_eq!(said(1, true, |t| t.hint("note", "")), "\x1b[36mhint:   \x1b[0m note\n");
        assert_eq!(said(-3, false, |t| t.warning("x")), "");
        assert_eq!(said(-3, false, |t| t.fatal("x")), "FATAL:   x\n");
        assert_eq!(said(-3, false, |t| t.prompt("Access Token: ")), "Access Token: ");
    }

    #[test]
    fn suggested_commands_are_safe_to_paste() {
        assert_eq!(quoted("my-cloud"), "my-cloud");
        assert_eq!(quoted("a;b $(id)"), "'a;b $(id)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(cut(&"ä".repeat(LONGEST)), "ä".repeat(LONGEST));
        assert_eq!(cut(&"ä".repeat(LONGEST + 1)), "ä".repeat(LONGEST) + "…");
    }

    #[test]
    fn outside_text_cannot_control_the_terminal() {
        assert_eq!(escape("a\x1b[31mb\n"), "a\\x1b[31mb\\n");
        assert_eq!(escape("\u{9b}x\u{202e}\u{61c}"), "\\u{9b}x\\u{202e}\\u{61c}");
        assert!(matches!(escape("ä✓日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn direction_marks_and_isolates_are_escaped() {
        for (c, escaped) in [
            ('\u{2066}', "\\u{2066}"),
            ('\u{2067}', "\\u{2067}"),
            ('\u{2068}', "\\u{2068}"),
            ('\u{2069}', "\\u{2069}"),
            ('\u{200e}', "\\u{200e}"),
            ('\u{202a}', "\\u{202a}"),
            ('\u{2028}', "\\u{2028}"),
            ('\u{2029}', "\\u{2029}"),
        ] {
            assert_eq!(escape(&format!("a{c}b")), format!("a{escaped}b"));
        }
    }

    #[test]
    fn invisible_characters_are_escaped() {
        let text = "a\u{200b}\u{ad}\u{e0041}\u{feff}\u{200d}\u{fe0f}\u{3164}b";
        assert_eq!(escape(text), r"a\u{200b}\u{ad}\u{e0041}\u{feff}\u{200d}\u{fe0f}\u{3164}b");
        for (first, last) in INVISIBLE {
            assert!(is_unsafe(first) && is_unsafe(last), "{first:?}");
        }
        let in_order = INVISIBLE.windows(2).all(|pair| pair[0].1 < pair[1].0);
        assert!(in_order, "the search needs it");
    }

    #[test]
    fn characters_of_names_are_not_escaped() {
        for text in [
            "Ünïcøde",
            "e\u{301}",
            "क्षि",
            "ไทย",
            "한국어",
            "עברית",
            "العربية",
            "🔒👍🏽",
            "\u{3000}\u{a0}\u{ffe0}",
        ] {
            assert!(matches!(escape(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
