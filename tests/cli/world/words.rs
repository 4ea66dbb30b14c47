//! The words of each persona.

use crate::machine::skipped;

/// The words of Apptainer that mean the same in persona singularity. Tests are written in the former; with
/// `PERSONA=singularity` they run in the latter: what they type and write is put into its words, and what
/// they see is put back. Paths stay as they are.
const WORDS: [(&str, &str); 5] = [
    ("DefaultRemote", "SylabsCloud"),
    ("cloud.apptainer.org", "cloud.sylabs.io"),
    ("APPTAINER_", "SINGULARITY_"),
    ("apptainer ", "singularity "),
    ("other apptainer", "other singularity"),
];

/// Whether this run is in persona singularity.
pub fn in_singularity() -> bool {
    std::env::var_os("PERSONA").is_some_and(|persona| persona == "singularity")
}

/// For a case that makes no sense in persona singularity, which is printed with the reason.
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
