//! Faults that a test can request: what goes wrong, and for which requests.

use super::super::gate::Gate;
use super::super::wire::{Request, pause};
use super::http::{Body, Incoming, Response};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This response instead of the usual one: status, headers, body. The request's body is read first.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The same without reading the request's body, and then closes the connection.
    Early(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Runs this, then responds as usual.
    Meanwhile(Hook),
    /// Waits at the gate, then responds as usual.
    Held(Gate),
    /// Closes the connection without a byte.
    Close,
    /// Never responds.
    Mute,
    /// Reads this many bytes of the request's body, then resets the connection.
    BreakUpload(u64),
    /// Reads this many bytes of the request's body, then stops reading and never responds.
    StallUpload(u64),
    /// Sends this many bytes of the body, then resets the connection (some sent bytes may be lost).
    Reset(u64),
    /// Sends this many bytes of the body, then closes the connection normally.
    HangUp(u64),
    /// Sends this many bytes of the body, then nothing more.
    Silence(u64),
    /// Flips all bits of the byte at this offset of the body.
    Flip(u64),
    /// Ignores `Range`.
    IgnoreRange,
    /// Sends this header with this value once (`Content-Range` …) instead of the correct one.
    With(&'static str, String),
    /// Omits this header (`ETag` …).
    Without(&'static str),
    /// Sends this many bytes less than `Content-Length` says, then closes the connection.
    Shorter(u64),
    /// Sends this many bytes more than `Content-Length` says.
    Longer(u64),
    /// An endless body without a length.
    Endless,
    /// A JSON document of this many bytes with a very long description.
    Huge(u64),
    /// The body in pieces of this many bytes, with a pause after each.
    Drip(usize, Duration),
}

/// The action of a test while a client waits.
#[derive(Clone)]
pub struct Hook(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl Fault {
    /// Runs this while the client waits, then responds as usual.
    pub fn meanwhile(action: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Meanwhile(Hook(Arc::new(action)))
    }

    /// An error in the library's envelope.
    pub fn error(status: u16, message: &str) -> Self {
        let body = serde_json::json!({"error": {"code": status, "message": message}});
        Self::json(status, &body.to_string())
    }

    /// A JSON text, valid or not.
    pub fn json(status: u16, text: &str) -> Self {
        Self::Answer(status, vec![("Content-Type", "application/json".into())], text.into())
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    /// "later", with `Retry-After` in seconds.
    pub fn retry_after(status: u16, seconds: u64) -> Self {
        Self::Answer(status, vec![("Retry-After", seconds.to_string())], b"later".to_vec())
    }

    /// A redirect to another address.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::Answer(status, vec![("Location", to.into())], Vec::new())
    }

    /// Changes the request before it is processed.
    pub(super) fn prepare(&self, request: &mut Request, body: &mut Incoming) {
        match self {
            Self::IgnoreRange => request.headers.retain(|(name, _)| name != "range"),
            Self::BreakUpload(at) | Self::StallUpload(at) => body.break_at = Some(*at),
            _ => {}
        }
    }

    /// The response of the fault, if it has one.
    pub(super) fn answer(&self) -> Option<Response> {
        match self {
            Self::Answer(status, headers, body) | Self::Early(status, headers, body) => {
                let headers = headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
                Some(Response { status: *status, headers, body: Body::Bytes(body.clone()) })
            }
            Self::Huge(length) => {
                let (before, after) = (r#"{"data":{"description":""#, r#""}}"#);
                let times = length - (before.len() + after.len()) as u64;
                Some(Response::new(200, "application/json", Body::Filled(before, b'x', times, after)))
            }
            _ => None,
        }
    }

    /// Changes the usual response.
    pub(super) fn change(&self, response: &mut Response) {
        let mut drop = |name: &str| response.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        match self {
            Self::With(name, value) => {
                drop(name);
                response.headers.push((name.to_string(), value.clone()));
            }
            Self::Without(name) => drop(name),
            _ => {}
        }
    }
}

/// How a connection ends after an incomplete body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Reset,
    HangUp,
    Silence,
}

/// How a body is sent.
pub struct Delivery<'a> {
    stop: &'a AtomicBool,
    cut: Option<u64>,
    flip: Option<u64>,
    pause: Duration,
    /// The maximum number of bytes per write.
    pub piece: Option<usize>,
}

impl<'a> Delivery<'a> {
    /// The delivery for this fault and a body of this length.
    pub fn new(fault: Option<&Fault>, length: u64, stop: &'a AtomicBool) -> Self {
        let mut delivery = Self { stop, cut: None, flip: None, pause: Duration::ZERO, piece: None };
        match fault {
            Some(Fault::Reset(at) | Fault::HangUp(at) | Fault::Silence(at)) => delivery.cut = Some(*at),
            Some(Fault::Shorter(less)) => delivery.cut = Some(length.saturating_sub(*less)),
            Some(Fault::Flip(at)) => delivery.flip = Some(*at),
            Some(Fault::Drip(piece, pause)) => {
                (delivery.piece, delivery.pause) = (Some(*piece), *pause);
            }
            _ => {}
        }
        delivery
    }

    /// Whether the whole body is sent unchanged and at full speed.
    pub fn is_usual(&self) -> bool {
        self.cut.is_none() && self.flip.is_none() && self.piece.is_none()
    }

    /// The number of bytes to send of a body of this length.
    pub fn stop_at(&self, length: u64) -> u64 {
        self.cut.map_or(length, |cut| cut.min(length))
    }

    /// Corrupts the byte of the fault if it is in the piece at offset `at`.
    pub fn spoil(&self, piece: &mut [u8], at: u64) {
        let place = self.flip.and_then(|flip| flip.checked_sub(at)).and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = place.and_then(|place| piece.get_mut(place)) {
            *byte = !*byte;
        }
    }

    /// The pause between two pieces.
    pub fn rest(&self) {
        if !self.pause.is_zero() {
            pause(self.pause, self.stop);
        }
    }
}

/// The requests that a fault affects.
#[derive(Clone, Debug)]
pub struct When {
    method: &'static str,
    prefix: String,
    header: Option<(&'static str, String)>,
    skip: usize,
    times: usize,
}

impl When {
    /// All requests with this method (`*`: any) and this prefix of the path.
    pub fn new(method: &'static str, prefix: &str) -> Self {
        Self { method, prefix: prefix.into(), header: None, skip: 0, times: usize::MAX }
    }

    /// All `GET` requests with this prefix of the path.
    pub fn get(prefix: &str) -> Self {
        Self::new("GET", prefix)
    }

    /// All `PUT` requests with this prefix of the path.
    pub fn put(prefix: &str) -> Self {
        Self::new("PUT", prefix)
    }

    /// All `POST` requests with this prefix of the path.
    pub fn post(prefix: &str) -> Self {
        Self::new("POST", prefix)
    }

    /// All `DELETE` requests with this prefix of the path.
    pub fn delete(prefix: &str) -> Self {
        Self::new("DELETE", prefix)
    }

    /// Only those with a header (in lower case) whose value has this prefix, such as `range`, `bytes=1024-`.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.header = Some((name, value.into()));
        self
    }

    /// Only the `n`-th of them; the next one is the first.
    pub fn nth(mut self, n: usize) -> Self {
        (self.skip, self.times) = (n - 1, 1);
        self
    }

    /// Only this many (after those that [`When::nth`] skips).
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    fn hits(&mut self, request: &Request) -> bool {
        let header = |(name, value): &(&str, String)| {
            request.header(name).is_some_and(|found| found.starts_with(value.as_str()))
        };
        if !(self.method == "*" || self.method == request.method)
            || !request.path.starts_with(&self.prefix)
            || !self.header.as_ref().is_none_or(header)
            || self.times == 0
        {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// The faults of a library, and the number of requests that they affected.
#[derive(Default)]
pub struct Faults(Mutex<(Vec<(When, Fault)>, usize)>);

impl Faults {
    /// Adds a fault after the existing ones.
    pub fn add(&self, when: When, fault: Fault) {
        self.0.lock().unwrap().0.push((when, fault));
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.0.lock().unwrap().0.clear();
    }

    /// The number of affected requests so far.
    pub fn hits(&self) -> usize {
        self.0.lock().unwrap().1
    }

    /// The first fault that affects this request.
    pub fn take(&self, request: &Request) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap();
        let fault =
            faults.0.iter_mut().find_map(|(when, fault)| when.hits(request).then(|| fault.clone()))?;
        faults.1 += 1;
        Some(fault)
    }
}

/// How the connection ends after the body, if it does.
pub fn afterwards(fault: Option<&Fault>, close: bool) -> Option<End> {
    match fault {
        Some(Fault::Reset(_)) => Some(End::Reset),
        Some(Fault::HangUp(_) | Fault::Shorter(_) | Fault::Longer(_) | Fault::Early(..)) => Some(End::HangUp),
        Some(Fault::Silence(_)) => Some(End::Silence),
        _ => close.then_some(End::HangUp),
    }
}
