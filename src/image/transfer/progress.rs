//! The bar on a terminal: bytes, share, speed, rest. In a pipe there is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// How far a transfer is. Cheap to share.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

/// `2.7MiB / 2.7MiB [====] 100 % 1.1 MiB/s 0s`
const TEMPLATE: &str = "{msg}{done} / {all} [{wide_bar}] {share} % {speed} {rest}";

impl Progress {
    /// A bar for `total` bytes, with `what` before it; drawn only if `shown`.
    pub(crate) fn new(total: u64, what: &'static str, shown: bool) -> Self {
        let target =
            if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_message(what);
        let style = ProgressStyle::with_template(TEMPLATE)
            .expect("the template is well formed")
            .with_key("done", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&size(state.pos()));
            })
            .with_key("all", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&state.len().filter(|len| *len > 0).map_or("???".into(), size));
            })
            .with_key("share", |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.0}", state.fraction() * 100.0);
            })
            .with_key("speed", |state: &ProgressState, out: &mut dyn Write| {
                let speed = size(state.per_sec() as u64);
                let split = speed.find(|c: char| c.is_alphabetic()).unwrap_or(speed.len());
                let _ = write!(out, "{} {}/s", &speed[..split], &speed[split..]);
            })
            .with_key("rest", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&rest(state.eta()));
            })
            .progress_chars("=> ");
        bar.set_style(style);
        Self(bar)
    }

    /// The whole length, once it is known.
    pub(crate) fn set_total(&self, total: u64) {
        self.0.set_length(total);
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

/// `2.7MiB`: one digit behind the point, in units of 1024.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.1}{}", UNITS[unit]) }
}

/// `1h2m3s`, without what is zero in front.
fn rest(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        let sizes =
            [(0, "0B"), (1023, "1023B"), (1536, "1.5KiB"), (2_831_155, "2.7MiB"), (u64::MAX, "16384.0PiB")];
        for (bytes, expected) in sizes {
            assert_eq!(size(bytes), expected);
        }
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (61, "1m1s"), (3723, "1h2m3s")] {
            assert_eq!(rest(Duration::from_secs(seconds)), expected);
        }
    }
}
