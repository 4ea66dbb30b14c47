//! The first port: discovery, tokens, identity, and the reading half of the Library API.

use super::super::wire::Request;
use super::data::ranged;
use super::http::{Incoming, Response};
use super::model::{Image, Kind};
use super::server::Server;
use super::upload::Grant;
use super::{BASE, Download, change, upload};
use serde_json::{Value, json};
use std::io;

/// The value of a query parameter.
pub fn query(request: &Request, name: &str) -> Option<String> {
    let query = request.path.split_once('?')?.1;
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into())
}

/// The path without query, decoded.
fn path(request: &Request) -> String {
    let raw = request.path.split('?').next().unwrap_or_default().as_bytes();
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < raw.len() {
        let code = raw.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if raw[at] == b'%' => {
                bytes.push(byte);
                at += 2;
            }
            _ => bytes.push(raw[at]),
        }
        at += 1;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The token of a request: valid, missing, or invalid.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Valid,
    None,
    Invalid,
}

fn token(server: &Server, request: &Request) -> Token {
    let Some(value) = request.header("authorization") else { return Token::None };
    let tokens = &server.settings.lock().unwrap().tokens;
    match value.strip_prefix("Bearer ").is_some_and(|token| tokens.contains(token)) {
        true => Token::Valid,
        false => Token::Invalid,
    }
}

/// The library's "Not authorized".
pub fn unauthorized() -> Response {
    Response::error(401, "Not authorized")
}

/// The library's "Not found".
pub fn not_found() -> Response {
    Response::error(404, "Not found")
}

/// Responds to a request; `keep` gets a small body, so that tests can see it.
pub fn answer(
    server: &Server,
    request: &Request,
    body: &mut Incoming,
    keep: &mut dyn FnMut(&[u8]),
) -> io::Result<Response> {
    let (path, token) = (path(request), token(server, request));
    let fixed = match path.as_str() {
        super::DISCOVERY => Some(Response::json(200, &discovery(server))),
        "/token/v1/token-status" if token == Token::Valid => Some(Response::json(200, &json!({}))),
        "/token/v1/token-status" => Some(unauthorized()),
        "/token/version" => Some(Response::data(json!({"version": "v1.2.3-token"}))),
        "/keys/version" => Some(Response::data(json!({"version": "v1.2.3-keys"}))),
        _ => None,
    };
    if let Some(response) = fixed {
        return Ok(response);
    }
    let Some(rest) = path.strip_prefix(BASE).and_then(|rest| rest.strip_prefix('/')) else {
        return Ok(not_found());
    };
    let reading = matches!(request.method.as_str(), "GET" | "HEAD");
    let public = server.settings.lock().unwrap().public || rest == "version";
    if token == Token::Invalid || (token == Token::None && !(reading && public)) {
        return Ok(unauthorized());
    }
    let parts: Vec<_> = rest.split('/').collect();
    match (reading, parts.as_slice()) {
        (true, _) => Ok(read(server, request, &parts, token == Token::Valid)),
        (false, ["v1", "imagefile", id]) if request.method == "POST" => upload::v1(server, id, body),
        // One real library responds like this to requests for tags.
        (false, _) if request.header("content-type").is_some() => {
            Ok(Response::error(415, "Unsupported media type in request."))
        }
        (false, _) => {
            let text = body.small()?;
            keep(&text);
            let document = serde_json::from_slice(&text).unwrap_or(Value::Null);
            Ok(match parts.as_slice() {
                ["v2", "imagefile", rest @ ..] => upload::v2(server, &request.method, rest, &document),
                _ => change::answer(server, request, &parts, &document),
            })
        }
    }
}

fn read(server: &Server, request: &Request, parts: &[&str], known: bool) -> Response {
    let node = |kind, rest: &[&str]| {
        let model = server.model.lock().unwrap();
        let id = model.find(kind, &rest.join("/"));
        id.map_or_else(not_found, |id| Response::data(model.node_json(kind, &id)))
    };
    match parts {
        ["version"] => version(server),
        ["v1", "rbac", "users", "current"] if known => {
            Response::json(200, &server.settings.lock().unwrap().user)
        }
        ["v1", "rbac", "users", "current"] => unauthorized(),
        ["v1", "search"] => search(server, request),
        ["v1", "images", rest @ ..] => with_image(server, request, rest, |image| {
            Response::data(server.model.lock().unwrap().image_json(&image))
        }),
        ["v1", "imagefile", rest @ ..] => {
            with_image(server, request, rest, |image| imagefile(server, request, &image))
        }
        ["v1", "blobs", hash] => {
            let model = server.model.lock().unwrap();
            let image = model.images.values().find(|image| image.hash == *hash).cloned();
            drop(model);
            image.and_then(|image| image.blob).map_or_else(not_found, |blob| ranged(request, &blob))
        }
        ["v1", "entities", rest @ ..] => node(Kind::Entity, rest),
        ["v1", "collections", rest @ ..] => node(Kind::Collection, rest),
        ["v1", "containers", rest @ ..] => node(Kind::Container, rest),
        ["v1" | "v2", "tags", id] => change::tags(server, parts[0] == "v2", id),
        _ => not_found(),
    }
}

