//! Requests with a body, to servers that say no before they have all of it, and close.

use super::*;
use crate::http::HttpErrorKind;
use crate::http::stream::{Call, Content, FilePart};
use reqwest::Method;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// Longer than what the sockets of both sides hold.
const LENGTH: u64 = 64 << 20;

/// A server of one connection that reads little and answers. What it leaves unread makes a reset of its end.
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
fn the_no_is_heard_though_the_connection_ends() {
    for (answer, message) in [
        ("HTTP/1.1 413 X\r\nContent-Length: 8\r\n\r\ntoo big\n", Some("too big")),
        ("HTTP/1.1 413 X\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo big\n", Some("too big")),
        // The end of its words is lost with the connection.
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
fn a_broken_yes_is_none() {
    let error = send(&refusing("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"));
    assert!(matches!(error.kind, HttpErrorKind::Network(_)), "{error}");
}
