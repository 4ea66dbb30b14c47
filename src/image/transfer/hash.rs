//! Computes the SHA-256 of a file that is still being written, in a separate thread.
//!
//! The parts of a download arrive in any order, but the hash needs them in sequence. So the thread reads each part from
//! the file as soon as everything before it is there. This also ensures that the hash is that of the written data.

use crate::digest::Digest;
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The read size, in bytes.
const BLOCK: usize = 1 << 20;

/// The parts of the file that have been written.
#[derive(Default)]
struct Filled {
    /// Everything before this offset has been written.
    prefix: u64,
    /// Pieces after the prefix, from start to end offset. They do not touch each other.
    pieces: BTreeMap<u64, u64>,
    /// No more data will be written.
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

/// Computes the hash of a file while it is written.
pub(crate) struct Hasher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<Digest>>>,
}

impl Hasher {
    /// Starts the thread that reads `file`.
    ///
    /// # Errors
    ///
    /// The thread or its memory cannot be allocated.
    pub(crate) fn start(file: Arc<File>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let mut block = Vec::new();
        block.try_reserve_exact(BLOCK)?;
        block.resize(BLOCK, 0);
        let follow = move || follow(&file, &theirs, &mut block);
        let thread = std::thread::Builder::new().name("hash".into()).spawn(follow).map_err(|error| {
            let text = format!("cannot create a thread to hash the image: {error}");
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Records that the bytes from `start` to `end` have been written. They must not have been written before.
    pub(crate) fn add(&self, start: u64, end: u64) {
        let mut filled = self.shared.filled();
        let before = filled.prefix;
        filled.add(start, end);
        if filled.prefix / BLOCK as u64 > before / BLOCK as u64 {
            self.shared.more.notify_one();
        }
    }

    /// The hash of the first `length` bytes of the file, which must all have been added.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not all bytes have been added.
    pub(crate) fn finish(mut self, length: u64) -> io::Result<Digest> {
        if self.shared.filled().prefix != length {
            return Err(io::Error::other("part of the file is missing"));
        }
        self.end();
        let thread = self.thread.take().expect("`finish` is called once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn end(&self) {
        self.shared.filled().ended = true;
        self.shared.more.notify_one();
    }
}

/// Ends the thread if its hash is no longer needed.
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

/// The SHA-256 of `length` bytes of `file`, starting at `start`. Calls `each` with every block that was read.
///
/// # Errors
///
/// The file cannot be read, or is too short.
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
    fn files_are_hashed_in_any_order_of_pieces() {
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
