//! The progress bar on a terminal: bytes, percentage, speed and remaining time. It is not drawn in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// The progress of a transfer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

/// `2.70 MiB / 2.70 MiB [====] 100 % 1.10 MiB/s 0s`
const WITH_TOTAL: &str =
    "{msg}{binary_bytes} / {binary_total_bytes} [{wide_bar}] {percent} % {binary_bytes_per_sec} {eta}";
/// The format while the total length is unknown.
const WITHOUT_TOTAL: &str = "{msg}{binary_bytes} {binary_bytes_per_sec} {elapsed}";

impl Progress {
    /// A bar with the prefix `what`. It is drawn only if `shown`.
    pub(crate) fn new(total: Option<u64>, what: &'static str, shown: bool) -> Self {
        let target =
            if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = Self(ProgressBar::with_draw_target(None, target).with_message(what));
        bar.set_total(total);
        bar
    }

    /// Sets the total length in bytes; `None` if it is unknown.
    pub(crate) fn set_total(&self, total: Option<u64>) {
        let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        self.0.set_style(style.progress_chars("=> "));
        match total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
    }

    /// Keeps redrawing the bar; never returns. Without this, speed and remaining time would not change while the server
    /// sends nothing.
    pub(crate) async fn keep_drawing<T>(&self) -> T {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.0.tick();
        }
    }

    /// Adds transferred bytes.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Sets the total of transferred bytes, which may be less than before.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Hides the bar while `speak` prints to the same terminal.
    pub(crate) fn aside<R>(&self, speak: impl FnOnce() -> R) -> R {
        self.0.suspend(speak)
    }

    /// Stops the bar and leaves it on the screen.
    pub(crate) fn finish(&self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_valid() {
        for total in [None, Some(0), Some(10)] {
            Progress::new(total, "", false).set_total(total);
        }
    }
}
