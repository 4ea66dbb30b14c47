//! What the program asks the network: the one HTTP client, and the services of an endpoint.
//!
//! Nothing here starts before the first request: no runtime, no TLS, no certificate is read for a
//! command that asks nobody. The environment and the clock come in as values.

pub mod account;
pub mod bounded;
pub mod cache;
mod certificates;
pub mod challenge;
pub mod discovery;
pub mod error;
pub mod health;
pub mod http;
pub mod keyserver;
pub mod library;
pub mod message;
pub mod oci;
pub mod policy;
pub mod proxy;
mod resolver;
pub mod settings;
pub mod stream;
pub mod tls;

#[cfg(test)]
#[path = "../../tests/peers/mod.rs"]
pub mod peers;
#[cfg(test)]
mod tests;

pub use discovery::{Service, Services};
pub use error::{HttpError, Kind};
pub use http::{Get, Http, Limits, Login, Response};
pub use settings::Settings;

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
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let output = runtime.block_on(future);
    // A name lookup cannot be cancelled; waiting for it would keep a command that has its timeout behind
    // it from ending.
    runtime.shutdown_background();
    Ok(output)
}

/// This machine's architecture by Go's name (`amd64`, `arm64`, `ppc64le` …), as libraries know it.
pub fn go_arch() -> &'static str {
    let little = cfg!(target_endian = "little");
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if little => "ppc64le",
        "powerpc64" => "ppc64",
        "mips" if little => "mipsle",
        "mips64" if little => "mips64le",
        "loongarch64" => "loong64",
        same => same,
    }
}

/// `Apptainer-Remote/<version> (Linux <arch>)`.
pub fn user_agent() -> String {
    format!("Apptainer-Remote/{} (Linux {})", env!("CARGO_PKG_VERSION"), go_arch())
}
