//! Writes a [`Config`] as the same bytes that Apptainer 1.5 writes. The order of keys and names, the indentation of
//! four spaces, and the quoting are those of Go's encoder.

use crate::config::{Config, Credential, Endpoint, Keyserver};
use std::cmp::Ordering;
use std::fmt::Write;
use std::ops::RangeInclusive;

/// The content of the file. Contains all tokens of the layer.
pub fn write(config: &Config) -> Vec<u8> {
    let mut out = String::with_capacity(256 + config.remotes.len() * 96);
    line(&mut out, 0, "Active", &scalar(&config.active));
    if config.remotes.is_empty() {
        out.push_str("Remotes: {}\n");
    } else {
        out.push_str("Remotes:\n");
        let mut names: Vec<&String> = config.remotes.keys().collect();
        sort(&mut names);
        for name in names {
            remote(&mut out, name, &config.remotes[name]);
        }
    }
    if !config.credentials.is_empty() {
        out.push_str("Credentials:\n");
        config.credentials.iter().for_each(|login| credential(&mut out, login));
    }
    out.into_bytes()
}

/// For a key longer than this, in bytes, Go uses the explicit `? key` form.
const LONGEST_SIMPLE_KEY: usize = 128;

fn remote(out: &mut String, name: &str, endpoint: &Endpoint) {
    let key = scalar(name);
    if name.len() > LONGEST_SIMPLE_KEY {
        let _ = write!(out, "    ? {key}\n    :");
        let mut body = String::new();
        fields(&mut body, endpoint);
        // The first field is on the same line as the colon.
        out.push_str("   ");
        out.push_str(body.trim_start());
    } else {
        let _ = writeln!(out, "    {key}:");
        fields(out, endpoint);
    }
}

fn fields(out: &mut String, endpoint: &Endpoint) {
    if !endpoint.uri.is_empty() {
        line(out, 8, "URI", &scalar(&endpoint.uri));
    }
    if let Some(token) = &endpoint.token {
        line(out, 8, "Token", &scalar(token.expose()));
    }
    line(out, 8, "System", boolean(endpoint.system));
    line(out, 8, "Exclusive", boolean(endpoint.exclusive));
    if endpoint.insecure {
        line(out, 8, "Insecure", "true");
    }
    if !endpoint.keyservers.is_empty() {
        out.push_str("        Keyservers:\n");
        endpoint.keyservers.iter().for_each(|server| keyserver(out, server));
    }
}

fn keyserver(out: &mut String, keyserver: &Keyserver) {
    let _ = writeln!(out, "            - URI: {}", scalar(&keyserver.uri));
    line(out, 14, "Skip", boolean(keyserver.skip));
    line(out, 14, "External", boolean(keyserver.external));
    line(out, 14, "Insecure", boolean(keyserver.insecure));
}

fn credential(out: &mut String, login: &Credential) {
    let _ = writeln!(out, "    - URI: {}", scalar(&login.uri));
    if let Some(auth) = &login.auth {
        line(out, 6, "Auth", &scalar(auth.expose()));
    }
    line(out, 6, "Insecure", boolean(login.insecure));
}

fn line(out: &mut String, indent: usize, key: &str, value: &str) {
    let _ = writeln!(out, "{:indent$}{key}: {value}", "");
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// A string as Go's encoder writes it: plain if it would be read back unchanged, in double quotes if it would be read
/// as another type or contains unprintable characters, otherwise in single quotes.
fn scalar(text: &str) -> String {
    if text.is_empty() || reads_as_something_else(text) || !text.chars().all(is_printable) {
        double_quoted(text)
    } else if can_be_plain(text) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{1b}' => out.push_str("\\e"),
            c if is_printable(c) => out.push(c),
            c if (c as u32) <= 0xff => drop(write!(out, "\\x{:02X}", c as u32)),
            c if (c as u32) <= 0xffff => drop(write!(out, "\\u{:04X}", c as u32)),
            c => drop(write!(out, "\\U{:08X}", c as u32)),
        }
    }
    out.push('"');
    out
}

/// Whether a character needs no escape. Like Go's encoder, this escapes everything beyond Unicode's Basic Multilingual
/// Plane. Either form is read back as the same text.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

/// Whether a string needs no quotes for its syntax. The caller has checked that it is not read as another type.
fn can_be_plain(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let opens_alone =
        matches!(first, '-' | '?' | ':') && text[1..].starts_with(' ') || matches!(text, "-" | "?" | ":");
    !opens_alone
        && !matches!(
            first,
            ' ' | '#'
                | ','
                | '['
                | ']'
                | '{'
                | '}'
                | '&'
                | '*'
                | '!'
                | '|'
                | '>'
                | '\''
                | '"'
                | '%'
                | '@'
                | '`'
        )
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
        && !text.starts_with("...")
}

