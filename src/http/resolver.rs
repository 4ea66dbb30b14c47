//! Resolves host names with the system's resolver, in one thread per name. If the thread cannot be created, that is an
//! error; the client's own resolver would panic. `localhost` always means this machine, whatever DNS says (RFC 6761),
//! because a server on this machine is trusted more than any other.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread;
use tokio::sync::oneshot;

pub(super) struct Resolver;

/// The thread for a lookup could not be created.
#[derive(Debug)]
pub(super) struct NoThread(io::Error);

impl std::error::Error for NoThread {}

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot look up the host name: cannot create a thread: {}", self.0)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        if name.as_str().eq_ignore_ascii_case("localhost") {
            let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            let addresses: Addrs = Box::new(here.into_iter().map(|address| SocketAddr::new(address, 0)));
            return Box::pin(std::future::ready(Ok(addresses)));
        }
        let (answer, answered) = oneshot::channel();
        let look_up = move || drop(answer.send((name.as_str(), 0).to_socket_addrs()));
        // The lookup cannot be cancelled. If the request ends first, its result is ignored.
        let started = thread::Builder::new().name("resolver".into()).spawn(look_up);
        Box::pin(async move {
            started.map_err(NoThread)?;
            let addresses: Addrs = Box::new(answered.await??);
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_needs_no_lookup() {
        for name in ["localhost", "LocalHost"] {
            let addresses = futures_util::FutureExt::now_or_never(Resolver.resolve(name.parse().unwrap()));
            let addresses: Vec<_> = addresses.expect("there is no lookup to wait for").unwrap().collect();
            assert_eq!(addresses.len(), 2);
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
        }
    }
}
