//! An HTTP proxy that records its requests and connects to one server, whatever the requested name.

use super::wire::{Request, TICK, read_request, response, set_up};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// The proxy; it stops when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    /// The required value of `Proxy-Authorization`.
    authorization: Option<String>,
    stop: AtomicBool,
    requests: Mutex<Vec<Request>>,
}

impl Proxy {
    /// A proxy for `target`. With `authorization` it responds with 407 unless `Proxy-Authorization` has this
    /// value.
    pub fn start(target: SocketAddr, authorization: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let authorization = authorization.map(str::to_string);
        let state = Arc::new(State {
            target,
            authorization,
            stop: AtomicBool::new(false),
            requests: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(stream));
            }
        });
        Self { address, state }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far: `CONNECT host:port`, or `GET http://host/path`.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn serve(self: Arc<Self>, mut client: TcpStream) -> Option<()> {
        set_up(&client).ok()?;
        let request = read_request(&mut client, &self.stop)?;
        self.requests.lock().unwrap().push(request.clone());
        if self.authorization.is_some()
            && request.header("proxy-authorization") != self.authorization.as_deref()
        {
            client.write_all(&response(407, "text/plain", "who are you?", false)).ok()?;
            return None;
        }
        let mut server = TcpStream::connect(self.target).ok()?;
        set_up(&server).ok()?;
        if request.method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
        } else {
            server.write_all(&origin_form(&request)).ok()?;
        }
        let (from, to, state) = (client.try_clone().ok()?, server.try_clone().ok()?, Arc::clone(&self));
        thread::spawn(move || pump(from, to, &state.stop));
        pump(server, client, &self.stop);
        Some(())
    }
}

/// The request as the server itself receives it.
fn origin_form(request: &Request) -> Vec<u8> {
    let path = request.path.splitn(4, '/').nth(3).unwrap_or_default();
    let headers = request.headers.iter().filter(|(name, _)| !name.starts_with("proxy-"));
    let headers: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{} /{path} HTTP/1.1\r\n{headers}\r\n", request.method).into_bytes()
}

fn pump(mut from: TcpStream, mut to: TcpStream, stop: &AtomicBool) {
    let mut buffer = [0; 8192];
    while !stop.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) if to.write_all(&buffer[..n]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                thread::sleep(TICK / 10)
            }
            _ => break,
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
