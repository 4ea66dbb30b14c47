//! A transfer may be slow, but it may not crawl for ever.

use crate::http::{HttpError, HttpErrorKind};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};
use url::Url;

/// The speed of a transfer while it is under way.
pub(crate) struct Speed {
    moved: Cell<u64>,
    pace: RefCell<Pace>,
}

impl Speed {
    /// At least `rate` bytes a second on average over each `window`; a rate of 0 allows every speed.
    pub(crate) fn new(rate: u64, window: Duration) -> Self {
        Self { moved: Cell::new(0), pace: RefCell::new(Pace::new(rate, window, Instant::now())) }
    }

    /// So many bytes more.
    pub(crate) fn add(&self, bytes: u64) {
        self.moved.set(self.moved.get() + bytes);
    }

    /// So many bytes in all.
    pub(crate) fn set(&self, bytes: u64) {
        self.moved.set(bytes);
    }

    /// What came before, a pause that the server wants, say, does not count.
    pub(crate) fn restart(&self) {
        self.pace.borrow_mut().restart(self.moved.get(), Instant::now());
    }

    /// Ends when the transfer from or to `url` crawls.
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

/// The least speed of a transfer, and how far it has come. The clock is the caller's.
struct Pace {
    rate: u64,
    window: Duration,
    /// When this window began, and how many bytes had moved by then.
    since: Instant,
    before: u64,
    seen: Instant,
}

impl Pace {
    /// A window is looked at so often while it lasts.
    const LOOKS: u32 = 20;

    /// At least `rate` bytes a second on average over each `window`; a rate of 0 allows every speed.
    fn new(rate: u64, window: Duration, now: Instant) -> Self {
        Self { rate, window, since: now, before: 0, seen: now }
    }

    /// How long to wait before the next [`Pace::crawls`].
    fn tick(&self) -> Duration {
        self.window / Self::LOOKS
    }

    /// Begins a new window.
    fn restart(&mut self, moved: u64, now: Instant) {
        (self.since, self.before, self.seen) = (now, moved, now);
    }

    /// Whether a window has ended that was too slow; `moved` bytes have moved so far.
    fn crawls(&mut self, moved: u64, now: Instant) -> bool {
        let late = now.duration_since(self.seen) > self.tick() * 5;
        self.seen = now;
        if late {
            // This process itself stood still: a disk that hangs, a machine that slept.
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

    /// Moves `each` bytes a second, for 200 seconds, looked at every 3; when it was found to crawl, in seconds.
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
    fn a_transfer_may_be_slow_and_may_not_crawl() {
        assert_eq!(crawls_after(1024, |_| 1024), None);
        assert_eq!(crawls_after(1024, |_| 1023), Some(60));
        assert_eq!(crawls_after(1024, |_| 0), Some(60));
        assert_eq!(crawls_after(0, |_| 0), None, "0 allows everything");
        assert_eq!(
            crawls_after(1024, |second| if second % 60 == 1 { 60 << 10 } else { 0 }),
            None,
            "in bursts"
        );
        assert_eq!(crawls_after(1024, |second| if second < 90 { 4096 } else { 1 }), Some(180));
        assert_eq!(crawls_after(u64::MAX, |_| 1 << 40), Some(60));
    }

    #[test]
    fn a_pause_does_not_count_nor_does_a_machine_that_slept() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::new(1024, Duration::from_secs(60), start);
        pace.restart(0, after(50));
        assert!(!pace.crawls(0, after(62)));
        assert!(!pace.crawls(0, after(1000)), "nobody looked for a long time");
        let mut crawls = (1001..).step_by(3).find(|&second| pace.crawls(0, after(second)));
        assert_eq!(crawls.take(), Some(1061));
    }
}
