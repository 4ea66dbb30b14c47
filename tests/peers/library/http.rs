//! HTTP with streamed bodies: reads a head and its body in pieces, and writes a response from memory or from a
//! file.

use super::super::wire::{Request, parse_head};
use super::blob::Blob;
use super::fault::Delivery;
use ring::digest::{Context, SHA256};
use rustls::{ServerConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

/// The size of a read or a write.
pub const CHUNK: usize = 256 * 1024;
/// The maximum size of a JSON body.
const KEPT: usize = 4 << 20;
const HEAD_LIMIT: u64 = 64 * 1024;

/// A connection, with or without TLS.
pub enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Socket {
    /// The connection below TLS.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Closes the connection as a good server does: with a TLS close_notify, and reading for a while what the
    /// client still sends, so that it gets the response before the end.
    pub fn close(mut self) {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            // Not `complete_io`, which waits for the end of a handshake that may never come.
            while stream.conn.wants_write() && stream.conn.write_tls(&mut stream.sock).is_ok() {}
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
        let _ = self.tcp().set_read_timeout(Some(std::time::Duration::from_millis(500)));
        let mut rest = vec![0; CHUNK];
        for _ in 0..64 {
            if !matches!(self.tcp().read(&mut rest), Ok(n) if n > 0) {
                break;
            }
        }
    }

    /// Ends the connection like a server that lost power: the client gets a reset.
    pub fn reset(self) {
        let _ = rustix::net::sockopt::set_socket_linger(self.tcp(), Some(std::time::Duration::ZERO));
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// The reader of requests.
pub type Reader = BufReader<Socket>;

/// Reads a head; `None` if the client closes the connection or sends garbage.
pub fn read_head(reader: &mut Reader) -> Option<Request> {
    let first = *reader.fill_buf().ok()?.first()?;
    if !first.is_ascii_alphabetic() {
        // A TLS handshake: real servers respond with this.
        let _ = Response::text(400, "this is http").write_head(reader.get_mut(), false, None);
        return None;
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let left = HEAD_LIMIT.checked_sub(head.len() as u64)?;
        if reader.by_ref().take(left).read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
    }
    parse_head(std::str::from_utf8(&head[..head.len() - 4]).ok()?)
}

/// The body of a request while it arrives.
pub struct Incoming<'a> {
    reader: &'a mut Reader,
    length: Option<u64>,
    left: u64,
    /// The client waits for a response (100) before it sends the body.
    awaited: bool,
    hash: Option<Context>,
    /// Breaks the connection after this many bytes.
    pub break_at: Option<u64>,
}

impl<'a> Incoming<'a> {
    /// The body that follows this head. `hashed`: computes its digest while it arrives.
    pub fn new(reader: &'a mut Reader, request: &Request, hashed: bool) -> Self {
        let length = request.header("content-length").and_then(|text| text.parse().ok());
        let expected = |value: &str| value.eq_ignore_ascii_case("100-continue");
        let awaited = request.header("expect").is_some_and(expected);
        let hash = hashed.then(|| Context::new(&SHA256));
        Self { reader, length, left: length.unwrap_or(0), awaited, hash, break_at: None }
    }

    /// The value of `Content-Length`.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The number of bytes received.
    pub fn received(&self) -> u64 {
        self.length.unwrap_or(0) - self.left
    }

    /// Passes all of it to `sink`, piece by piece.
    pub fn pour(&mut self, sink: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if self.left > 0 && std::mem::take(&mut self.awaited) {
            self.reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        while self.left > 0 {
            let room = match self.break_at {
                Some(at) if self.received() >= at => return Err(ErrorKind::ConnectionReset.into()),
                Some(at) => self.left.min(at - self.received()),
                None => self.left,
            };
            let piece = self.reader.fill_buf()?;
            if piece.is_empty() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let piece = &piece[..piece.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
            if let Some(hash) = &mut self.hash {
                hash.update(piece);
            }
            sink(piece)?;
            let taken = piece.len();
            self.reader.consume(taken);
            self.left -= taken as u64;
        }
        Ok(())
    }

    /// A small body, or the beginning of a large one.
    pub fn small(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pour(&mut |piece| {
            bytes.extend_from_slice(&piece[..piece.len().min(KEPT - bytes.len())]);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Discards the rest.
    pub fn finish(&mut self) -> io::Result<()> {
        self.pour(&mut |_| Ok(()))
    }

    /// The digest of the received bytes, in hexadecimal; `None` if it was not computed.
    pub fn sha256(&self) -> Option<String> {
        self.hash.clone().map(|hash| hex(hash.finish().as_ref()))
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body of a response.
#[derive(Clone)]
pub enum Body {
    Bytes(Vec<u8>),
    /// A part of a blob: offset and length.
    Blob(Blob, u64, u64),
    /// A byte repeated this many times between two texts.
    Filled(&'static str, u8, u64, &'static str),
}

impl Body {
    /// The number of bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(_, _, length) => *length,
            Self::Filled(before, _, times, after) => (before.len() + after.len()) as u64 + times,
        }
    }

    /// Fills `buffer` from offset `at`; returns the number of bytes read.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let most = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..most];
        match self {
            Self::Bytes(bytes) => buffer.copy_from_slice(&bytes[at as usize..][..most]),
            Self::Blob(blob, start, _) => return blob.read_at(buffer, start + at),
            Self::Filled(before, fill, times, after) => {
                let fill_ends = before.len() as u64 + times;
                for (index, byte) in buffer.iter_mut().enumerate() {
                    let at = at + index as u64;
                    *byte = match at.checked_sub(fill_ends) {
                        Some(after_at) => after.as_bytes()[after_at as usize],
                        None => before.as_bytes().get(at as usize).copied().unwrap_or(*fill),
                    };
                }
            }
        }
        Ok(most)
    }
}

/// A response.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Response {
    /// A response with a body of this type.
    pub fn new(status: u16, content_type: &str, body: Body) -> Self {
        Self { status, headers: vec![("Content-Type".into(), content_type.into())], body }
    }

    /// A line of text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain", Body::Bytes(text.into()))
    }

    /// A JSON document.
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        Self::new(status, "application/json", Body::Bytes(document.to_string().into_bytes()))
    }

    /// Data in the library's envelope.
    pub fn data(document: serde_json::Value) -> Self {
        Self::json(200, &serde_json::json!({ "data": document }))
    }

    /// An error in the library's envelope.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"error": {"code": status, "message": message}}))
    }

    /// Adds a header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The head. Without `length`, the body ends with the connection.
    pub fn write_head(&self, to: &mut Socket, keep_alive: bool, length: Option<u64>) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        head += if keep_alive { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" };
        to.write_all(head.as_bytes())
    }

    /// Sends the body as `delivery` says.
    pub fn write_body(&self, to: &mut Socket, delivery: &Delivery) -> io::Result<()> {
        if let (Body::Blob(blob, start, length), Socket::Plain(stream), true) =
            (&self.body, &mut *to, delivery.is_usual())
            && blob.send(stream, *start, *length)?
        {
            return Ok(());
        }
        let end = delivery.stop_at(self.body.len());
        let mut buffer = vec![0; delivery.piece.unwrap_or(CHUNK).min(CHUNK)];
        let mut at = 0;
        while at < end {
            let room = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.body.read_at(&mut buffer[..room], at)?;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            delivery.spoil(&mut buffer[..count], at);
            to.write_all(&buffer[..count])?;
            to.flush()?;
            at += count as u64;
            delivery.rest();
        }
        to.flush()
    }
}
