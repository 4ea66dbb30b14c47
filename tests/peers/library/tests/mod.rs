//! Tests of the library itself, without the program's own client.

mod faults;
mod reading;
mod uploads;

use super::super::gate::Gate;
use super::super::sif::Sif;
use super::super::wire::PATIENT;
use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A response: status, headers with names in lower case, body.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn data(&self) -> serde_json::Value {
        self.json()["data"].clone()
    }
}

/// Long enough to see that nothing arrives.
const SHORT: Duration = Duration::from_millis(60);

/// A connection for any number of requests.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENT)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let stream = self.0.get_mut();
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let _ = stream.write_all(body);
    }

    fn head(&mut self) -> Option<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_string()),
            }
        }
        let split =
            |line: &String| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_string()));
        let status = lines[0].split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, headers: lines.iter().filter_map(split).collect(), body: Vec::new() })
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.send(method, path, headers, body);
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut answer = self.head().unwrap();
        answer.body = vec![0; answer.header("content-length").unwrap().parse().unwrap()];
        self.0.read_exact(&mut answer.body).unwrap();
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"")
    }
}

fn with_box() -> (Library, Vec<u8>) {
    let (library, bytes) = (Library::http(), Sif::new("amd64").filled(100_000).bytes());
    library.add(NewImage::new("me/things/box:latest,1.0", bytes.clone()));
    (library, bytes)
}

/// The path of an address.
fn path_of(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}
