//! The writing half of the Library API except uploads: creating, tagging and deleting.

use super::super::wire::Request;
use super::api::{find, not_found};
use super::http::Response;
use super::model::{Image, Kind, Node};
use super::server::Server;
use serde_json::{Value, json};

/// Responds to a request that changes something.
pub fn answer(server: &Server, request: &Request, parts: &[&str], document: &Value) -> Response {
    match (request.method.as_str(), parts) {
        ("POST", ["v1", "entities"]) => create(server, Kind::Entity, "", document),
        ("POST", ["v1", "collections"]) => create(server, Kind::Collection, "entity", document),
        ("POST", ["v1", "containers"]) => create(server, Kind::Container, "collection", document),
        ("POST", ["v1", "images"]) => create_image(server, document),
        ("POST", ["v1" | "v2", "tags", container]) => tag(server, parts[0] == "v2", container, document),
        ("DELETE", ["v1", "images", rest @ ..]) => match find(server, request, rest) {
            Some(image) => {
                server.model.lock().unwrap().remove(&image.id);
                Response::data(Value::Null)
            }
            None => not_found(),
        },
        _ => not_found(),
    }
}

/// Whether the library accepts the name.
fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.split(['.', '_', '-']).all(|part| !part.is_empty() && part.chars().all(good))
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_default()
}

fn create(server: &Server, kind: Kind, parent_key: &str, document: &Value) -> Response {
    let (name, parent) = (text(document, "name"), text(document, parent_key));
    let mut model = server.model.lock().unwrap();
    let path = match kind {
        Kind::Entity => Some(name.to_string()),
        Kind::Collection => model.entities.get(parent).map(|entity| format!("{}/{name}", entity.name)),
        Kind::Container => model.collections.get(parent).map(|collection| {
            format!("{}/{}/{name}", model.entities[&collection.parent].name, collection.name)
        }),
    };
    let Some(path) = path else { return Response::error(400, &format!("no such {parent_key}")) };
    if !is_name(name) {
        return Response::error(400, "bad name");
    }
    if model.find(kind, &path).is_some() {
        return Response::error(409, "it exists already");
    }
    let description = text(document, "description").into();
    let id = model.create(kind, Node { parent: parent.into(), name: name.into(), description });
    Response { status: 201, ..Response::data(model.node_json(kind, &id)) }
}

fn create_image(server: &Server, document: &Value) -> Response {
    let (hash, container) = (text(document, "hash"), text(document, "container"));
    let digits = hash.strip_prefix("sha256.").unwrap_or_default();
    if digits.len() != 64 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Response::error(400, "bad hash");
    }
    let mut model = server.model.lock().unwrap();
    if !model.containers.contains_key(container) {
        return Response::error(400, "no such container");
    }
    if model.images.values().any(|image| image.container == container && image.hash == hash) {
        return Response::error(409, "it exists already");
    }
    // If another container has an image with this hash, the library already has the bytes.
    let twin = model.images.values().find(|image| image.uploaded && image.hash == hash).cloned();
    let id = model.id();
    let empty = Image {
        id: id.clone(),
        container: container.into(),
        hash: hash.into(),
        size: 0,
        description: String::new(),
        arch: None,
        signed: false,
        fingerprints: Vec::new(),
        uploaded: false,
        blob: None,
    };
    let description = text(document, "description").into();
    let image = Image { id: id.clone(), container: container.into(), description, ..twin.unwrap_or(empty) };
    let told = model.image_json(&image);
    model.images.insert(id, image);
    Response { status: 201, ..Response::data(told) }
}

/// All tags of a container.
pub fn tags(server: &Server, by_architecture: bool, container: &str) -> Response {
    let model = server.model.lock().unwrap();
    match model.containers.get(container) {
        Some(container) if by_architecture => Response::data(json!(container.arch_tags)),
        Some(container) => Response::data(json!(container.tags)),
        None => not_found(),
    }
}

fn tag(server: &Server, by_architecture: bool, container: &str, document: &Value) -> Response {
    let (tag, image) = (text(document, "Tag"), text(document, "ImageID"));
    let mut model = server.model.lock().unwrap();
    if !model.containers.contains_key(container) {
        return not_found();
    }
    let Some(found) = model.images.get(image).filter(|image| image.container == container) else {
        return Response::error(400, "no such image in this container");
    };
    let arch = match by_architecture {
        true => text(document, "Arch").to_string(),
        false => found.arch.clone().unwrap_or_else(|| "amd64".into()),
    };
    if tag.is_empty() || arch.is_empty() {
        return Response::error(400, "a tag and an architecture are needed");
    }
    if by_architecture && found.arch.is_none() {
        model.images.get_mut(image).unwrap().arch = Some(arch.clone());
    }
    model.tag(container, &arch, tag, image);
    drop(model);
    tags(server, by_architecture, container)
}
