//! What is worth another try, when, and how often.

use super::Progress;
use crate::http::{HttpError, HttpErrorKind};
use crate::message::Talk;
use std::time::Duration;

/// After the first failure.
pub(crate) const TRIES: u32 = 3;
/// A server that wants a longer pause than this is left alone.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts failures of one thing, and waits between them.
pub(crate) struct Patience<'a> {
    left: u32,
    pause: Duration,
    talk: &'a Talk,
    progress: &'a Progress,
}

impl<'a> Patience<'a> {
    /// Waits `pause` before the first new try, twice as long before the next.
    pub(crate) fn new(pause: Duration, talk: &'a Talk, progress: &'a Progress) -> Self {
        Self { left: TRIES, pause, talk, progress }
    }

    /// Waits before another try.
    ///
    /// # Errors
    ///
    /// The error itself, where none is worth it, or none is left.
    pub(crate) async fn wait(&mut self, error: HttpError) -> Result<(), HttpError> {
        let pause = error.retry_after.unwrap_or_default().max(self.pause);
        if self.left == 0 || !is_passing(&error) || pause > LONGEST {
            return Err(error);
        }
        self.left -= 1;
        self.pause *= 2;
        self.progress.aside(|| self.talk.verbose(format!("{error}; trying again in {pause:?}")));
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// Whether the same request may go well a moment later.
fn is_passing(error: &HttpError) -> bool {
    match &error.kind {
        HttpErrorKind::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
        _ => error.is_no_answer(),
    }
}
