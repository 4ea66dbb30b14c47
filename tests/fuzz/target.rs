//! What a target is, and what one of its runs says about the input.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A parser of text from outside.
pub struct Target {
    /// Gives the input to the parser and panics where a promise is broken.
    pub check: fn(&[u8]) -> Outcome,
    /// What the parser's texts are made of: the mutator puts these in.
    pub words: &'static [&'static str],
    /// Inputs besides those of the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutations a plain test tries.
    pub runs: u32,
    /// The length of a large input, in a long run; smaller where one run means many of the parser.
    pub large: usize,
}

impl Target {
    pub const fn new(check: fn(&[u8]) -> Outcome, words: &'static [&'static str]) -> Self {
        Self { check, words, seeds: Vec::new, runs: 20_000, large: 1 << 20 }
    }
}

/// Fingerprints of what the parser made of an input. An input with a new one is worth to be mutated on, so
/// they are of kinds and shapes, not of lengths and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome(pub Vec<u64>);

impl Outcome {
    pub fn of(shape: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        shape.hash(&mut hasher);
        Self(vec![hasher.finish()])
    }

    /// Of a refusal: its words, without numbers and what it quotes.
    pub fn refused(words: &str) -> Self {
        let (before, rest) = words.split_once('"').unwrap_or((words, ""));
        let after = rest.rsplit_once('"').map_or(rest, |(_, after)| after);
        Self::of(before.chars().chain(after.chars()).filter(|c| !c.is_ascii_digit()).collect::<String>())
    }

    /// Of an input whose lines are texts of their own; of the first four.
    pub fn of_lines(input: &[u8], one: impl Fn(&str) -> Self) -> Self {
        Self::all(String::from_utf8_lossy(input).split('\n').take(4).map(one))
    }

    /// Of an input that holds several texts.
    pub fn all(outcomes: impl Iterator<Item = Self>) -> Self {
        Self(outcomes.flat_map(|outcome| outcome.0).collect())
    }

    /// As one fingerprint with something more.
    pub fn and(self, shape: impl Hash) -> Self {
        Self::of((self.0, Self::of(shape).0))
    }
}

/// A count as its order of magnitude, for shapes.
pub fn some(count: usize) -> u32 {
    count.checked_ilog2().map_or(0, |log| log + 1).min(5)
}

/// What no text may hold that is shown as it is.
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
