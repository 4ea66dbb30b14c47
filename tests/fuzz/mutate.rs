//! Makes new inputs from old ones: bytes, tokens, lines, brackets, numbers, and unexpected characters.
//! Everything depends only on the seed.

use std::ops::Range;

/// xorshift64*, which is random enough here.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, salt: &str) -> Self {
        let mixed = salt.bytes().fold(seed.wrapping_add(0x9e37_79b9_7f4a_7c15), |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
        });
        Self(mixed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() >> 11) as usize % end }
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> Option<&'a T> {
        from.get(self.below(from.len())).copied()
    }

    /// A range of at most `longest` within `0..end`.
    fn range(&mut self, end: usize, longest: usize) -> Range<usize> {
        let from = self.below(end + 1);
        let length = self.below(longest.min(end - from) + 1);
        from..from + length
    }
}

/// Numbers at the limits of types and rules.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "-0",
    "00",
    "1",
    "59",
    "60",
    "127",
    "128",
    "255",
    "256",
    "443",
    "65535",
    "65536",
    "99999",
    "2147483648",
    "4294967296",
    "253402300799",
    "253402300800",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e5",
    "1E400",
    "-1e-400",
    "1.5",
    "0x7f",
    "0o17",
    "0b1",
    "1_000",
    "1e99999999999",
    "12:30",
];

/// Control characters, direction overrides, unusual spaces, letters that change with their case, characters
/// outside the basic plane, and bytes that are not UTF-8.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\x1b",
    b"\x1b[31m",
    b"\x07",
    b"\x08",
    b"\x7f",
    b"\r",
    b"\r\n",
    b"\t",
    b"\n",
    b"\x0b",
    b"\x0c",
    "\u{85}".as_bytes(),
    "\u{9b}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{ad}".as_bytes(),
    "\u{61c}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200f}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{fffd}".as_bytes(),
    "\u{ffff}".as_bytes(),
    "\u{130}".as_bytes(),
    "ß".as_bytes(),
    "ſ".as_bytes(),
    "K".as_bytes(),
    "é".as_bytes(),
    "e\u{301}".as_bytes(),
    "。".as_bytes(),
    "／".as_bytes(),
    "＠".as_bytes(),
    "日本".as_bytes(),
    "😀".as_bytes(),
    "\u{10ffff}".as_bytes(),
    b"\x80",
    b"\xc0\xaf",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f",
];

/// Pairs that open and close a level.
const LEVELS: &[(&str, &str)] = &[
    ("[", "]"),
    ("{", "}"),
    ("{\"a\":", "}"),
    ("{a: ", "}"),
    ("- ", ""),
    ("? ", ""),
    ("\"", "\""),
    ("'", "'"),
    ("(", ")"),
    ("<", ">"),
    ("  ", ""),
    ("//", ""),
    ("../", ""),
    ("\\", ""),
    ("a:\n ", ""),
];

/// Longer inputs find the same bugs, only later. Those of [`Mutator::large`] are for time and memory.
const LONGEST: usize = 4096;

