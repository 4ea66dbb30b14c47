//! Decides which errors are retried, when, and how often.

use super::Progress;
use crate::http::{HttpError, HttpErrorKind};
use crate::message::Talk;
use std::time::Duration;

/// The number of retries after the first failure.
pub(crate) const TRIES: u32 = 3;
/// If a server asks for a longer pause than this, there is no retry.
const LONGEST: Duration = Duration::from_secs(30);

/// Counts the failures of one operation, and waits between retries.
pub(crate) struct Patience<'a> {
    left: u32,
    pause: Duration,
    talk: &'a Talk,
    progress: &'a Progress,
}

impl<'a> Patience<'a> {
    /// `pause` is the time before the first retry. It doubles with each retry.
    pub(crate) fn new(pause: Duration, talk: &'a Talk, progress: &'a Progress) -> Self {
        Self { left: TRIES, pause, talk, progress }
    }

    /// Waits before a retry.
    ///
    /// # Errors
    ///
    /// `error` itself, if it is not temporary or no retry is left.
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

/// Whether the same request may succeed later.
fn is_passing(error: &HttpError) -> bool {
    match &error.kind {
        HttpErrorKind::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
        _ => error.is_no_answer(),
    }
}
