//! A small writer of valid SIF files, and a reader for the parts that a library looks at.

use std::io::{self, Write};
use std::path::Path;

/// The offset of the descriptors, their maximum number, and the size of each.
const TABLE: u64 = 4096;
const ENTRIES: usize = 48;
const ENTRY: usize = 585;
const DATA: u64 = TABLE + (ENTRIES * ENTRY) as u64;
/// Objects are aligned to pages.
const PAGE: u64 = 4096;
/// 2024-02-29 12:00 UTC.
const TIME: i64 = 1_709_208_000;
const GROUP: u32 = 0xf000_0001;
const MAGIC: &[u8; 10] = b"SIF_MAGIC\0";

const PARTITION: i32 = 0x4004;
const SIGNATURE: i32 = 0x4005;

/// A definition file as an object.
pub const DEFINITION: i32 = 0x4001;
/// JSON as an object.
pub const JSON: i32 = 0x4006;
/// Arbitrary bytes as an object.
pub const GENERIC: i32 = 0x4007;

/// Go's names of the architectures, by their number in the file.
const ARCHITECTURES: [&str; 14] = [
    "unknown", "386", "amd64", "arm", "arm64", "ppc64", "ppc64le", "mips", "mipsle", "mips64", "mips64le",
    "s390x", "riscv64", "loong64",
];

/// An object of the file, without its offset.
#[derive(Clone, Debug)]
struct Object {
    kind: i32,
    name: String,
    /// The group or object that it refers to.
    link: u32,
    group: u32,
    extra: Vec<u8>,
    data: Vec<u8>,
    /// The number of filler bytes after `data`.
    filler: u64,
}

impl Object {
    fn size(&self) -> u64 {
        self.data.len() as u64 + self.filler
    }
}

/// A SIF file under construction.
#[derive(Clone, Debug)]
pub struct Sif {
    arch: String,
    objects: Vec<Object>,
}

impl Sif {
    /// An image for this architecture (Go's name) whose primary partition is a squashfs with these bytes.
    pub fn with_partition(arch: &str, squashfs: &[u8]) -> Self {
        let mut extra = 1i32.to_le_bytes().to_vec();
        extra.extend(2i32.to_le_bytes());
        extra.extend(code(arch));
        let partition = Object {
            kind: PARTITION,
            name: "rootfs".into(),
            link: 0,
            group: GROUP,
            extra,
            data: squashfs.to_vec(),
            filler: 0,
        };
        Self { arch: arch.into(), objects: vec![partition] }
    }

    /// An image for this architecture with a small partition.
    pub fn new(arch: &str) -> Self {
        Self::with_partition(arch, &squashfs())
    }

    /// Adds filler bytes, which differ from page to page, to the end of the partition.
    pub fn filled(mut self, bytes: u64) -> Self {
        self.objects[0].filler = bytes;
        self
    }

    /// Adds a signature object for the group of the partition, by the key with this fingerprint (40 hexadecimal
    /// digits). Its content is not a valid signature.
    pub fn signed(mut self, fingerprint: &str) -> Self {
        let digits = |at| u8::from_str_radix(&fingerprint[at..at + 2], 16).unwrap();
        let mut extra = 1i32.to_le_bytes().to_vec();
        extra.extend((0..40).step_by(2).map(digits));
        let text = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSIFHASH:\n0\n-----BEGIN PGP SIGNATURE-----\n\n\
            -----END PGP SIGNATURE-----\n";
        let name = "part-signature".into();
        let data = text.to_vec();
        // The signature itself belongs to no group.
        self.objects.push(Object {
            kind: SIGNATURE,
            name,
            link: GROUP,
            group: 0xf000_0000,
            extra,
            data,
            filler: 0,
        });
        self
    }

