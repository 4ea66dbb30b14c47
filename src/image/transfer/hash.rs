//! SHA-256 of a file that is still being written, in a thread of its own.
//!
//! The parts of a download arrive in any order; the hash wants them in one. It reads what stands in the
//! file as soon as everything before it is there: what is hashed is what was written.

use crate::digest::Digest;
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How much is read at once, in bytes.
const BLOCK: usize = 1 << 20;

/// What is in the file.
#[derive(Default)]
struct Filled {
    /// Everything before this byte.
    prefix: u64,
    /// Pieces behind it, by where they begin and end; none touches another.
    pieces: BTreeMap<u64, u64>,
    /// Nothing more comes.
    ended: bool,
}

impl Filled {
    fn add(&mut self, start: u64, end: u64) {
        let before = self.pieces.range_mut(..start).next_back().filter(|(_, until)| **until == start);
        match before {
            Some((_, until)) => *until = end,
            None => {
                self.pieces.insert(start, end);
            }
        }
        while let Some(end) = self.pieces.remove(&self.prefix) {
            self.prefix = end;
        }
    }
}

#[derive(Default)]
struct Shared {
    filled: Mutex<Filled>,
    more: Condvar,
}

impl Shared {
    fn filled(&self) -> MutexGuard<'_, Filled> {
        self.filled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a file as it is filled.
pub(crate) struct Hasher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<Digest>>>,
}

impl Hasher {
    /// Starts the thread, which reads `file`.
    ///
    /// # Errors
    ///
    /// There can be no thread, or no memory for it.
    pub(crate) fn start(file: Arc<File>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let mut block = Vec::new();
        block.try_reserve_exact(BLOCK)?;
        block.resize(BLOCK, 0);
        let follow = move || follow(&file, &theirs, &mut block);
        let thread = std::thread::Builder::new().name("hash".into()).spawn(follow).map_err(|error| {
            let text = format!("no thread can be created to hash the image: {error}");
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The bytes from `start` to `end` are in the file, and were not before.
    pub(crate) fn add(&self, start: u64, end: u64) {
        let mut filled = self.shared.filled();
        let before = filled.prefix;
        filled.add(start, end);
        if filled.prefix / BLOCK as u64 > before / BLOCK as u64 {
            self.shared.more.notify_one();
        }
    }

    /// The hash of the file's first `length` bytes, all of which have been added.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not `length` bytes long.
    pub(crate) fn finish(mut self, length: u64) -> io::Result<Digest> {
        if self.shared.filled().prefix != length {
            return Err(io::Error::other("bytes are missing in the middle"));
        }
        self.end();
        let thread = self.thread.take().expect("it ends once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn end(&self) {
        self.shared.filled().ended = true;
        self.shared.more.notify_one();
    }
}

/// A thread whose hash nobody wants any more ends soon.
impl Drop for Hasher {
    fn drop(&mut self) {
        self.end();
    }
}

fn follow(file: &File, shared: &Shared, block: &mut [u8]) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    let mut at = 0;
    loop {
        let until = {
            let enough = |filled: &mut Filled| !filled.ended && filled.prefix - at < BLOCK as u64;
            let filled = shared.filled();
            let filled = shared.more.wait_while(filled, enough).unwrap_or_else(PoisonError::into_inner);
            filled.prefix
        };
        if at == until {
            return Ok(context.finish().into());
        }
        let length = BLOCK.min(usize::try_from(until - at).unwrap_or(BLOCK));
        file.read_exact_at(&mut block[..length], at)?;
        context.update(&block[..length]);
        at += length as u64;
    }
}

/// The SHA-256 of the bytes of `file` from `start` on, `length` of them. `each` hears how many were read.
///
/// # Errors
///
/// The file cannot be read, or is shorter.
pub(crate) fn hash_file(
    file: &File,
    start: u64,
    length: u64,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    let mut block = vec![0; BLOCK];
    let (mut at, end) = (start, start + length);
    while at < end {
        let wanted = BLOCK.min(usize::try_from(end - at).unwrap_or(BLOCK));
        file.read_exact_at(&mut block[..wanted], at)?;
        context.update(&block[..wanted]);
        each(&block[..wanted]);
        at += wanted as u64;
    }
    Ok(context.finish().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_of_nothing_and_of_blocks() {
        let file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3 * BLOCK + 5).map(|i| (i / 7) as u8).collect();
        file.write_all_at(&bytes, 0).unwrap();
        let file = Arc::new(file);
        let whole = ring::digest::digest(&SHA256, &bytes);
        let (third, length) = (BLOCK as u64, bytes.len() as u64);
        let hasher = Hasher::start(Arc::clone(&file)).unwrap();
        for (start, end) in [(2 * third, length), (third, 2 * third), (0, 10), (10, third)] {
            hasher.add(start, end);
        }
        assert_eq!(hasher.finish(length).unwrap(), whole.into());
        assert_eq!(hash_file(&file, 0, length, &mut |_| ()).unwrap(), whole.into());
        assert_eq!(hash_file(&file, 5, 0, &mut |_| ()).unwrap(), ring::digest::digest(&SHA256, b"").into());
        let hasher = Hasher::start(file).unwrap();
        hasher.add(1, 2);
        assert!(hasher.finish(2).is_err(), "the first byte is missing");
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_fill_the_file(mut cuts in proptest::collection::vec(1_u64..100, 1..20), seed: u64) {
            cuts.sort_unstable();
            cuts.dedup();
            let mut pieces: Vec<(u64, u64)> = std::iter::once(0).chain(cuts.iter().copied()).zip(cuts.clone()).collect();
            let mut state = seed;
            for i in (1..pieces.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                pieces.swap(i, (state >> 33) as usize % (i + 1));
            }
            let mut filled = Filled::default();
            for (start, end) in pieces {
                filled.add(start, end);
            }
            prop_assert_eq!(filled.prefix, *cuts.last().unwrap());
            prop_assert!(filled.pieces.is_empty());
        }
    }
}
