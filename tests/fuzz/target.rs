//! A fuzz target, and the result of running it on an input.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A parser of external text.
pub struct Target {
    /// Parses the input, and panics if a promise is broken.
    pub check: fn(&[u8]) -> Outcome,
    /// Pieces of typical texts, which the mutator inserts.
    pub words: &'static [&'static str],
    /// Inputs in addition to those of the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The number of mutations in a plain test.
    pub runs: u32,
    /// The length of a large input in a long run; smaller if one run parses many times.
    pub large: usize,
}

impl Target {
    pub const fn new(check: fn(&[u8]) -> Outcome, words: &'static [&'static str]) -> Self {
        Self { check, words, seeds: Vec::new, runs: 20_000, large: 1 << 20 }
    }
}

/// Fingerprints of the parser's result. An input with a new fingerprint is worth mutating further, so
/// fingerprints depend on kinds and shapes, not on lengths and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome(pub Vec<u64>);

impl Outcome {
    pub fn of(shape: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        shape.hash(&mut hasher);
        Self(vec![hasher.finish()])
    }

    /// The fingerprint of a refusal: its message without numbers and quoted text.
    pub fn refused(words: &str) -> Self {
        let (before, rest) = words.split_once('"').unwrap_or((words, ""));
        let after = rest.rsplit_once('"').map_or(rest, |(_, after)| after);
        Self::of(before.chars().chain(after.chars()).filter(|c| !c.is_ascii_digit()).collect::<String>())
    }

    /// Fingerprints of an input whose lines are separate texts, up to four.
    pub fn of_lines(input: &[u8], one: impl Fn(&str) -> Self) -> Self {
        Self::all(String::from_utf8_lossy(input).split('\n').take(4).map(one))
    }

    /// Fingerprints of an input with several texts.
    pub fn all(outcomes: impl Iterator<Item = Self>) -> Self {
        Self(outcomes.flat_map(|outcome| outcome.0).collect())
    }

    /// Combines everything into one fingerprint.
    pub fn and(self, shape: impl Hash) -> Self {
        Self::of((self.0, Self::of(shape).0))
    }
}

/// The order of magnitude of a count, for shapes.
pub fn some(count: usize) -> u32 {
    count.checked_ilog2().map_or(0, |log| log + 1).min(5)
}

/// Whether the character must never be printed unescaped.
pub fn drives_a_terminal(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') || is_ignorable(c)
}

/// Default_Ignorable_Code_Point of Unicode.
fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfff8
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}
