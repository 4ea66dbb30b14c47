//! A signal removes what must not stay behind, and is then raised again.
//!
//! Whoever makes a temporary file or changes the terminal registers how to undo that with [`guard`].
//! Nothing happens at start-up: the first guard starts the one thread that waits for signals, so that a
//! command that only reads never pays for it.

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The signals that end the program; see [`watch`] for the other one.
const ENDING: [c_int; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Is handed a way to see whether the user has pressed Ctrl-C since.
type Cleanup = Box<dyn FnOnce(&mut dyn FnMut() -> bool) + Send>;

/// What to do before the program is stopped, and after it goes on.
type AroundStop = [Box<dyn Fn() + Send>; 2];

#[derive(Default)]
struct Registry {
    watching: bool,
    next: u64,
    cleanups: BTreeMap<u64, Cleanup>,
    around_stop: Option<AroundStop>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { watching: false, next: 0, cleanups: BTreeMap::new(), around_stop: None });

/// Set by the signal itself, before the thread that waits for it wakes up.
static ARRIVED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The registry stays usable whatever a cleanup did: a panic in one must not keep the others from running.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registered cleanup; dropping it unregisters, without running it.
#[derive(Debug)]
#[must_use = "the cleanup is unregistered as soon as the guard is dropped"]
pub(crate) struct Guard(u64);

/// Registers `cleanup` to be run when SIGHUP, SIGINT, SIGQUIT or SIGTERM arrives before the guard is dropped.
///
/// Cleanups run in a thread of their own, the latest first, while every other thread that registers or
/// unregisters waits; then the signal is raised again with its default disposition, so that the parent
/// sees what really ended the program. A cleanup must therefore not call back into this module. Signals
/// that were ignored when the program started (`nohup`) stay ignored.
///
/// Where the waiting thread cannot be started the cleanup is never run: better a leftover than a refusal.
pub(crate) fn guard(cleanup: impl FnOnce() + Send + 'static) -> Guard {
    register(Box::new(|_| cleanup()))
}

fn register(cleanup: Cleanup) -> Guard {
    let mut registry = registry();
    if !registry.watching {
        registry.watching = true;
        let _ = watch();
    }
    registry.next += 1;
    let id = registry.next;
    registry.cleanups.insert(id, cleanup);
    Guard(id)
}

impl Drop for Guard {
    fn drop(&mut self) {
        registry().cleanups.remove(&self.0);
    }
}

/// Ends what [`around_stop`] began.
#[must_use = "it ends as soon as this is dropped"]
pub(crate) struct StopGuard(());

/// Runs `before` when Ctrl-Z is about to stop the program, and `after` when it goes on, until the guard is dropped.
/// Only one place at a time can ask for it.
pub(crate) fn around_stop(
    before: impl Fn() + Send + 'static,
    after: impl Fn() + Send + 'static,
) -> StopGuard {
    registry().around_stop = Some([Box::new(before), Box::new(after)]);
    StopGuard(())
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        registry().around_stop = None;
    }
}

/// Stops the program as Ctrl-Z does.
fn stop() {
    let registry = registry();
    let run = |at: usize| registry.around_stop.iter().for_each(|around| around[at]());
    run(0);
    let _ = signal_hook::low_level::emulate_default_handler(SIGTSTP);
    run(1);
}

/// Work that a signal interrupts, and that takes its leave of others before the program ends: the signal waits
/// until this value is dropped, which then does not return.
#[must_use = "a signal waits for nothing as soon as this is dropped"]
pub(crate) struct Farewell {
    // Dropped first: the thread of the signals holds the lock that the guard needs.
    _done: Sender<()>,
    asked: Arc<AtomicUsize>,
    _guard: Guard,
}

impl Farewell {
    /// Registers work whose farewell takes at most so long.
    pub(crate) fn new(longest: Duration) -> Self {
        let (done, ended) = channel();
        let asked = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&asked);
        let guard = register(Box::new(move |again| take_leave(&shared, &ended, longest, again)));
        Self { _done: done, asked, _guard: guard }
    }

    /// How often the user has asked for the end: once by any signal, twice with another Ctrl-C.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Asks for the end, and waits for it.
