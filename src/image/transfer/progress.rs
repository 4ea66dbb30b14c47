//! The bar on a terminal: bytes, share, speed, rest. In a pipe there is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// How far a transfer is. Cheap to share.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

/// `2.70 MiB / 2.70 MiB [====] 100 % 1.10 MiB/s 0s`
const WITH_TOTAL: &str =
    "{msg}{binary_bytes} / {binary_total_bytes} [{wide_bar}] {percent} % {binary_bytes_per_sec} {eta}";
/// What can be said while the whole length is unknown.
const WITHOUT_TOTAL: &str = "{msg}{binary_bytes} {binary_bytes_per_sec} {elapsed}";

impl Progress {
    /// A bar with `what` before it; drawn only if `shown`.
    pub(crate) fn new(total: Option<u64>, what: &'static str, shown: bool) -> Self {
        let target =
            if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = Self(ProgressBar::with_draw_target(None, target).with_message(what));
        bar.set_total(total);
        bar
    }

    /// The whole length in bytes, or `None` while nobody has said it.
    pub(crate) fn set_total(&self, total: Option<u64>) {
        let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        self.0.set_style(style.progress_chars("=> "));
        match total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
    }

    /// Draws the bar anew for ever, so that speed and rest tell of a server that has gone quiet.
    pub(crate) async fn keep_drawing<T>(&self) -> T {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.0.tick();
        }
    }

    /// So many bytes more.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// So many bytes in all, which may be fewer than before.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Runs `speak`, whose words go to the same terminal, with the bar out of the way.
    pub(crate) fn aside<R>(&self, speak: impl FnOnce() -> R) -> R {
        self.0.suspend(speak)
    }

    /// Leaves the bar on the screen as it is.
    pub(crate) fn finish(&self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_well_formed() {
        for total in [None, Some(0), Some(10)] {
            Progress::new(total, "", false).set_total(total);
        }
    }
}
