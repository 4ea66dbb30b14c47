//! The names that differ between the personas.

use super::NOW;
use crate::machine::skipped;

/// Apptainer's names and their equivalents in persona singularity. Tests are written with the former. With
/// `PERSONA=singularity` they run with the latter: their input is translated, and their output is translated
/// back. Paths stay as they are.
const WORDS: [(&str, &str); 5] = [
    ("DefaultRemote", "SylabsCloud"),
    ("cloud.apptainer.org", "cloud.sylabs.io"),
    ("APPTAINER_", "SINGULARITY_"),
    ("apptainer ", "singularity "),
    ("other apptainer", "other singularity"),
];

/// The global file that Apptainer installs. With the names of the other persona it is SingularityCE's.
pub const SHIPPED: &str = "\
Active: DefaultRemote
Remotes:
    DefaultRemote:
        URI: cloud.apptainer.org
        System: true
        Exclusive: false
";

/// Whether this run is in persona singularity.
pub fn in_singularity() -> bool {
    std::env::var_os("PERSONA").is_some_and(|persona| persona == "singularity")
}

/// For a case that makes no sense in persona singularity. There it prints the reason.
pub fn apptainer_alone(reason: &str) -> bool {
    if in_singularity() {
        skipped(&format!("not in persona singularity: {reason}"));
    }
    in_singularity()
}

pub fn there(text: &str) -> String {
    WORDS.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

pub fn back(text: &str) -> String {
    WORDS.iter().fold(text.to_string(), |text, (to, from)| text.replace(from, to))
}

/// A token that expires `seconds` after the tests' clock. The payload is base64url of `{"exp":…}`.
pub fn ending_in(seconds: i64) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let payload = format!("{{\"exp\":{}}}", NOW.saturating_add_signed(seconds));
    let encoded: String = payload
        .as_bytes()
        .chunks(3)
        .flat_map(|chunk| {
            let bits =
                chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |at| DIGITS[(bits >> (18 - 6 * at) & 63) as usize] as char)
        })
        .collect();
    format!("e30.{encoded}.c2ln")
}
