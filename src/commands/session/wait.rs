//! Waits for servers, with a spinner on a terminal. Commands block only here.

use super::Session;
use crate::context::Colours;
use crate::error::{Result, ResultExt};
use crate::http::Trace;
use crate::message::{Level, escape};
use crate::runtime::block_on;
use crate::signals;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// A shorter wait shows no spinner.
const UNNOTICED: Duration = Duration::from_millis(150);
/// The interval between two frames of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// The most rows of a board: more would scroll away.
const MOST_ROWS: usize = 20;

/// What a person sees while the program waits: a spinner, or a row for each answer that is expected. Hidden where
/// nobody is there to see it.
pub struct Board {
    lines: MultiProgress,
    rows: Vec<ProgressBar>,
    /// The texts that arrived since the last picture, by row.
    arrived: RefCell<Vec<(usize, String)>>,
    colour: bool,
}

impl Board {
    /// Shows `text` in a row, in green or red.
    pub fn set(&self, row: usize, good: bool, text: &str) {
        let code = if good { "32" } else { "31" };
        let text = if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() };
        self.arrived.borrow_mut().push((row, text));
    }

    /// The next picture.
    fn tick(&self) {
        for (row, text) in self.arrived.take() {
            if let Some(row) = self.rows.get(row) {
                row.set_style(style("{prefix}  {msg}"));
                row.set_message(text);
            }
        }
        self.rows.iter().for_each(ProgressBar::tick);
    }

    fn clear(&self) {
        self.rows.iter().for_each(ProgressBar::finish_and_clear);
        let _ = self.lines.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well formed")
}

impl Session<'_> {
    /// Runs requests to completion. On a terminal, a spinner appears after a moment and names the server.
    ///
    /// # Errors
    /// The async runtime could not be created.
    pub fn wait_for<F: Future>(&self, whom: &str, requests: F) -> Result<F::Output> {
        if !self.shows_waiting() && !self.trace().is_on() {
            return wait(requests);
        }
        let board = self.lines(&[format!("Waiting for {whom}")], "{spinner} {prefix}");
        self.wait_showing(&board, requests)
    }

    /// A board with these rows.
    pub fn board(&self, names: &[String]) -> Board {
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let names: Vec<String> = names.iter().map(|name| format!("{:<width$}", escape(name))).collect();
        self.lines(&names, "{prefix}  {spinner}")
    }

    fn lines(&self, prefixes: &[String], template: &str) -> Board {
        let target =
            if self.shows_waiting() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = MultiProgress::with_draw_target(target);
        let row = |prefix: &String| {
            let row = ProgressBar::no_length().with_style(style(template)).with_prefix(prefix.clone());
            lines.add(row)
        };
        let rows = prefixes.iter().take(MOST_ROWS).map(row).collect();
        Board { lines, rows, arrived: RefCell::default(), colour: self.ctx.colours != Colours::Never }
    }

    /// Runs requests to their end, and shows the board if that takes longer than a moment.
    ///
    /// # Errors
    /// The runtime could not be made.
    pub fn wait_showing<F: Future>(&self, board: &Board, requests: F) -> Result<F::Output> {
        let output = wait(async {
            let mut requests = pin!(requests);
            tokio::select! {
                biased;
                output = &mut requests => return output,
                () = sleep(UNNOTICED) => {}
            }
            let lines = board.lines.clone();
            let _cleanup = signals::guard(move || {
                let _ = lines.clear();
            });
            let tick = || {
                if self.trace().is_on() {
                    board.lines.suspend(|| self.show_requests());
                }
                board.tick();
            };
            let output = ticking(requests, tick).await;
            board.clear();
            output
        });
        self.show_requests();
        output
    }

    /// Where the requests of this command are noted.
    pub fn trace(&self) -> &Trace {
        let shown = || self.ctx.talk.shows(Level::Verbose);
        self.trace.get_or_init(|| if shown() { Trace::on() } else { Trace::default() })
    }

    /// Shows the requests that were made since the last call.
    pub fn show_requests(&self) {
        let lines = self.trace.get().map(Trace::take).unwrap_or_default();
        lines.iter().for_each(|line| self.ctx.talk.verbose(line));
    }

    /// Whether to show a spinner.
    pub fn shows_waiting(&self) -> bool {
        self.ctx.terminals.stderr() && self.ctx.talk.shows(Level::Info)
    }
}

/// Runs requests to completion without a spinner.
///
/// # Errors
/// The async runtime could not be created.
pub(crate) fn wait<F: Future>(requests: F) -> Result<F::Output> {
    block_on(requests).fail_context(|| "while preparing requests")
}

/// Runs `requests` to completion and calls `tick` at regular intervals.
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
