//! A fake endpoint: discovery, token check, identity, `/version` of five services. Any path can be made to
//! misbehave. It records every request.

use super::ca::Identity;
use super::gate::Gate;
pub use super::wire::Request;
use super::wire::{Stream, pause, read_request, response, set_up};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The path of the discovery document.
pub const DISCOVERY: &str = "/assets/config/config.prod.json";
/// The path at which the token service verifies a token.
pub const TOKEN_STATUS: &str = "/token/v1/token-status";
/// The path at which the library returns the user of a token.
pub const IDENTITY: &str = "/library/v1/rbac/users/current";
/// The response of [`IDENTITY`], with the OCI secret `oci-canary`.
pub const USER: &str = r#"{"username":"ada","email":"ada@example.com","realname":"Ada Lovelace","oidc_user_meta":{"secret":"oci-canary"}}"#;

/// What a path does instead of its usual response.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// These bytes, then closes the connection.
    Raw(Vec<u8>),
    /// A JSON body with this status.
    Json(u16, String),
    /// A body with this status and content type.
    Body(u16, &'static str, String),
    /// A redirect with this status to this address.
    Redirect(u16, String),
    /// Waits at the gate, then responds as usual.
    Held(Gate),
    /// Never responds.
    Silent,
    /// A valid head, then one byte per interval.
    Drip(Duration),
    /// An endless body.
    Endless,
    /// Closes the connection.
    Close,
}

/// The endpoint; it stops when dropped.
pub struct Endpoint {
    scheme: &'static str,
    address: SocketAddr,
    state: Arc<State>,
}

/// The response to every request without its own behaviour: a status and a JSON body.
type Answer = Box<dyn Fn(&Request) -> (u16, String) + Send + Sync>;

struct State {
    base: String,
    answer: Option<Answer>,
    stop: AtomicBool,
    keep_alive: AtomicBool,
    connections: AtomicUsize,
    tokens: Mutex<BTreeSet<String>>,
    behaviours: Mutex<BTreeMap<String, Behaviour>>,
    requests: Mutex<Vec<Request>>,
}

impl Endpoint {
    /// An endpoint over http on its own port of 127.0.0.1.
    pub fn http() -> Self {
        Self::start("127.0.0.1", None)
    }

    /// An endpoint over https as `identity`, on its own port of 127.0.0.1.
    pub fn https(identity: Identity) -> Self {
        Self::start("127.0.0.1", Some(identity))
    }

    /// A server of another kind, over http on its own port of 127.0.0.1.
    pub fn answering(answer: impl Fn(&Request) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1", None, Some(Box::new(answer)))
    }

    /// An endpoint on its own port of this address, over https if there is an identity. Panics if the machine
    /// lacks the address: see [`Endpoint::has_ipv6`].
    pub fn start(ip: &str, identity: Option<Identity>) -> Self {
        Self::listen(ip, identity, None)
    }

    fn listen(ip: &str, identity: Option<Identity>, answer: Option<Answer>) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if identity.is_some() { "https" } else { "http" };
        let state = Arc::new(State {
            base: format!("{scheme}://{address}"),
            answer,
            stop: AtomicBool::new(false),
            keep_alive: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            tokens: Mutex::default(),
            behaviours: Mutex::default(),
            requests: Mutex::default(),
        });
        let tls = identity.map(Identity::server_config);
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, tls.as_ref(), &shared));
        Self { scheme, address, state }
    }

    /// Whether this machine has `::1`.
    pub fn has_ipv6() -> bool {
        TcpListener::bind(("::1", 0)).is_ok()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// `127.0.0.1:PORT`, as a user types it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The listening address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a token valid.
    pub fn accept_token(&self, token: &str) {
        self.state.tokens.lock().unwrap().insert(token.to_string());
    }

    /// Makes all tokens invalid.
    pub fn revoke_tokens(&self) {
        self.state.tokens.lock().unwrap().clear();
    }

    /// Sets the behaviour of a path (without query).
    pub fn set(&self, path: &str, behaviour: Behaviour) {
        self.state.behaviours.lock().unwrap().insert(path.to_string(), behaviour);
    }

    /// Restores the usual response of a path.
    pub fn reset(&self, path: &str) {
        self.state.behaviours.lock().unwrap().remove(path);
    }

    /// Lists these services (key, address) instead of the usual five.
    pub fn set_services(&self, services: &[(&str, &str)]) {
        let document: BTreeMap<_, _> =
            services.iter().map(|(key, uri)| (*key, BTreeMap::from([("uri", *uri)]))).collect();
        self.set(DISCOVERY, Behaviour::Json(200, serde_json::to_string(&document).unwrap()));
    }

    /// Keeps connections open between requests.
    pub fn keep_alive(&self) {
        self.state.keep_alive.store(true, Ordering::Relaxed);
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The requests for one path so far.
    pub fn requests_for(&self, path: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.path == path).collect()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.state.requests.lock().unwrap().clear();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.stop.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if set_up(&stream).is_err() {
            continue;
        }
        state.connections.fetch_add(1, Ordering::Relaxed);
        let (state, tls) = (Arc::clone(state), tls.cloned());
        thread::spawn(move || match tls {
            Some(config) => {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                serve(&mut stream, &state);
                stream.conn.send_close_notify();
                let _ = stream.conn.complete_io(&mut stream.sock);
            }
            None => serve(&mut { stream }, &state),
        });
    }
}

