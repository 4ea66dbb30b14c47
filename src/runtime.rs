//! The async runtime. It is single-threaded and created only when needed.

use std::future::Future;
use std::io;

/// Runs `future` to completion on its own runtime, on this thread.
///
/// A command may call this several times, for example if it prompts the user between two requests. The client's
/// idle connections end with their runtime and are not reused.
///
/// # Errors
/// The process or the system has no file descriptors left.
pub(crate) fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let output = runtime.block_on(future);
    // A DNS lookup cannot be cancelled, so it could keep a command from exiting after its timeout.
    runtime.shutdown_background();
    Ok(output)
}
