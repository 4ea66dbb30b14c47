//! The second port, with a separate origin: the target of presigned addresses, with ranges and without tokens.

use super::super::wire::Request;
use super::blob::Blob;
use super::http::{Body, Incoming, Response};
use super::server::Server;
use super::upload::{self, Grant};
use std::io;

/// Responds to a request.
pub fn answer(server: &Server, request: &Request, body: &mut Incoming) -> io::Result<Response> {
    if request.header("authorization").is_some() {
        return Ok(error(400, "InvalidArgument", "Only one auth mechanism allowed"));
    }
    let grant = server.model.lock().unwrap().grants.get(&request.path).cloned();
    Ok(match (request.method.as_str(), grant) {
        ("GET" | "HEAD", Some(Grant::Download(blob))) => ranged(request, &blob),
        ("PUT", Some(Grant::Put { upload, part, hash_signed })) => {
            return upload::put(server, request, body, &upload, part, hash_signed);
        }
        _ => {
            server.violation(format!("not presigned: {} {}", request.method, request.path));
            error(403, "SignatureDoesNotMatch", "The request signature does not match")
        }
    })
}

/// An error in the XML format of object stores.
pub fn error(status: u16, code: &str, message: &str) -> Response {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Response::new(status, "application/xml", Body::Bytes(text.into()))
}

/// A blob, or the part of it that `Range` requests.
pub fn ranged(request: &Request, blob: &Blob) -> Response {
    let size = blob.size();
    let etag = format!("\"{size:x}-of-a-blob\"");
    let kind = "application/octet-stream";
    let dressed = |response: Response| response.with("Accept-Ranges", "bytes").with("ETag", etag.as_str());
    let whole = || dressed(Response::new(200, kind, Body::Blob(blob.clone(), 0, size)));
    if request.header("if-match").is_some_and(|tag| tag != etag) {
        return error(412, "PreconditionFailed", "It is another one now");
    }
    let wanted = request.header("range").filter(|_| request.header("if-range").is_none_or(|tag| tag == etag));
    match wanted.and_then(|range| parse(range, size)) {
        None => whole(),
        Some(None) => error(416, "InvalidRange", "There is no such range")
            .with("Content-Range", format!("bytes */{size}")),
        Some(Some((first, last))) => {
            let body = Body::Blob(blob.clone(), first, last - first + 1);
            let range = format!("bytes {first}-{last}/{size}");
            dressed(Response::new(206, kind, body)).with("Content-Range", range)
        }
    }
}

/// The first and the last byte of a range. `Some(None)`: outside of the blob. `None`: not a range that a server
/// must support.
fn parse(range: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first, last) {
        ("", last) => (size.saturating_sub(last.parse().ok()?), size.checked_sub(1)),
        (first, "") => (first.parse().ok()?, size.checked_sub(1)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse::<u64>().ok()?);
            if last < first {
                return None;
            }
            (first, size.checked_sub(1).map(|end| last.min(end)))
        }
    };
    Some(last.filter(|last| first <= *last).map(|last| (first, last)))
}
