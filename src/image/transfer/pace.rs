//! Detects transfers that are too slow.

use crate::http::{HttpError, HttpErrorKind};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use url::Url;

/// Measures the speed of a transfer.
pub(crate) struct Speed {
    moved: Cell<u64>,
    pace: RefCell<Pace>,
}

impl Speed {
    /// Requires an average of at least `rate` bytes per second over each `window`. 0 allows any speed.
    pub(crate) fn new(rate: u64, window: Duration) -> Self {
        Self { moved: Cell::new(0), pace: RefCell::new(Pace::new(rate, window, Instant::now())) }
    }

    /// Adds transferred bytes.
    pub(crate) fn add(&self, bytes: u64) {
        self.moved.set(self.moved.get() + bytes);
    }

    /// Sets the total of transferred bytes.
    pub(crate) fn set(&self, bytes: u64) {
        self.moved.set(bytes);
    }

    /// Starts a new window. Used after a pause that the server asked for, for example.
    pub(crate) fn restart(&self) {
        self.pace.borrow_mut().restart(self.moved.get(), Instant::now());
    }

    /// Returns when the transfer from or to `url` is too slow.
    pub(crate) async fn crawls(&self, url: &Url) -> HttpError {
        let tick = self.pace.borrow().tick();
        loop {
            tokio::time::sleep(tick).await;
            let mut pace = self.pace.borrow_mut();
            if pace.crawls(self.moved.get(), Instant::now()) {
                let kind = HttpErrorKind::Crawls { rate: pace.rate, window: pace.window };
                return HttpError::new(url, kind);
            }
        }
    }
}

/// The minimum speed of a transfer, and the current window. The caller passes in the time.
struct Pace {
    rate: u64,
    window: Duration,
    /// The start of this window.
    since: Instant,
    /// The bytes transferred before this window.
    before: u64,
    /// The time of the last check.
    seen: Instant,
}

impl Pace {
    /// The number of checks per window.
    const LOOKS: u32 = 20;

    /// See [`Speed::new`].
    fn new(rate: u64, window: Duration, now: Instant) -> Self {
        Self { rate, window, since: now, before: 0, seen: now }
    }

    /// The time between two calls of [`Pace::crawls`].
    fn tick(&self) -> Duration {
        self.window / Self::LOOKS
    }

    /// Starts a new window.
    fn restart(&mut self, moved: u64, now: Instant) {
        (self.since, self.before, self.seen) = (now, moved, now);
    }

    /// Whether a window has ended and was too slow. `moved` is the total of transferred bytes.
    fn crawls(&mut self, moved: u64, now: Instant) -> bool {
        let late = now.duration_since(self.seen) > self.tick() * 5;
        self.seen = now;
        if late {
            // This process itself was stopped, by a hanging disk or a sleeping machine.
            self.restart(moved, now);
        }
        let time = now.duration_since(self.since);
        if time < self.window {
            return false;
        }
        let slow = (moved.saturating_sub(self.before) as f64) < self.rate as f64 * time.as_secs_f64();
        self.restart(moved, now);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a transfer of `each` bytes per second for 200 s, checked every 3 s. Returns the second in which it was
    /// found too slow.
    fn crawls_after(rate: u64, each: impl Fn(u64) -> u64) -> Option<u64> {
        let start = Instant::now();
        let mut pace = Pace::new(rate, Duration::from_secs(60), start);
        assert_eq!(pace.tick(), Duration::from_secs(3));
        let mut moved = 0;
        (1..200).find(|&second| {
            moved += each(second);
            second % 3 == 0 && pace.crawls(moved, start + Duration::from_secs(second))
        })
    }

    #[test]
    fn only_transfers_below_the_minimum_are_too_slow() {
        assert_eq!(crawls_after(1024, |_| 1024), None);
        assert_eq!(crawls_after(1024, |_| 1023), Some(60));
        assert_eq!(crawls_after(1024, |_| 0), Some(60));
        assert_eq!(crawls_after(0, |_| 0), None, "0 allows any speed");
        assert_eq!(
            crawls_after(1024, |second| if second % 60 == 1 { 60 << 10 } else { 0 }),
            None,
            "in bursts"
        );
        assert_eq!(crawls_after(1024, |second| if second < 90 { 4096 } else { 1 }), Some(180));
        assert_eq!(crawls_after(u64::MAX, |_| 1 << 40), Some(60));
    }

    #[test]
    fn pauses_and_a_sleeping_machine_do_not_count() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(1024, Duration::from_secs(60), start);
        pace.restart(0, after(50));
        assert!(!pace.crawls(0, after(62)));
        assert!(!pace.crawls(0, after(1000)), "there was no check for a long time");
        let mut crawls = (1001..).step_by(3).find(|&second| pace.crawls(0, after(second)));
        assert_eq!(crawls.take(), Some(1061));
    }
}
