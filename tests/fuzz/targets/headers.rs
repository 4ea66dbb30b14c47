//! `Content-Range` and `Retry-After`. Each line of an input is a separate value.

use crate::target::{Outcome, Target};
use apptainer_remote::http::parse_retry_after;
use apptainer_remote::http::stream::ContentRange;

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "bytes ",
    "Bytes ",
    "bytes=",
    "-",
    "/",
    "*",
    "*/",
    "0-0/1",
    " ",
    "+",
    "120",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    Outcome::of_lines(input, one)
}

fn one(text: &str) -> Outcome {
    let pause = parse_retry_after(text, "Wed, 21 Oct 2026 07:27:00 GMT");
    assert!(pause.is_none_or(|pause| pause.subsec_nanos() == 0), "{pause:?}");
    let Some(range) = ContentRange::parse(text) else { return Outcome::of(pause.is_some()) };
    let ContentRange { first, last, total } = range;
    assert!(first <= last && total.is_none_or(|total| last < total), "{range:?}");
    let shown = total.map_or("*".to_string(), |total| total.to_string());
    assert_eq!(ContentRange::parse(&format!("bytes {first}-{last}/{shown}")), Some(range));
    assert!(pause.is_none());
    Outcome::of((first == 0, first == last, total.map(|total| total - last == 1)))
}