/// Whether a plain scalar of this text would be read as null, a YAML 1.1 or 1.2 boolean, a merge key, a number, a date,
/// or a base-60 number.
fn reads_as_something_else(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "=", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "y", "Y", "yes",
        "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "<<", ".nan",
        ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ];
    let begins_a_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    WORDS.contains(&text) || begins_a_number && (is_number(text) || is_date(text) || is_base_sixty(text))
}

fn is_number(text: &str) -> bool {
    let between_digits = |at: usize| {
        let digit =
            |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let digits = text.replace('_', "");
    if text.starts_with('.') {
        // Go checks the position of underscores only if the number starts with a decimal point.
        return text.match_indices('_').all(|(at, _)| between_digits(at)) && is_float(&digits);
    }
    is_integer(&digits) || is_float(&digits)
}

/// Integers as Go reads them: with an optional sign, in base 2, 8, 10 or 16.
fn is_integer(text: &str) -> bool {
    let negative = text.starts_with('-');
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, radix) = match rest.as_bytes() {
        [b'0', b'b' | b'B', ..] => (&rest[2..], 2),
        [b'0', b'o' | b'O', ..] => (&rest[2..], 8),
        [b'0', b'x' | b'X', ..] => (&rest[2..], 16),
        [b'0', _, ..] => (&rest[1..], 8),
        _ => (rest, 10),
    };
    let most = if negative { 1 << 63 } else { u64::MAX };
    !digits.starts_with(['+', '-']) && u64::from_str_radix(digits, radix).is_ok_and(|value| value <= most)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, and within the range of an `f64`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = match mantissa.split_once('.') {
        Some(("", after)) => digits(after),
        Some((before, after)) => digits(before) && (after.is_empty() || digits(after)),
        None => digits(mantissa),
    };
    shaped && exponent.is_none_or(digits) && unsigned.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A valid calendar date, `2006-1-2`, optionally followed by a time.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (year, month, rest) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let (day, time) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let number = |text: Option<&str>, lengths: RangeInclusive<usize>| {
        let text = text
            .filter(|text| lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()));
        text.and_then(|text| text.parse::<u32>().ok())
    };
    let (Some(year), Some(month), Some(day)) =
        (number(year, 4..=4), number(month, 1..=2), number(Some(day), 1..=2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day) && (time.is_empty() || time.starts_with(['T', 't', ' ']) && time.contains(':'))
}

/// A base-60 number such as `12:30`, which YAML 1.1 reads as 750.
fn is_base_sixty(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let head = parts.next().unwrap_or_default();
    let mut rest: Vec<&str> = parts.collect();
    let Some(last) = rest.last_mut() else { return false };
    if let Some((whole, fraction)) = last.split_once('.') {
        if !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            return false;
        }
        *last = whole;
    }
    let sixtieth = |part: &&str| {
        part.parse::<u8>().is_ok_and(|value| value < 60)
            && part.len() <= 2
            && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    head.starts_with(|c: char| c.is_ascii_digit())
        && head.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && rest.iter().all(sixtieth)
}

/// Sorts by [`natural`]. Go's order is not transitive for some names, and the standard library's sort may panic then. A
/// merge sort just returns one of the possible orders.
fn sort(names: &mut [&String]) {
    let half = names.len() / 2;
    if half == 0 {
        return;
    }
    sort(&mut names[..half]);
    sort(&mut names[half..]);
    let (left, right) = (names[..half].to_vec(), names[half..].to_vec());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    for slot in names.iter_mut() {
        let from_left = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => natural(b, a) != Ordering::Less,
            (left, _) => left.is_some(),
        };
        *slot = if from_left { left.next() } else { right.next() }.expect("one side is not empty");
    }
}

/// Go's order of keys: numbers in names by value, and other characters before letters. Right after a digit, letters
/// come first.
fn natural(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    let after_digit = at > 0 && a[at - 1].is_ascii_digit();
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        (true, false) => return if after_digit { Ordering::Less } else { Ordering::Greater },
        (false, true) => return if after_digit { Ordering::Greater } else { Ordering::Less },
        (false, false) => {}
    }
    // Go ignores leading zeros, but a zero inside a number counts: "1007" sorts after "107".
    let in_number = (a[at] == '0' || b[at] == '0')
        && a[..at].iter().rev().take_while(|c| c.is_ascii_digit()).any(|c| *c != '0');
    let (a_value, a_end) = number(&a, at, in_number);
    let (b_value, b_end) = number(&b, at, in_number);
    a_value.cmp(&b_value).then(a_end.cmp(&b_end)).then(a[at].cmp(&b[at]))
}

/// The number whose digits start at `from`, and the index after it. Wraps on overflow, as in Go. `in_number` adds a
/// leading 1, so that zeros count.
fn number(text: &[char], from: usize, in_number: bool) -> (i64, usize) {
    let digits = text[from..].iter().map_while(|c| c.to_digit(10));
    let (value, count) = digits.fold((i64::from(in_number), 0), |(value, count), digit| {
        (value.wrapping_mul(10).wrapping_add(i64::from(digit)), count + 1)
    });
    (value, from + count)
}
