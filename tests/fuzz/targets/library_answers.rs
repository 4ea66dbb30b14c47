//! What a library answers: images, and the range of the bytes that it sends. The first line of an input is
//! taken for a range.

use crate::target::{Outcome, Target, some};
use apptainer_remote::services::library::Image;
use apptainer_remote::services::stream::ContentRange;

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "bytes 0-99/100",
    "bytes */100",
    "bytes ",
    "-",
    "/",
    "*",
    "/*",
    "\n",
    "{\"hash\":\"sha256.00\",\"size\":1}",
    "\"size\":",
    "\"arch\":\"amd64\"",
    "\"tags\":[\"latest\"]",
    "\"fingerprints\":[]",
    "\"signed\":true",
    "\"entityName\":",
    "\"collectionName\":",
    "\"containerName\":",
    "\"description\":",
    "\"uploaded\":",
    "null",
    "{}",
    ",",
];

fn check(input: &[u8]) -> Outcome {
    let line = String::from_utf8_lossy(input.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let range = ContentRange::parse(&line);
    if let Some(range) = range {
        assert!(range.first <= range.last && range.total.is_none_or(|total| range.last < total), "{range:?}");
        let total = range.total.map_or("*".to_string(), |total| total.to_string());
        let written = format!("bytes {}-{}/{total}", range.first, range.last);
        assert_eq!(ContentRange::parse(&written), Some(range));
    }
    let image = serde_json::from_slice::<Image>(input).ok();
    let shape = image.map(|image| {
        let texts = [image.hash, image.arch, image.entity_name, image.collection_name, image.container_name];
        (
            texts.map(|text| text.is_some()),
            image.size.is_some(),
            image.tags.map(|tags| some(tags.len())),
            image.fingerprints.map(|all| some(all.len())),
            (image.signed, image.uploaded),
        )
    });
    Outcome::of((range.map(|range| range.total.is_some()), shape))
}