/// Finds the image for a path and `arch`, according to the tags of this API version.
pub fn find(server: &Server, request: &Request, rest: &[&str]) -> Option<Image> {
    let arch = query(request, "arch").filter(|arch| !arch.is_empty() && knows_architectures(server));
    server.model.lock().unwrap().image(&rest.join("/"), arch.as_deref()).cloned()
}

fn with_image(
    server: &Server,
    request: &Request,
    rest: &[&str],
    answer: impl FnOnce(Image) -> Response,
) -> Response {
    find(server, request, rest).map_or_else(not_found, answer)
}

/// Whether the reported API version has tags for each architecture.
pub fn knows_architectures(server: &Server) -> bool {
    let version = server.settings.lock().unwrap().api_version.clone();
    version.is_some_and(|version| version != "2.0.0-alpha.1" && version.starts_with('2'))
}

fn imagefile(server: &Server, request: &Request, image: &Image) -> Response {
    let Some(blob) = image.blob.clone() else { return not_found() };
    let see_other = |to: String| Response { status: 303, ..Response::text(303, "") }.with("Location", to);
    let download = server.settings.lock().unwrap().download;
    match download {
        Download::Direct => ranged(request, &blob),
        Download::Redirect => {
            let path = format!("/data/blob/{}", image.hash);
            see_other(server.data.clone() + &upload::presign(server, &path, "host", Grant::Download(blob)))
        }
        Download::SameOrigin => see_other(format!("{}{BASE}/v1/blobs/{}", server.api, image.hash)),
    }
}

fn version(server: &Server) -> Response {
    let mut document = json!({"version": "v1.2.3-library"});
    if let Some(version) = &server.settings.lock().unwrap().api_version {
        document["apiVersion"] = json!(version);
    }
    Response::data(document)
}

fn discovery(server: &Server) -> Value {
    json!({
        "libraryAPI": {"uri": format!("{}{BASE}", server.api)},
        "tokenAPI": {"uri": format!("{}/token", server.api)},
        // Without a keyserver, a real program refuses to pull.
        "keystoreAPI": {"uri": format!("{}/keys", server.api)},
        "env": {"name": "test"},
    })
}

fn search(server: &Server, request: &Request) -> Response {
    let value = query(request, "value").unwrap_or_default().to_lowercase();
    if value.len() < 3 {
        return Response::error(400, "You must search for at least 3 characters");
    }
    let (arch, signed) = (query(request, "arch"), query(request, "signed"));
    let limited = arch.is_some() || signed.is_some();
    let model = server.model.lock().unwrap();
    let nodes = |kind, ids: Vec<&String>| -> Vec<Value> {
        let documents = ids.into_iter().map(|id| model.node_json(kind, id));
        documents.filter(|node| !limited && contains(&node["name"], &value)).collect()
    };
    let wanted = |image: &&Image| {
        let names = model.names(&image.container);
        image.uploaded
            && (names.iter().any(|name| name.contains(&value))
                || image.description.to_lowercase().contains(&value))
            && arch
                .as_deref()
                .is_none_or(|arch| arch.split(',').any(|arch| image.arch.as_deref() == Some(arch)))
            && signed.as_deref().is_none_or(|signed| (signed == "true") == image.signed)
    };
    // Newest first.
    let images: Vec<_> =
        model.images.values().filter(wanted).map(|image| model.image_json(image)).rev().collect();
    Response::data(json!({
        "entity": nodes(Kind::Entity, model.entities.keys().collect()),
        "collection": nodes(Kind::Collection, model.collections.keys().collect()),
        "container": nodes(Kind::Container, model.containers.keys().collect()),
        "image": images,
    }))
}

fn contains(name: &Value, value: &str) -> bool {
    name.as_str().is_some_and(|name| name.to_lowercase().contains(value))
}
