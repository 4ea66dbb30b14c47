//! The runtime of what waits for others: made where it is needed, for one thread.

use std::future::Future;
use std::io;

/// Runs `future` to its end on a runtime of this thread, built for it alone.
///
/// A command may call this several times (a question to the user may lie between two requests); the
/// client's idle connections end with their runtime and are not used again.
///
/// # Errors
///
/// When the operating system gives no more file descriptors.
pub(crate) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let output = runtime.block_on(future);
    // A name lookup cannot be cancelled; waiting for it would keep a command that has its timeout behind
    // it from ending.
    runtime.shutdown_background();
    Ok(output)
}
