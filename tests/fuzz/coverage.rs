//! The code that an input reached, without a nightly compiler or unsafe code. With `-C instrument-coverage`,
//! LLVM's continuous mode (`%c`) maps its counters into a file, which can be read like any other file.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The counters of this process, if it was built with them; see `tests/fuzz/run`.
pub struct Coverage {
    file: File,
    /// The offset of the counters in the file.
    offset: u64,
    before: Vec<u8>,
    now: Vec<u8>,
    /// For each counter, a bit for each order of magnitude by which a run has increased it.
    seen: Vec<u8>,
}

impl Coverage {
    /// Opens the file in `FUZZ_COUNTERS`.
    pub fn open() -> Option<Self> {
        let file = File::open(std::env::var_os("FUZZ_COUNTERS")?).ok()?;
        let (offset, length) = counters(&file)?;
        let words = usize::try_from(length / 8).ok()?;
        let bytes = vec![0; words * 8];
        Some(Self { file, offset, before: bytes.clone(), now: bytes, seen: vec![0; words] })
    }

    /// Called before a run.
    pub fn begin(&mut self) {
        let _ = self.file.read_exact_at(&mut self.before, self.offset);
    }

    /// Called after a run: whether it reached something new.
    pub fn is_new(&mut self) -> bool {
        let mut new = false;
        let seen = &mut self.seen;
        Self::changed(&self.file, self.offset, &self.before, &mut self.now, |at, magnitude| {
            new |= seen[at] & magnitude == 0;
            seen[at] |= magnitude;
        });
        new
    }

    /// Called after a run: everything that it reached.
    pub fn reached(&mut self) -> Vec<u64> {
        let mut all = Vec::new();
        let note = |at, magnitude| all.push((at as u64) << 8 | u64::from(magnitude));
        Self::changed(&self.file, self.offset, &self.before, &mut self.now, note);
        all
    }

    fn changed(file: &File, offset: u64, before: &[u8], now: &mut [u8], mut each: impl FnMut(usize, u8)) {
        let _ = file.read_exact_at(now, offset);
        let (before, _) = before.as_chunks::<8>();
        let (now, _) = now.as_chunks::<8>();
        for (at, (before, now)) in before.iter().zip(now.iter()).enumerate() {
            if before != now {
                let times = u64::from_ne_bytes(*now).wrapping_sub(u64::from_ne_bytes(*before));
                each(at, 1 << magnitude(times));
            }
        }
    }
}

/// 1, 2, 3, 4 to 7, to 15, to 31, to 127, more.
fn magnitude(times: u64) -> u8 {
    match times {
        0..=1 => 0,
        2 => 1,
        3 => 2,
        4..=7 => 3,
        8..=15 => 4,
        16..=31 => 5,
        32..=127 => 6,
        _ => 7,
    }
}

/// The offset and length of the counters in a raw profile. They follow the header, the ids of the binary and a
/// record for each function. If another compiler's format is found: everything after the header.
fn counters(file: &File) -> Option<(u64, u64)> {
    const HEADER: u64 = 16 * 8;
    const RECORD: u64 = 64;
    let length = file.metadata().ok()?.len();
    let mut header = [0; HEADER as usize];
    file.read_exact_at(&mut header, 0).ok()?;
    let (words, _) = header.as_chunks::<8>();
    let [_, version, ids, functions, padding, count, ..] =
        [0, 1, 2, 3, 4, 5].map(|at| u64::from_ne_bytes(words[at]));
    let offset = HEADER + ids + functions * RECORD + padding;
    let known = version & 0xff == 10 && offset + count * 8 <= length;
    Some(if known { (offset, count * 8) } else { (HEADER, length - HEADER) })
}