pub struct Mutator<'a> {
    pub random: Random,
    words: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    pub fn new(random: Random, words: &'a [&'a str]) -> Self {
        Self { random, words }
    }

    /// A new input from `base` and pieces of `other`.
    pub fn mutate(&mut self, base: &[u8], other: &[u8]) -> Vec<u8> {
        let mut input = base.to_vec();
        let steps =
            1 + self.random.below(4) * self.random.below(2) + self.random.below(2) * self.random.below(8);
        for _ in 0..steps {
            match self.random.below(4) {
                0 => self.change_bytes(&mut input, other),
                1 => self.change_lines(&mut input, other),
                _ => self.change_tokens(&mut input, other),
            }
        }
        input.truncate(LONGEST);
        input
    }

    /// An input of `length` that repeats itself, either exactly or each time with another number, so that no
    /// two parts are equal.
    pub fn large(&mut self, base: &[u8], length: usize) -> Vec<u8> {
        if base.is_empty() {
            return b"a ".repeat(length / 2);
        }
        let units = if self.random.below(2) == 0 { lines(base) } else { tokens(base) };
        let first = self.random.below(units.len());
        let last = (first + self.random.below(12)).min(units.len() - 1);
        let (from, to) = (units[first].start, units[last].end);
        let number = match self.random.below(3) {
            0 => None,
            _ => Some(self.random.range(to - from, 1).start),
        };
        let mut input = base[..from].to_vec();
        let mut count = 0;
        while input.len() + base.len() - to < length {
            let at = number.unwrap_or(to - from);
            input.extend_from_slice(&base[from..from + at]);
            if number.is_some() {
                input.extend_from_slice(count.to_string().as_bytes());
            }
            input.extend_from_slice(&base[from + at..to]);
            count += 1;
        }
        input.extend_from_slice(&base[to..]);
        input
    }

    fn change_bytes(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let random = &mut self.random;
        let at = random.below(input.len() + 1);
        let range = random.range(input.len(), 32);
        match random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 => drop(input.drain(range)),
            3 => {
                let copy = input[range].repeat(1 + random.below(4));
                drop(input.splice(at..at, copy));
            }
            4 => {
                let tail = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[tail..]);
            }
            5 => {
                let piece = random.range(other.len(), 64);
                drop(input.splice(at..at, other[piece].iter().copied()));
            }
            6 => input.truncate(at),
            _ => {
                let odd = random.pick(ODD).unwrap_or_default();
                drop(input.splice(at..at, odd.iter().copied()));
            }
        }
    }

    fn change_tokens(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let own = tokens(input);
        let random = &mut self.random;
        let Some(token) = own.get(random.below(own.len())).cloned() else {
            return input.extend_from_slice(self.word().as_bytes());
        };
        match random.below(11) {
            0 => drop(input.drain(token)),
            1 => {
                let times = [2, 3, 8, 40][random.below(4)];
                let copy = input[token.clone()].repeat(times);
                drop(input.splice(token, copy));
            }
            2 => {
                let second = own[random.below(own.len())].clone();
                swap(input, token, second);
            }
            3 => {
                let others = tokens(other);
                if let Some(piece) = others.get(random.below(others.len())) {
                    drop(input.splice(token, other[piece.clone()].iter().copied()));
                }
            }
            4 => {
                let number = random.pick(NUMBERS).unwrap_or_default();
                let numbers: Vec<_> =
                    own.iter().filter(|token| input[token.start].is_ascii_digit()).cloned().collect();
                let place = numbers.get(random.below(numbers.len())).cloned().unwrap_or(token);
                drop(input.splice(place, number.bytes()));
            }
            5 => self.nest(input, token),
            6 => {
                let case = |byte: &u8| {
                    if byte.is_ascii_lowercase() {
                        byte.to_ascii_uppercase()
                    } else {
                        byte.to_ascii_lowercase()
                    }
                };
                let other_case: Vec<u8> = input[token.clone()].iter().map(case).collect();
                drop(input.splice(token, other_case));
            }
            7 => {
                let group = group(input, token.start);
                let to = own[random.below(own.len())].start;
                let copy = input[group].to_vec();
                drop(input.splice(to..to, copy));
            }
            8 => drop(input.splice(token, self.word().bytes())),
            _ => drop(input.splice(token.end..token.end, self.word().bytes())),
        }
    }

    fn change_lines(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let own = lines(input);
        let random = &mut self.random;
        let Some(line) = own.get(random.below(own.len())).cloned() else { return };
        match random.below(5) {
            0 => drop(input.drain(line)),
            1 => {
                let copy = input[line.clone()].to_vec();
                let to = own[random.below(own.len())].start;
                drop(input.splice(to..to, copy));
            }
            2 => {
                let second = own[random.below(own.len())].clone();
                swap(input, line, second);
            }
            3 => {
                let blanks = input[line.clone()].iter().take_while(|byte| **byte == b' ').count();
                let indent = b" ".repeat(random.below(12));
                drop(input.splice(line.start..line.start + blanks, indent));
            }
            _ => {
                let others = lines(other);
                if let Some(piece) = others.get(random.below(others.len())) {
                    drop(input.splice(line.end..line.end, other[piece.clone()].iter().copied()));
                }
            }
        }
    }

    /// Nests a token some levels deeper, or leaves the levels open.
    fn nest(&mut self, input: &mut Vec<u8>, token: Range<usize>) {
        let (open, close) = LEVELS[self.random.below(LEVELS.len())];
        let depth = [1, 2, 31, 33, 140, 400][self.random.below(6)];
        let mut nested = open.repeat(depth).into_bytes();
        nested.extend_from_slice(&input[token.clone()]);
        if self.random.below(4) > 0 {
            nested.extend_from_slice(close.repeat(depth).as_bytes());
        }
        drop(input.splice(token, nested));
    }

    fn word(&mut self) -> &'a str {
        self.random.pick(self.words).unwrap_or("a")
    }
}

/// Swaps two ranges that do not overlap.
fn swap(input: &mut Vec<u8>, a: Range<usize>, b: Range<usize>) {
    let (first, second) = if a.start <= b.start { (a, b) } else { (b, a) };
    if first.end <= second.start {
        let between =
            [&input[second.clone()], &input[first.end..second.start], &input[first.clone()]].concat();
        drop(input.splice(first.start..second.end, between));
    }
}

/// The bracketed group that begins at the first bracket after `from`, or the rest.
fn group(input: &[u8], from: usize) -> Range<usize> {
    let Some(start) = input[from..].iter().position(|byte| b"[{(".contains(byte)).map(|at| from + at) else {
        return from..input.len();
    };
    let mut depth = 0_usize;
    for (at, byte) in input.iter().enumerate().skip(start) {
        match byte {
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' if depth <= 1 => return start..at + 1,
            b']' | b'}' | b')' => depth -= 1,
            _ => {}
        }
    }
    start..input.len()
}

/// Words, runs of spaces, and every other byte.
fn tokens(input: &[u8]) -> Vec<Range<usize>> {
    let kind = |byte: u8| match byte {
        b' ' | b'\t' => 1,
        _ if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => 2,
        _ => 0,
    };
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, byte) in input.iter().enumerate() {
        match all.last_mut() {
            Some(last) if kind(*byte) != 0 && kind(input[last.start]) == kind(*byte) => last.end = at + 1,
            _ => all.push(at..at + 1),
        }
    }
    all
}

/// Lines with their line feeds.
fn lines(input: &[u8]) -> Vec<Range<usize>> {
    let mut from = 0;
    let whole = input.split_inclusive(|byte| *byte == b'\n').map(|line| {
        from += line.len();
        from - line.len()..from
    });
    whole.collect()
}
