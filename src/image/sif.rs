//! Read-only parser for SIF images: the architecture and the signatures. Signatures are not verified.
//!
//! Every offset and size in the file is checked against the length of the file before it is used. The amount of data
//! that is read is bounded.

use crate::arch::Arch;
use std::fmt;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

const HEADER: usize = 128;
const DESCRIPTOR: usize = 585;
/// The maximum number of objects. Real images have space for 48.
const MOST: i64 = 4096;

const PARTITION: i32 = 0x4004;
const SIGNATURE: i32 = 0x4005;
/// The type of the partition with the container's root file system.
const PRIMARY: i32 = 2;
/// The bit pattern that marks the ID of an object group.
const GROUP: u32 = 0xf000_0000;

/// The metadata of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sif {
    /// From the primary partition, or else from the header; `None` if the image does not specify it.
    pub arch: Option<Arch>,
    /// In the order of the file.
    pub signatures: Vec<Signature>,
}

/// A signature in the image. It has not been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The group of objects that is signed; `None` if it is a single object.
    pub group: Option<u32>,
    /// The key's fingerprint, 40 hexadecimal digits in upper case, if the signature specifies one.
    pub fingerprint: Option<String>,
}

/// Why a file is not a usable image.
#[derive(Debug)]
pub enum SifError {
    NotSif,
    /// The file is inconsistent. The message says where.
    Broken(String),
    /// The file is shorter than this, in bytes.
    CutShort(u64),
    Io(io::Error),
}

impl std::error::Error for SifError {}

impl fmt::Display for SifError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSif => f.write_str("it is not a SIF image"),
            Self::Broken(what) => write!(f, "it is a corrupt SIF image: {what}"),
            Self::CutShort(end) => {
                write!(f, "it is a truncated SIF image: it should have at least {end} bytes")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for SifError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads the header and the descriptors of an image, but not the objects themselves.
///
/// # Errors
/// The file is not a SIF image, is inconsistent, or ends before the end of its objects.
pub fn read(source: &mut (impl Read + Seek)) -> Result<Sif, SifError> {
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    let mut header = [0; HEADER];
    source.read_exact(&mut header).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => SifError::NotSif,
        _ => SifError::Io(error),
    })?;
    let header = Fields(&header);
    if header.bytes::<10>(32) != *b"SIF_MAGIC\0" {
        return Err(SifError::NotSif);
    }
    if header.bytes::<3>(42) != *b"01\0" {
        return Err(SifError::Broken("its version is not 01".into()));
    }
    let (total, start) = (header.i64(88), header.i64(96));
    if !(0..=MOST).contains(&total) {
        return Err(SifError::Broken(format!("its header declares {total} descriptors")));
    }
    let end = span(start, total * DESCRIPTOR as i64).filter(|_| start >= HEADER as i64);
    let end = end.ok_or_else(|| SifError::Broken(format!("its descriptors start at byte {start}")))?;
    if end > length {
        return Err(SifError::CutShort(end));
    }
    let mut table = vec![0; total as usize * DESCRIPTOR];
    source.seek(SeekFrom::Start(start as u64))?;
    source.read_exact(&mut table)?;
    objects(&table, length, Arch::of_code(header.bytes(45)))
}

/// Parses the descriptors. `arch` is the architecture in the header.
fn objects(table: &[u8], length: u64, arch: Option<Arch>) -> Result<Sif, SifError> {
    let mut sif = Sif { arch, signatures: Vec::new() };
    for (number, entry) in (1..).zip(table.chunks_exact(DESCRIPTOR)) {
        let entry = Fields(entry);
        match entry.0[4] {
            0 => continue,
            1 => {}
            other => {
                return Err(SifError::Broken(format!(
                    "descriptor {number} is neither used nor free: {other}"
                )));
            }
        }
        let (offset, size) = (entry.i64(17), entry.i64(25));
        let end = span(offset, size);
        let end =
            end.ok_or_else(|| SifError::Broken(format!("object {number} is {size} bytes at {offset}")))?;
        if end > length {
            return Err(SifError::CutShort(end));
        }
        match entry.i32(0) {
            SIGNATURE => sif.signatures.push(signature(&entry)),
            PARTITION if entry.i32(205) == PRIMARY => {
                let own = Arch::of_code(entry.bytes(209));
                if own.is_some() && arch.is_some() && own != arch {
                    let text = "its header and its primary partition have different architectures";
                    return Err(SifError::Broken(text.into()));
                }
                sif.arch = own.or(arch);
            }
            _ => {}
        }
    }
    Ok(sif)
}

