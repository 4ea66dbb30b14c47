//! The library itself, asked without any client of ours.

use super::super::sif::Sif;
use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer: status, headers with names in lower case, body.
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

/// One connection, over which one request after another goes.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
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

#[test]
fn an_image_is_found_and_fetched_in_parts_over_one_connection() {
    let (library, bytes) = with_box();
    let mut client = Client::new(library.address(Port::Api));
    let document = client.get(DISCOVERY).json();
    assert_eq!(document["libraryAPI"]["uri"], library.uri());
    let image = client.get("/library/v1/images/me/things/box:1.0?arch=amd64").data();
    assert_eq!(image["size"], bytes.len());
    assert_eq!(image["hash"], format!("sha256.{}", Blob::from(bytes.clone()).sha256()));
    assert_eq!(
        client.get(&format!("/library/v1/images/me/things/box:{}", image["hash"].as_str().unwrap())).data(),
        image
    );
    assert_eq!(client.get("/library/v1/images/me/things/box:2.0?arch=amd64").status, 404);
    let found = client.get("/library/v1/imagefile/me/things/box:latest?arch=amd64");
    assert_eq!(found.status, 303);
    let address = found.header("location").unwrap();
    assert!(address.starts_with(&library.data_url()));
    let (path, mut data) = (path_of(address), Client::new(library.address(Port::Data)));
    let mut got = Vec::new();
    for start in (0..bytes.len()).step_by(50_000) {
        let range = format!("Range: bytes={start}-{}", start + 49_999);
        let part = data.ask("GET", &path, &[&range], b"");
        let last = bytes.len().min(start + 50_000) - 1;
        let told = format!("bytes {start}-{last}/{}", bytes.len());
        assert_eq!((part.status, part.header("content-range")), (206, Some(told.as_str())));
        got.extend(part.body);
    }
    assert_eq!(got, bytes);
    assert_eq!(data.get(&path).body, bytes);
    let beyond = data.ask("GET", &path, &[&format!("Range: bytes={}-", bytes.len())], b"");
    assert_eq!(
        (beyond.status, beyond.header("content-range").unwrap()),
        (416, &*format!("bytes */{}", bytes.len()))
    );
    assert_eq!(data.ask("GET", &path, &["Range: bytes=-10"], b"").body, bytes[bytes.len() - 10..]);
    assert_eq!(library.connections(), 2);
    assert!(library.violations().is_empty());
}
