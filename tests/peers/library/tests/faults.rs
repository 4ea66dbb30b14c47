//! Every fault, as a client sees it.

use super::*;
use std::io::ErrorKind;
use std::time::Instant;

const FILE: &str = "/library/v1/imagefile/me/things/box:latest";
const IMAGE: &str = "/library/v1/images/me/things/box:latest";

/// A library that sends images from its first port, and the bytes of its image.
fn direct() -> (Library, Vec<u8>) {
    let (library, bytes) = with_box();
    library.set(|settings| settings.download = Download::Direct);
    (library, bytes)
}

/// Requests the image's bytes once, with this fault. Returns the head, the received body, the error at its end,
/// and the correct bytes.
fn fetch(fault: Fault, headers: &[&str]) -> (Answer, Vec<u8>, Option<ErrorKind>, Vec<u8>) {
    let (library, bytes) = direct();
    library.fault(When::get(FILE), fault.clone());
    let mut client = Client::new(library.address(Port::Api));
    client.send("GET", FILE, headers, b"");
    let head = client.head().unwrap();
    let mut body = Vec::new();
    // First waits for the bytes that are sent; only after them is there silence.
    let sent = if let Fault::Silence(length) = fault { length } else { 0 };
    client.0.by_ref().take(sent).read_to_end(&mut body).unwrap();
    if sent > 0 {
        client.0.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    }
    let end = client.0.take((4 << 20) - sent).read_to_end(&mut body).err().map(|error| error.kind());
    assert_eq!(library.faults_hit(), 1);
    (head, body, end, bytes)
}

fn told(head: &Answer) -> usize {
    head.header("content-length").unwrap().parse().unwrap()
}

#[test]
fn a_body_can_be_cut_off_in_three_ways() {
    let (head, body, end, bytes) = fetch(Fault::Reset(50_000), &[]);
    assert_eq!((told(&head), end), (bytes.len(), Some(ErrorKind::ConnectionReset)));
    assert!(body.len() <= 50_000 && bytes.starts_with(&body));
    let (head, body, end, bytes) = fetch(Fault::HangUp(50_000), &[]);
    assert_eq!((told(&head), end), (bytes.len(), None));
    assert_eq!(body, bytes[..50_000]);
    let (_, body, end, bytes) = fetch(Fault::Silence(50_000), &[]);
    assert_eq!((&body[..], end), (&bytes[..50_000], Some(ErrorKind::WouldBlock)));
}

#[test]
fn a_body_can_differ_from_its_content_length() {
    let (head, body, end, bytes) = fetch(Fault::Shorter(7), &[]);
    assert_eq!((told(&head), body.len(), end), (bytes.len(), bytes.len() - 7, None));
    let (head, body, end, bytes) = fetch(Fault::Longer(7), &[]);
    assert_eq!((told(&head), body.len(), end), (bytes.len(), bytes.len() + 7, None));
    let (head, body, _, bytes) = fetch(Fault::Endless, &[]);
    assert_eq!((head.header("content-length"), body.len()), (None, 4 << 20));
    assert!(body.starts_with(&bytes));
}

#[test]
fn a_body_can_be_corrupt_or_slow() {
    let (_, body, _, mut bytes) = fetch(Fault::Flip(40_000), &["Connection: close"]);
    bytes[40_000] = !bytes[40_000];
    assert_eq!(body, bytes);
    let start = Instant::now();
    let drip = Fault::Drip(40_000, Duration::from_millis(50));
    let (_, body, _, bytes) = fetch(drip, &["Connection: close"]);
    assert!(body == bytes && start.elapsed() >= Duration::from_millis(150));
}

#[test]
fn a_range_can_be_ignored_or_reported_wrongly() {
    let range = ["Range: bytes=10-19", "Connection: close"];
    let (head, body, _, bytes) = fetch(Fault::IgnoreRange, &range);
    assert_eq!((head.status, body), (200, bytes));
    let wrong = Fault::With("Content-Range", "bytes 0-9/100".into());
    let (head, body, _, bytes) = fetch(wrong, &range);
    assert_eq!((head.status, head.header("content-range")), (206, Some("bytes 0-9/100")));
    assert_eq!(body, bytes[10..20]);
    let (head, ..) = fetch(Fault::Without("content-range"), &range);
    assert_eq!((head.status, head.header("content-range")), (206, None));
}

#[test]
fn a_fault_affects_only_matching_requests() {
    let (library, _) = direct();
    let mut client = Client::new(library.address(Port::Api));
    library.fault(When::get(IMAGE).nth(2).times(2), Fault::retry_after(429, 3));
    library.fault(When::get(FILE).header("range", "bytes=5-"), Fault::status(503));
    library.fault(When::delete("/library"), Fault::error(403, "no"));
    let mut image = || client.get(IMAGE).status;
    assert_eq!([image(), image(), image(), image()], [200, 429, 429, 200]);
    assert_eq!(client.ask("GET", FILE, &["Range: bytes=6-9"], b"").status, 206);
    assert_eq!(client.ask("GET", FILE, &["Range: bytes=5-9"], b"").status, 503);
    let refused = client.ask("DELETE", IMAGE, &[], b"");
    assert_eq!(refused.json()["error"]["message"], "no");
    assert_eq!((library.faults_hit(), library.images().len()), (4, 1));
    library.clear_faults();
    assert_eq!(client.ask("GET", FILE, &["Range: bytes=5-9"], b"").status, 206);
    library.fault(When::new("*", "/"), Fault::redirect(307, "http://elsewhere.test/x"));
    let moved = client.get("/x");
    assert_eq!((moved.status, moved.header("location")), (307, Some("http://elsewhere.test/x")));
    let statuses: Vec<_> = library.requests().iter().map(|seen| seen.status.unwrap()).collect();
    assert_eq!(statuses, [200, 429, 429, 200, 206, 503, 403, 206, 307]);
    library.forget();
    assert!(library.requests().is_empty());
}

#[test]
fn a_document_can_be_huge_wrong_late_or_missing() {
    let (library, _) = with_box();
    let mut client = Client::new(library.address(Port::Api));
    for (length, fault) in [(100_000, Fault::Huge(100_000)), (2, Fault::json(200, "{}"))] {
        library.fault(When::get(IMAGE).times(1), fault);
        let answer = client.get(IMAGE);
        assert_eq!(answer.body.len(), length);
        assert!(answer.json().is_object());
    }
    let gate = Gate::closed();
    library.fault(When::get(IMAGE).times(1), Fault::Held(gate.clone()));
    client.send("GET", IMAGE, &[], b"");
    client.0.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!(client.0.fill_buf().unwrap_err().kind(), ErrorKind::WouldBlock);
    gate.open();
    client.0.get_ref().set_read_timeout(Some(PATIENT)).unwrap();
    assert_eq!(client.head().unwrap().status, 200);
    let mut client = Client::new(library.address(Port::Api));
    library.fault(When::get(IMAGE), Fault::Close);
    client.send("GET", IMAGE, &[], b"");
    assert!(client.head().is_none());
    library.clear_faults();
    library.fault(When::get(IMAGE), Fault::Mute);
    let mut client = Client::new(library.address(Port::Api));
    client.0.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    client.send("GET", IMAGE, &[], b"");
    assert!(client.head().is_none());
}
