//! The parts of HTTP that the peers need: reading a request, writing a response.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a waiting thread checks whether it should stop.
pub const TICK: Duration = Duration::from_millis(20);

/// Longer than anything takes on a busy machine: whatever takes longer hangs.
pub const PATIENT: Duration = Duration::from_secs(120);

/// A connection, with or without TLS.
pub trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `CONNECT` …
    pub method: String,
    /// As in the first line: with its query, and absolute in a request to a proxy.
    pub path: String,
    /// Names in lower case, in the original order.
    pub headers: Vec<(String, String)>,
    /// As long as `Content-Length` says.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one request; `None` if the client closes the connection, sends garbage, or `stop` is set.
pub fn read_request(stream: &mut dyn Stream, stop: &AtomicBool) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        read_some(stream, &mut bytes, stop)?;
        if !bytes[0].is_ascii_alphabetic() {
            // A TLS handshake: real servers respond with this.
            let _ = stream.write_all(&response(400, "text/plain", "this is http", false));
            return None;
        }
    };
    let mut request = parse_head(std::str::from_utf8(&bytes[..end]).ok()?)?;
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        read_some(stream, &mut body, stop)?;
    }
    request.body = body;
    Some(request)
}

/// The lines of a request head, without the empty line at its end.
pub fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_string(), first.next()?.to_string());
    let header =
        |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_string()));
    Some(Request { method, path, headers: lines.filter_map(header).collect(), body: Vec::new() })
}

fn read_some(stream: &mut dyn Stream, into: &mut Vec<u8>, stop: &AtomicBool) -> Option<()> {
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(n) => {
                into.extend_from_slice(&buffer[..n]);
                return Some(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Sleeps, unless `stop` is set.
pub fn pause(time: Duration, stop: &AtomicBool) {
    let end = Instant::now() + time;
    while !stop.load(Ordering::Relaxed) && Instant::now() < end {
        std::thread::sleep(TICK.min(end.saturating_duration_since(Instant::now())));
    }
}

/// A complete response with a content type and a length.
pub fn response(status: u16, content_type: &str, body: &str, keep_alive: bool) -> Vec<u8> {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sets short timeouts, so that a thread notices when it should stop.
pub fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))
}
