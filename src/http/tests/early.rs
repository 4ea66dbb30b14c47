//! Requests with a body, to servers that refuse them before they have read everything and then close the connection.

use super::*;
use crate::http::HttpErrorKind;
use crate::http::stream::{Call, Content, FilePart};
use reqwest::Method;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// More than the socket buffers of both sides can hold.
const LENGTH: u64 = 64 << 20;

/// A server for one connection that reads a little and responds. Because data is left unread, closing the connection
/// resets it.
fn refusing(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1000]);
        let _ = stream.write_all(answer.as_bytes());
        std::thread::sleep(SHORT);
    });
    format!("http://{address}/put")
}

fn send(address: &str) -> HttpError {
    let file = tempfile::tempfile().unwrap();
    file.set_len(LENGTH).unwrap();
    let part = FilePart { file: &Arc::new(file), range: 0..LENGTH, moved: &Arc::default(), headers: &[] };
    let call = Call {
        method: Method::PUT,
        to: &Address::new(url(address), false),
        login: None,
        content: Content::File(part),
        timeout: PATIENT,
    };
    let answer = block_on(http().call(call)).unwrap();
    answer.and_then(Response::ok).err().expect("it was refused")
}

#[test]
fn a_refusal_is_reported_even_if_the_connection_is_reset() {
    for (answer, message) in [
        ("HTTP/1.1 413 X\r\nContent-Length: 8\r\n\r\ntoo big\n", Some("too big")),
        ("HTTP/1.1 413 X\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo big\n", Some("too big")),
        // The end of the message is lost with the connection.
        ("HTTP/1.1 413 X\r\nContent-Length: 100\r\n\r\ntoo big\n", Some("too big")),
        ("HTTP/1.1 413 X\r\nContent-Length: 100\r\n\r\n", None),
        ("HTTP/1.1 413 X\r\nTransfer-Encoding: chunked\r\n\r\n8\r\ntoo b", Some("too b")),
    ] {
        let error = send(&refusing(answer));
        let message = message.map(String::from);
        assert_eq!(error.kind, HttpErrorKind::Status { status: 413, message }, "{answer:?}");
    }
}

#[test]
fn an_incomplete_success_is_an_error() {
    let error = send(&refusing("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"));
    assert!(matches!(error.kind, HttpErrorKind::Network(_)), "{error}");
}
