//! Responses of a library: images, ids, its version, and addresses for uploads.

use crate::target::{Outcome, Target, some};
use apptainer_remote::http::{HttpError, Response};
use apptainer_remote::services::library::upload::{begun_parts, finished, named_address};
use apptainer_remote::services::library::{described_image, found_images, id, told_abilities};
use url::Url;

pub const TARGET: Target = Target { large: 1 << 18, ..Target::new(check, WORDS) };

/// The signature of an address, which is a secret.
const CANARY: &str = "canary";

/// The size of the image to upload.
const SIZE: u64 = 100 << 20;

const WORDS: &[&str] = &[
    "{\"data\": ",
    "\"image\": [",
    "\"hash\": \"sha256.00\"",
    "\"size\": ",
    "\"arch\": \"amd64\"",
    "\"tags\": [\"latest\"]",
    "\"fingerprints\": ",
    "\"signed\": true",
    "\"entityName\": ",
    "\"collectionName\": ",
    "\"containerName\": ",
    "\"description\": ",
    "\"uploaded\": false",
    "\"id\": ",
    "\"5f0a-_Z\"",
    "\"../x\"",
    "\"a/b\"",
    "\"apiVersion\": ",
    "\"2.0.0-alpha.1\"",
    "\"2.0.0\"",
    "\"v1.0.0\"",
    "\"uploadURL\": ",
    "\"uploadID\": \"u\"",
    "\"totalParts\": 2",
    "\"partSize\": 67108864",
    "\"options\": {\"s3compliant\": \"true\"}",
    "\"quota\": {\"quotaTotal\": 0, \"quotaUsage\": 1}",
    "\"containerUrl\": ",
    "\"https://s.example/x?sig=canary\"",
    "\"ftp://canary@h\"",
    "null",
    "[]",
    "{}",
    "\"\"",
    ",",
    "}",
];

fn check(input: &[u8]) -> Outcome {
    let answer = answer(input);
    let images = told(found_images(&answer)).map(|images| some(images.kept.len()));
    let image = told(described_image(&answer)).map(|image| {
        (image.hash.is_some(), image.size.is_some(), image.tags.is_some(), image.signed, image.uploaded)
    });
    let id = told(id(&answer));
    if let Some(id) = &id {
        // The id is exactly one path component.
        let url = Url::parse(&format!("https://h/v1/imagefile/{id}")).expect("an address");
        assert!(!id.is_empty() && url.path() == format!("/v1/imagefile/{id}"), "{id:?}");
    }
    let address = told(named_address(&answer));
    if let Some(url) = &address {
        assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{url}");
    }
    let parts = told(begun_parts(&answer, SIZE));
    if let Some(parts) = &parts {
        assert!(parts.size > 0 && (1..=10_000).contains(&parts.total), "{parts:?}");
        // The last part is not empty, and ends at the end of the image.
        let before = (parts.total - 1).checked_mul(parts.size).expect("no more than the image");
        assert!(before < SIZE && SIZE - before <= parts.size, "{parts:?}");
    }
    let abilities = told_abilities(&answer);
    assert!(abilities.v2_upload || !abilities.arch_tags, "{abilities:?}");
    let quota = finished(&answer).map(|end| (end.quota.is_some(), end.container_url.is_some()));
    let kinds = (id.is_some(), address.is_some(), parts.map(|parts| parts.hashed));
    Outcome::of((images, image, kinds, abilities.v2_upload, abilities.arch_tags, quota))
}

/// No message about the response contains its content.
fn told<T>(result: Result<T, HttpError>) -> Option<T> {
    result.map_err(|error| assert!(!error.to_string().contains(CANARY), "{error}")).ok()
}

fn answer(body: &[u8]) -> Response {
    Response {
        url: Url::parse("https://h.example/v1/x").unwrap(),
        status: 200,
        left_origin: false,
        challenges: Vec::new(),
        content_type: "application/json".into(),
        etag: None,
        retry_after: None,
        body: body.to_vec(),
        message: None,
    }
}
