//! `--min-ttl`: a duration as typed. Each line of an input is a separate duration.

use crate::target::{Outcome, Target, drives_a_terminal};
use apptainer_remote::message::escape;
use humantime::{format_duration, parse_duration};
use std::time::Duration;

pub const TARGET: Target = Target { large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "1h30m", "7d", "12h", "s", "sec", "min", "m", "M", "month", "years", "y", "w", "ms", "us", "µs", "ns",
    "0", "1.5h", ".", "-", "+", " ", "\t", "infinite", "\n",
];

fn check(input: &[u8]) -> Outcome {
    Outcome::of_lines(input, one)
}

fn one(text: &str) -> Outcome {
    match parse_duration(text) {
        Ok(time) => {
            let shown = format_duration(time).to_string();
            assert_eq!(parse_duration(&shown).expect("what is shown can be typed"), time, "{shown}");
            let units = shown.split(' ').count();
            Outcome::of((units, time.subsec_nanos() > 0, time > Duration::from_secs(1 << 40)))
        }
        Err(error) => {
            assert!(!escape(&error.to_string()).contains(drives_a_terminal), "{error}");
            Outcome::of(std::mem::discriminant(&error))
        }
    }
}