fn serve(stream: &mut dyn Stream, state: &State) {
    while let Some(request) = read_request(stream, &state.stop) {
        state.requests.lock().unwrap().push(request.clone());
        let path = request.path.split('?').next().unwrap_or_default();
        let behaviour = state.behaviours.lock().unwrap().get(path).cloned();
        if state.answer(stream, &request, path, behaviour).is_err()
            || !state.keep_alive.load(Ordering::Relaxed)
        {
            return;
        }
    }
}

impl State {
    fn answer(
        &self,
        stream: &mut dyn Stream,
        request: &Request,
        path: &str,
        behaviour: Option<Behaviour>,
    ) -> std::io::Result<()> {
        let keep_alive = self.keep_alive.load(Ordering::Relaxed);
        let hang_up = || Err(std::io::ErrorKind::ConnectionAborted.into());
        let bytes = match behaviour {
            None => self.usual(request, path),
            Some(Behaviour::Held(gate)) => {
                gate.pass(&self.stop);
                self.usual(request, path)
            }
            Some(Behaviour::Json(status, body)) => response(status, "application/json", &body, keep_alive),
            Some(Behaviour::Body(status, kind, body)) => response(status, kind, &body, keep_alive),
            Some(Behaviour::Redirect(status, to)) => format!(
                "HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            .into(),
            Some(Behaviour::Raw(bytes)) => {
                stream.write_all(&bytes)?;
                stream.flush()?;
                return hang_up();
            }
            Some(Behaviour::Silent) => {
                pause(Duration::from_secs(60), &self.stop);
                return hang_up();
            }
            Some(Behaviour::Drip(interval)) => return self.trickle(stream, b" ", interval),
            Some(Behaviour::Endless) => return self.trickle(stream, &[b' '; 65536], Duration::ZERO),
            Some(Behaviour::Close) => return hang_up(),
        };
        stream.write_all(&bytes)?;
        stream.flush()
    }

    fn usual(&self, request: &Request, path: &str) -> Vec<u8> {
        let json = |status, body: &str| {
            response(status, "application/json", body, self.keep_alive.load(Ordering::Relaxed))
        };
        if let Some(answer) = &self.answer {
            let (status, body) = answer(request);
            return json(status, &body);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let valid = token.is_some_and(|token| self.tokens.lock().unwrap().contains(token));
        let service = path.strip_suffix("/version").and_then(|path| path.strip_prefix('/'));
        match (path, service) {
            (DISCOVERY, _) => json(200, &self.document()),
            (TOKEN_STATUS, _) if valid => json(200, "{}"),
            (IDENTITY, _) if valid => json(200, USER),
            (TOKEN_STATUS | IDENTITY, _) => json(401, r#"{"error":{"code":401,"message":"Not authorized"}}"#),
            (_, Some(service)) => json(200, &format!(r#"{{"data":{{"version":"v1.2.3-{service}"}}}}"#)),
            _ => json(404, r#"{"error":{"code":404,"message":"Not found"}}"#),
        }
    }

    fn document(&self) -> String {
        let base = &self.base;
        let entry = |(key, path)| format!(r#""{key}API":{{"uri":"{base}/{path}"}}"#);
        let names = [
            ("library", "library"),
            ("keystore", "keystore"),
            ("token", "token"),
            ("builder", "builder"),
            ("consent", "consent"),
        ];
        format!("{{{},\"env\":{{\"name\":\"test\"}}}}", names.map(entry).join(","))
    }

    /// A body that never reaches its announced length, sent `piece` by `piece`.
    fn trickle(&self, stream: &mut dyn Stream, piece: &[u8], interval: Duration) -> std::io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n\r\n{")?;
        while !self.stop.load(Ordering::Relaxed) {
            stream.write_all(piece)?;
            stream.flush()?;
            pause(interval, &self.stop);
        }
        Ok(())
    }
}
