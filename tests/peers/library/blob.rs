//! The bytes of images: in memory, or in a file that is never copied into memory.

use super::http::{CHUNK, hex};
use ring::digest::{Context, SHA256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub enum Blob {
    Memory(Arc<Vec<u8>>),
    /// A file, which must not change.
    File(PathBuf),
}

impl Blob {
    /// The number of bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(path) => std::fs::metadata(path).unwrap().len(),
        }
    }

    /// All bytes, for the small images of tests.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes.to_vec(),
            Self::File(path) => std::fs::read(path).unwrap(),
        }
    }

    /// SHA-256 in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Context::new(&SHA256);
        match self {
            Self::Memory(bytes) => hash.update(bytes),
            Self::File(path) => {
                let (mut file, mut buffer) = (File::open(path).unwrap(), vec![0; CHUNK]);
                while let count @ 1.. = file.read(&mut buffer).unwrap() {
                    hash.update(&buffer[..count]);
                }
            }
        }
        hex(hash.finish().as_ref())
    }

    /// Fills `buffer` from offset `at`; returns the number of bytes read.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::Memory(bytes) => {
                let rest = bytes.get(at as usize..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Self::File(path) => File::open(path)?.read_at(buffer, at),
        }
    }

    /// Sends a part of a file directly from the kernel; returns false if this is not a file.
    pub fn send(&self, to: &mut TcpStream, start: u64, length: u64) -> io::Result<bool> {
        let Self::File(path) = self else { return Ok(false) };
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let sent = io::copy(&mut file.take(length), to)?;
        if sent == length { Ok(true) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(Arc::new(bytes))
    }
}

impl From<PathBuf> for Blob {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}
