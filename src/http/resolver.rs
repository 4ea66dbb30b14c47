//! Names to addresses: the system looks them up, in a thread for each name. One that cannot be made is an error,
//! where the client's own resolver would panic. `localhost` is this machine, whatever a name server says (RFC 6761):
//! a server there is trusted as no other is.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
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
        if name.as_str().eq_ignore_ascii_case("localhost") {
            let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            let addresses: Addrs = Box::new(here.into_iter().map(|address| SocketAddr::new(address, 0)));
            return Box::pin(std::future::ready(Ok(addresses)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_this_machine_without_a_lookup() {
        for name in ["localhost", "LocalHost"] {
            let addresses = futures_util::FutureExt::now_or_never(Resolver.resolve(name.parse().unwrap()));
            let addresses: Vec<_> = addresses.expect("nobody is waited for").unwrap().collect();
            assert_eq!(addresses.len(), 2);
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{addresses:?}");
        }
    }
}
