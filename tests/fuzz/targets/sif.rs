//! SIF images: numbers in them must not lead beyond the end of the file.

use crate::target::{Outcome, Target, some};
use apptainer_remote::image::sif::{Sif, SifError, read};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

pub const TARGET: Target = Target { seeds: images, runs: 8000, ..Target::new(check, WORDS) };

const HEADER: usize = 128;
const DESCRIPTOR: usize = 585;
/// The maximum number of descriptors in a file.
const MOST: usize = 4096;

const WORDS: &[&str] = &[
    "SIF_MAGIC\0",
    "01\0",
    "02\0",
    "04\0",
    "13\0",
    "\x01",
    "\x02",
    "\x04@\0\0",
    "\x05@\0\0",
    "\0\0\0\0",
    "\0\0\0\0\0\0\0\0",
    "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f",
    "\x01\0\0\0\0\0\0\0",
    "\0\x10\0\0\0\0\0\0",
];

/// Images whose descriptors directly follow the header: in real ones the gap would be too long.
fn images() -> Vec<Vec<u8>> {
    let primary = descriptor(0x4004, &[1, 0, 0, 0, 2, 0, 0, 0, b'0', b'2', 0]);
    let nameless = descriptor(0x4005, &[]);
    let signed = descriptor(0x4005, &[[1, 0, 0, 0].as_slice(), &[0xab; 20]].concat());
    let labels = descriptor(0x4003, &[]);
    let free = vec![0; DESCRIPTOR];
    vec![
        image(b"02\0", &[]),
        image(b"00\0", &[&primary]),
        image(b"02\0", &[&primary, &signed, &free]),
        image(b"02\0", &[&labels, &nameless, &signed]),
    ]
}

fn image(arch: &[u8; 3], descriptors: &[&Vec<u8>]) -> Vec<u8> {
    let mut image = b"#!/usr/bin/env run-singularity\n\0SIF_MAGIC\x0001\0".to_vec();
    image.extend(arch);
    image.resize(88, 0);
    image.extend((descriptors.len() as i64).to_le_bytes());
    image.extend((HEADER as i64).to_le_bytes());
    image.resize(HEADER, 0);
    descriptors.iter().for_each(|descriptor| image.extend_from_slice(descriptor));
    image
}

fn descriptor(kind: i32, extra: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.push(1);
    bytes.extend([1, 0, 0, 0, 1, 0, 0, 0xf0, 1, 0, 0, 0xf0]);
    bytes.extend((HEADER as i64).to_le_bytes());
    bytes.extend(1_i64.to_le_bytes());
    bytes.resize(201, 0);
    bytes.extend_from_slice(extra);
    bytes.resize(DESCRIPTOR, 0);
    bytes
}

fn check(input: &[u8]) -> Outcome {
    let mut source = Counted { inner: Cursor::new(input), read: 0 };
    let result = read(&mut source);
    assert!(source.read <= (HEADER + MOST * DESCRIPTOR).min(2 * input.len()), "{} bytes read", source.read);
    match result {
        Ok(sif) => accepted(input, &sif),
        Err(SifError::CutShort(end)) => {
            assert!(end > input.len() as u64, "{end} of {}", input.len());
            Outcome::of((end < 1 << 20, end < 1 << 40))
        }
        Err(SifError::Io(error)) => panic!("{error}"),
        Err(error) => {
            assert!(error.to_string().len() < 200, "{error}");
            Outcome::refused(&error.to_string())
        }
    }
}

fn accepted(input: &[u8], sif: &Sif) -> Outcome {
    assert!(input.len() >= HEADER && &input[32..42] == b"SIF_MAGIC\0");
    assert!(sif.signatures.len() <= MOST.min(input.len() / DESCRIPTOR));
    for signature in &sif.signatures {
        assert!(signature.group.is_none_or(|group| group < 1 << 28), "{signature:?}");
        let digits =
            |text: &String| text.len() == 40 && text.bytes().all(|b| b"0123456789ABCDEF".contains(&b));
        assert!(signature.fingerprint.as_ref().is_none_or(digits), "{signature:?}");
    }
    let groups = sif.signatures.iter().any(|signature| signature.group.is_none());
    Outcome::of((sif.arch, some(sif.signatures.len()), groups))
}

/// Counts the bytes read.
struct Counted<'a> {
    inner: Cursor<&'a [u8]>,
    read: usize,
}

impl Read for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.read += count;
        Ok(count)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
