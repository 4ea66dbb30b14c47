//! Cleans up when a signal arrives, then raises the signal again.
//!
//! Code that creates a temporary file or changes the terminal registers its cleanup with [`guard`]. The first
//! guard starts the thread that waits for signals, so commands that only read do not pay for it.

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGXFSZ};
use signal_hook::iterator::Signals;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The signals that end the program; see [`watch`] for the others.
const ENDING: [c_int; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// A cleanup. Its argument returns whether the user has pressed Ctrl-C again.
type Cleanup = Box<dyn FnOnce(&mut dyn FnMut() -> bool) + Send>;

/// What to do before the program is stopped, and after it continues.
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

/// Set by the signal handler, before the waiting thread wakes up.
static ARRIVED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The registry remains usable after a panic, so that the other cleanups still run.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registered cleanup. Dropping it unregisters the cleanup without running it.
#[derive(Debug)]
#[must_use = "the cleanup is unregistered as soon as the guard is dropped"]
pub(crate) struct Guard(u64);

/// Registers `cleanup` to run if SIGHUP, SIGINT, SIGQUIT or SIGTERM arrives before the guard is dropped.
///
/// Cleanups run in a separate thread, the latest first. Meanwhile all other threads that register or unregister a
/// cleanup block, so a cleanup must not call back into this module. Then the signal is raised again with its
/// default action, so that the parent sees what ended the program. Signals that were ignored at program start
/// (`nohup`) remain ignored.
///
/// If the thread cannot be started, the cleanup never runs: leaving something behind is better than failing.
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

/// Ends the effect of [`around_stop`] on drop.
#[must_use = "it ends as soon as this is dropped"]
pub(crate) struct StopGuard(());

/// Until the guard is dropped, runs `before` when Ctrl-Z is about to stop the program, and `after` when it
/// continues. Only one pair can be registered at a time.
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

/// Stops the program, as Ctrl-Z does.
fn stop() {
    let registry = registry();
    let run = |at: usize| registry.around_stop.iter().for_each(|around| around[at]());
    run(0);
    // This signal stops a program that does not handle it, but, unlike SIGSTOP, not one that no shell could continue.
    let _ = signal_hook::low_level::raise(SIGTTIN);
    run(1);
}

/// Work that must finish with its peers before a signal ends the program, such as cancelling an upload. The
/// signal waits until this value is dropped, and the drop then does not return.
#[must_use = "a signal waits for nothing as soon as this is dropped"]
pub(crate) struct Farewell {
    // Dropped first, because the signal thread holds the lock that dropping the guard needs.
    _done: Sender<()>,
    asked: Arc<AtomicUsize>,
    _guard: Guard,
}

impl Farewell {
    /// Registers work that takes at most `longest` to finish after a signal.
    pub(crate) fn new(longest: Duration) -> Self {
        let (done, ended) = channel();
        let asked = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&asked);
        let guard = register(Box::new(move |again| take_leave(&shared, &ended, longest, again)));
        Self { _done: done, asked, _guard: guard }
    }

    /// How often the user has asked to stop: 1 after any signal, 2 after another Ctrl-C.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Asks the work to stop, and waits for it.
fn take_leave(asked: &AtomicUsize, ended: &Receiver<()>, longest: Duration, again: &mut dyn FnMut() -> bool) {
    /// Some programs (`timeout`) send their signal twice in a row.
    const TWICE: Duration = Duration::from_millis(200);
    const TICK: Duration = Duration::from_millis(50);
    /// Time to print a last message.
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

/// Starts the signal thread. SIGXFSZ is caught and ignored, so that a write beyond the file size limit fails with
/// EFBIG and is reported like a full disk, instead of ending the program half way.
fn watch() -> io::Result<()> {
    let ignored = ignored_mask();
    let is_kept = |signal: &c_int| ignored & (1 << (signal - 1)) == 0;
    let kept: Vec<c_int> = ENDING.into_iter().filter(is_kept).collect();
    let stopping = Some(SIGTSTP).filter(is_kept);
    // The thread is started first: without it, a caught signal would have no effect.
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
    // Registered last: the thread already handles signals that arrived earlier, and later ones also set the flag.
    let arrived = Arc::clone(ARRIVED.get_or_init(Arc::default));
    for signal in kept {
        signal_hook::flag::register(signal, Arc::clone(&arrived))?;
    }
    Ok(())
}

/// If a signal has arrived, waits for the signal thread to end the program. So a signal in the last moment, when
/// there is nothing left to clean up, still determines the exit status.
pub(crate) fn settle() {
    if ARRIVED.get().is_some_and(|arrived| arrived.load(Ordering::SeqCst)) {
        // The signal thread ends the process within microseconds. Give up after 5 seconds just in case.
        std::thread::sleep(Duration::from_secs(5));
    }
}

/// Runs all cleanups and ends the program. The registry stays locked until the process has ended, so that nothing
/// new is created meanwhile.
fn end(signal: c_int, signals: &mut Signals) {
    let mut registry = registry();
    let mut again = || signals.pending().any(|signal| matches!(signal, SIGINT | SIGQUIT));
    while let Some((_, cleanup)) = registry.cleanups.pop_last() {
        cleanup(&mut again);
    }
    let _ = signal_hook::low_level::emulate_default_handler(signal);
    drop(registry);
}

/// The signals that the parent process set to be ignored, as a bit mask. Read from /proc, because calling
/// sigaction would need unsafe code. Without /proc no signal counts as ignored.
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
    fn a_dropped_guard_is_unregistered() {
        let (first, second) = (guard(|| ()), guard(|| ()));
        let ids = [first.0, second.0];
        assert!(ids.iter().all(|id| registry().cleanups.contains_key(id)));
        drop((first, second));
        assert!(!ids.iter().any(|id| registry().cleanups.contains_key(id)));
    }
}
