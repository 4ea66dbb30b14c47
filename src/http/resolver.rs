//! Names to addresses: the system looks them up, in a thread for each name. One that cannot be made is an error,
//! where the client's own resolver would panic.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::thread;
use tokio::sync::oneshot;

/// The system's resolver.
pub(super) struct Resolver;

/// No thread can be made for a lookup.
#[derive(Debug)]
pub(super) struct NoThread(io::Error);

impl std::error::Error for NoThread {}

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot look up the host name, since no thread can be created: {}", self.0)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (answer, answered) = oneshot::channel();
        let look_up = move || drop(answer.send((name.as_str(), 0).to_socket_addrs()));
        // It cannot be stopped, and nobody waits for it longer than for the request.
        let started = thread::Builder::new().name("resolver".into()).spawn(look_up);
        Box::pin(async move {
            started.map_err(NoThread)?;
            let addresses: Addrs = Box::new(answered.await??);
            Ok(addresses)
        })
    }
}
