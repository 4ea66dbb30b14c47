//! Waiting for servers: the one place where commands block, and what a person sees meanwhile.

use super::Session;
use crate::error::{Result, ResultExt};
use crate::message::Level;
use crate::runtime::block_on;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// A shorter wait shows nothing.
const UNNOTICED: Duration = Duration::from_millis(150);
/// Between two pictures of a spinner.
const TICK: Duration = Duration::from_millis(100);

impl Session<'_> {
    /// Runs requests to their end. On a terminal a spinner says after a moment whom they are for.
    ///
    /// # Errors
    /// The runtime could not be made.
    pub fn wait_for<F: Future>(&self, whom: &str, requests: F) -> Result<F::Output> {
        if !self.shows_waiting() {
            return wait(requests);
        }
        let spinner = spinner(format!("Waiting for {whom}"));
        wait(async {
            let mut requests = pin!(requests);
            tokio::select! {
                biased;
                output = &mut requests => return output,
                () = sleep(UNNOTICED) => {}
            }
            let output = ticking(requests, || spinner.tick()).await;
            spinner.finish_and_clear();
            output
        })
    }

    /// Whether somebody is there to see that the program waits.
    pub fn shows_waiting(&self) -> bool {
        self.ctx.terminals.stderr() && self.ctx.talk.shows(Level::Info)
    }
}

/// Runs requests to their end, showing nothing.
///
/// # Errors
/// The runtime could not be made.
pub(crate) fn wait<F: Future>(requests: F) -> Result<F::Output> {
    block_on(requests).fail_context(|| "while preparing requests")
}

fn spinner(message: String) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well formed");
    bar.set_style(style);
    bar.with_message(message)
}

/// Runs `requests` to their end, and `tick` every now and then.
async fn ticking<F: Future>(requests: F, tick: impl Fn()) -> F::Output {
    let (mut requests, mut ticks) = (pin!(requests), interval(TICK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            output = &mut requests => return output,
            _ = ticks.tick() => tick(),
        }
    }
}