    /// Adds an object.
    pub fn object(mut self, kind: i32, name: &str, data: &[u8]) -> Self {
        let data = data.to_vec();
        self.objects.push(Object {
            kind,
            name: name.into(),
            link: 0,
            group: GROUP,
            extra: Vec::new(),
            data,
            filler: 0,
        });
        self
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes).unwrap();
        bytes
    }

    /// Writes the file piece by piece.
    pub fn write(&self, path: &Path) {
        let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).unwrap());
        self.write_to(&mut file).unwrap();
        file.flush().unwrap();
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let (mut at, mut table) = (DATA, Vec::new());
        let mut places = Vec::new();
        for (index, object) in self.objects.iter().enumerate() {
            let start = at.next_multiple_of(PAGE);
            table.extend(descriptor(index as u32 + 1, object, start, start + object.size() - at));
            places.push(start);
            at = start + object.size();
        }
        table.resize(ENTRIES * ENTRY, 0);
        out.write_all(&self.header(at - DATA))?;
        out.write_all(&vec![0; (TABLE - 128) as usize])?;
        out.write_all(&table)?;
        let mut written = DATA;
        for (object, place) in self.objects.iter().zip(places) {
            out.write_all(&vec![0; (place - written) as usize])?;
            out.write_all(&object.data)?;
            fill(out, object.filler)?;
            written = place + object.size();
        }
        Ok(())
    }

    fn header(&self, data_size: u64) -> Vec<u8> {
        let mut header = b"#!/usr/bin/env run-singularity\n\0".to_vec();
        header.extend(MAGIC);
        header.extend(b"01\0");
        header.extend(code(&self.arch));
        header.extend([0x5c, 0x1f, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]);
        let free = (ENTRIES - self.objects.len()) as i64;
        let table_size = (ENTRIES * ENTRY) as i64;
        let numbers =
            [TIME, TIME, free, ENTRIES as i64, TABLE as i64, table_size, DATA as i64, data_size as i64];
        header.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        header
    }
}

fn descriptor(id: u32, object: &Object, offset: u64, padded: u64) -> Vec<u8> {
    let mut bytes = object.kind.to_le_bytes().to_vec();
    bytes.push(1);
    for number in [id, object.group, object.link] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [offset as i64, object.size() as i64, padded as i64, TIME, TIME, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(object.name.as_bytes());
    bytes.resize(201, 0);
    bytes.extend(&object.extra);
    bytes.resize(ENTRY, 0);
    bytes
}

/// A number that differs from page to page, so that no two parts of a download are alike.
fn fill(out: &mut dyn Write, bytes: u64) -> io::Result<()> {
    let (mut state, mut page, mut left) = (0x9e37_79b9_7f4a_7c15u64, [0u8; 4096], bytes);
    while left > 0 {
        for word in page.chunks_exact_mut(8) {
            // xorshift: the numbers only need to differ.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let count = left.min(4096) as usize;
        out.write_all(&page[..count])?;
        left -= count as u64;
    }
    Ok(())
}

/// The superblock of a squashfs 4.0 with gzip, and nothing after it.
fn squashfs() -> Vec<u8> {
    let mut bytes = b"hsqs".to_vec();
    for number in [1u32, TIME as u32, 131_072, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [1u16, 17, 0, 1, 4, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.resize(4096, 0);
    bytes
}

fn code(arch: &str) -> [u8; 3] {
    let number = ARCHITECTURES.iter().position(|name| *name == arch).unwrap();
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8, 0]
}

/// What a library learns from the beginning of a SIF file.
#[derive(Debug, PartialEq)]
pub struct Look {
    /// Go's name of the architecture, if it is known.
    pub arch: Option<&'static str>,
    /// Whether there is a signature object.
    pub signed: bool,
    /// The fingerprints of the signing keys, in upper case.
    pub fingerprints: Vec<String>,
}

/// Reads the beginning of a file; `None` if it is not a SIF file.
pub fn look(head: &[u8]) -> Option<Look> {
    if head.get(32..42)? != MAGIC {
        return None;
    }
    let number: usize = std::str::from_utf8(head.get(45..47)?).ok()?.parse().ok()?;
    let arch = ARCHITECTURES.get(number).copied().filter(|name| *name != "unknown");
    let word = |at: usize| head.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().unwrap()));
    let (count, start) = (word(88)? as usize, word(96)? as usize);
    let table = head.get(start..start + count * ENTRY)?;
    let is_signature = |entry: &&[u8]| entry[..4] == SIGNATURE.to_le_bytes() && entry[4] == 1;
    let signatures: Vec<_> = table.chunks_exact(ENTRY).filter(is_signature).collect();
    let text = |entry: &&[u8]| entry[205..225].iter().map(|byte| format!("{byte:02X}")).collect();
    let fingerprints =
        signatures.iter().map(text).filter(|text: &String| text.contains(|c| c != '0')).collect();
    Some(Look { arch, signed: !signatures.is_empty(), fingerprints })
}