fn take_leave(asked: &AtomicUsize, ended: &Receiver<()>, longest: Duration, again: &mut dyn FnMut() -> bool) {
    /// Some programs (`timeout`) send their signal twice in a row.
    const TWICE: Duration = Duration::from_millis(200);
    const TICK: Duration = Duration::from_millis(50);
    /// For a last message.
    const LAST: Duration = Duration::from_secs(1);
    let waits = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
    asked.store(1, Ordering::SeqCst);
    let end = Instant::now() + longest;
    if !waits(TWICE) {
        return;
    }
    again();
    while Instant::now() < end && waits(TICK) {
        if again() {
            asked.store(2, Ordering::SeqCst);
            waits(LAST);
            return;
        }
    }
}

/// Starts the thread that waits. SIGXFSZ is caught and dropped: the write that went over the file size
/// limit then fails with EFBIG, which is reported like a full disk instead of ending the program half way.
fn watch() -> io::Result<()> {
    let ignored = ignored_mask();
    let is_kept = |signal: &c_int| ignored & (1 << (signal - 1)) == 0;
    let kept: Vec<c_int> = ENDING.into_iter().filter(is_kept).collect();
    let stopping = Some(SIGTSTP).filter(is_kept);
    // First the thread: without it a signal that is caught would have no effect at all.
    let (hand_over, taken) = channel::<Signals>();
    std::thread::Builder::new().name("signals".into()).stack_size(128 * 1024).spawn(move || {
        let Ok(mut signals) = taken.recv() else { return };
        loop {
            let arrived: Vec<c_int> = signals.wait().collect();
            for signal in arrived {
                match signal {
                    SIGXFSZ => {}
                    SIGTSTP => stop(),
                    ending => end(ending, &mut signals),
                }
            }
        }
    })?;
    let signals = Signals::new(kept.iter().copied().chain(stopping).chain([SIGXFSZ]))?;
    if hand_over.send(signals).is_err() {
        return Err(io::Error::other("the thread of the signals has ended"));
    }
    // Only now: a signal that came before this is the thread's already, and one that comes after it is
    // noted as well.
    let arrived = Arc::clone(ARRIVED.get_or_init(Arc::default));
    for signal in kept {
        signal_hook::flag::register(signal, Arc::clone(&arrived))?;
    }
    Ok(())
}

/// Waits for the end if a signal has come: one that came in the last moment, when nothing was left to be
/// undone, ends the program like every other, and not its normal end.
pub(crate) fn settle() {
    if ARRIVED.get().is_some_and(|arrived| arrived.load(Ordering::SeqCst)) {
        // The thread needs some microseconds; that it never comes is not to be waited for.
        std::thread::sleep(Duration::from_secs(5));
    }
}

/// Runs every cleanup and ends the program. The registry stays locked until the process is gone, so that
/// nothing new can be made in between.
fn end(signal: c_int, signals: &mut Signals) {
    let mut registry = registry();
    let mut again = || signals.pending().any(|signal| matches!(signal, SIGINT | SIGQUIT));
    while let Some((_, cleanup)) = registry.cleanups.pop_last() {
        cleanup(&mut again);
    }
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    drop(registry);
}

/// The signals that whoever started us told us to ignore, as a bit mask. Read from /proc, since asking
/// sigaction takes unsafe code; without /proc nothing counts as ignored.
fn ignored_mask() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status).unwrap_or(0)
}

fn parse_ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(parse_ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), Some(0x1001));
        assert_eq!(parse_ignored("Name:\tx\n"), None);
    }

    #[test]
    fn a_dropped_guard_is_forgotten() {
        let (first, second) = (guard(|| ()), guard(|| ()));
        let ids = [first.0, second.0];
        assert!(ids.iter().all(|id| registry().cleanups.contains_key(id)));
        drop((first, second));
        assert!(!ids.iter().any(|id| registry().cleanups.contains_key(id)));
    }
}