fn signature(entry: &Fields) -> Signature {
    let link = entry.u32(13);
    let fingerprint = entry.bytes::<20>(205);
    let hex = || fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    Signature {
        group: (link & GROUP == GROUP).then_some(link & !GROUP),
        fingerprint: (fingerprint != [0; 20]).then(hex),
    }
}

/// The end of a range of `size` bytes at `start`; `None` if it is not a valid position in a file.
fn span(start: i64, size: i64) -> Option<u64> {
    let (start, size) = (u64::try_from(start).ok()?, u64::try_from(size).ok()?);
    start.checked_add(size)
}

/// Reads little-endian numbers at fixed offsets. All offsets are within the header or a descriptor.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("N bytes")
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.bytes(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.bytes(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::sif::{JSON, Sif as Writer};
    use proptest::prelude::*;
    use std::io::Cursor;

    const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

    fn of(bytes: &[u8]) -> Result<Sif, SifError> {
        read(&mut Cursor::new(bytes))
    }

    fn good() -> Vec<u8> {
        Writer::new("amd64").object(JSON, "labels", b"{}").signed(KEY).bytes()
    }

    fn with(at: usize, bytes: &[u8]) -> String {
        let mut image = good();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        of(&image).map_or_else(|error| error.to_string(), |sif| format!("{sif:?}"))
    }

    #[test]
    fn architecture_and_signatures_are_read() {
        let sif = of(&good()).unwrap();
        assert_eq!(sif.arch, "amd64".parse().ok());
        let signature = Signature { group: Some(1), fingerprint: Some(KEY.into()) };
        assert_eq!(sif.signatures, [signature]);
        for arch in ["386", "arm64", "ppc64le", "s390x", "riscv64", "loong64"] {
            assert_eq!(
                of(&Writer::new(arch).bytes()).unwrap(),
                Sif { arch: Some(arch.parse().unwrap()), signatures: vec![] }
            );
        }
        assert_eq!(of(&Writer::new("unknown").bytes()).unwrap().arch, None);
        let nameless = Signature { group: Some(1), fingerprint: None };
        assert_eq!(of(&Writer::new("amd64").signed(&"0".repeat(40)).bytes()).unwrap().signatures, [nameless]);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let last = |number: i64| number.to_le_bytes();
        // The first descriptor is at byte 4096. Its offset field is at byte 17 of the descriptor, its size at byte 25.
        for (at, bytes, words) in [
            (32, b"SIF_MAGIX\0".to_vec(), "not a SIF image"),
            (42, b"02\0".to_vec(), "version is not 01"),
            (88, last(-1).to_vec(), "declares -1 descriptors"),
            (88, last(i64::MAX).to_vec(), "declares 9223372036854775807 descriptors"),
            (96, last(-4096).to_vec(), "descriptors start at byte -4096"),
            (96, last(0).to_vec(), "descriptors start at byte 0"),
            (96, last(1 << 40).to_vec(), "truncated"),
            (4100, vec![7], "descriptor 1 is neither used nor free: 7"),
            (4113, last(-1).to_vec(), "object 1 is "),
            (4121, last(i64::MAX).to_vec(), "truncated"),
            (45, b"04\0".to_vec(), "different architectures"),
            (45, b"99\0".to_vec(), "amd64"),
        ] {
            let said = with(at, &bytes);
            assert!(said.contains(words), "byte {at}: {said}");
        }
        for length in [0, 1, 127, 128, 4095, 4096 + 100, good().len() - 1] {
            assert!(of(&good()[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at in 0_usize..6000, value: u8, length in 0_usize..40_000) {
            let _ = of(&bytes);
            let mut image = good();
            image[at] = value;
            let _ = of(&image);
            let length = length.min(image.len());
            let _ = of(&image[..length]);
        }
    }
}
