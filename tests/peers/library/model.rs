//! The content of the library: entities, collections, containers, images, and the tags of each architecture.

use super::blob::Blob;
use super::upload::{Grant, Upload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// An image that a test adds to the library.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// `entity/collection/container`.
    pub path: String,
    /// The tags for this architecture.
    pub tags: Vec<String>,
    /// Go's name of the architecture.
    pub arch: String,
    pub blob: Blob,
    pub description: String,
    /// Whether the library reports the image as signed.
    pub signed: bool,
    /// The fingerprints that the library reports.
    pub fingerprints: Vec<String>,
    /// A hash (`sha256.…`) to report instead of the correct one.
    pub wrong_hash: Option<String>,
    /// A size to report instead of the correct one.
    pub wrong_size: Option<u64>,
}

impl NewImage {
    /// An unsigned image for amd64 with the reference `entity/collection/container:tag,tag`.
    pub fn new(reference: &str, blob: impl Into<Blob>) -> Self {
        let (path, tags) = reference.split_once(':').unwrap_or((reference, ""));
        Self {
            path: path.into(),
            tags: tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_string).collect(),
            arch: "amd64".into(),
            blob: blob.into(),
            description: "No description".into(),
            signed: false,
            fingerprints: Vec::new(),
            wrong_hash: None,
            wrong_size: None,
        }
    }

    /// Sets the architecture.
    pub fn arch(mut self, arch: &str) -> Self {
        self.arch = arch.into();
        self
    }

    /// Adds a signature by this key.
    pub fn signed(mut self, fingerprint: &str) -> Self {
        self.signed = true;
        self.fingerprints.push(fingerprint.into());
        self
    }

    /// Sets the description.
    pub fn description(mut self, text: &str) -> Self {
        self.description = text.into();
        self
    }
}

/// An entity or a collection: a name below a parent.
#[derive(Clone)]
pub struct Node {
    pub parent: String,
    pub name: String,
    pub description: String,
}

#[derive(Clone)]
pub struct Container {
    pub node: Node,
    /// Tag → image, for clients that do not support architectures.
    pub tags: BTreeMap<String, String>,
    /// Architecture → tag → image.
    pub arch_tags: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    /// The id of its container.
    pub container: String,
    /// `sha256.<hexadecimal>`.
    pub hash: String,
    /// The size that the library reports.
    pub size: u64,
    pub description: String,
    /// Go's name of the architecture, if known.
    pub arch: Option<String>,
    /// Whether the library reports the image as signed.
    pub signed: bool,
    /// The fingerprints of the signing keys.
    pub fingerprints: Vec<String>,
    /// Whether the bytes were uploaded.
    pub uploaded: bool,
    /// The bytes, unless they were discarded.
    pub blob: Option<Blob>,
}

/// The whole content of the library.
#[derive(Default)]
pub struct Model {
    pub entities: BTreeMap<String, Node>,
    pub collections: BTreeMap<String, Node>,
    pub containers: BTreeMap<String, Container>,
    pub images: BTreeMap<String, Image>,
    pub uploads: BTreeMap<String, Upload>,
    pub grants: BTreeMap<String, Grant>,
    next: u64,
}

impl Model {
    /// A new id in MongoDB's format.
    pub fn id(&mut self) -> String {
        self.next += 1;
        format!("5c{:022x}", self.next)
    }

    /// The entity, collection or container with this id or path.
    pub fn find(&self, kind: Kind, reference: &str) -> Option<String> {
        let named = |nodes: &BTreeMap<String, Node>, parent: &str, name: &str| {
            nodes
                .iter()
                .find(|(_, node)| node.parent == parent && node.name == name)
                .map(|(id, _)| id.clone())
        };
        let (parents, name) = reference.rsplit_once('/').unwrap_or(("", reference));
        match kind {
            Kind::Entity if self.entities.contains_key(reference) => Some(reference.into()),
            Kind::Entity => named(&self.entities, "", reference),
            Kind::Collection if self.collections.contains_key(reference) => Some(reference.into()),
            Kind::Collection => {
                named(&self.collections, &self.find(Kind::Entity, or(parents, "library"))?, name)
            }
            Kind::Container if self.containers.contains_key(reference) => Some(reference.into()),
            Kind::Container => {
                let parent = match parents {
                    "" => self.find(Kind::Collection, "library/default"),
                    _ => self.find(Kind::Collection, parents),
                }?;
                let found =
                    self.containers.iter().find(|(_, c)| c.node.parent == parent && c.node.name == name);
                found.map(|(id, _)| id.clone())
            }
        }
    }

    /// Creates an entity, collection or container.
    pub fn create(&mut self, kind: Kind, node: Node) -> String {
        let id = self.id();
        match kind {
            Kind::Entity => drop(self.entities.insert(id.clone(), node)),
            Kind::Collection => drop(self.collections.insert(id.clone(), node)),
            Kind::Container => {
                let container = Container { node, tags: BTreeMap::new(), arch_tags: BTreeMap::new() };
                self.containers.insert(id.clone(), container);
            }
        }
        id
    }

    /// The container with this path. Creates it and its parents if they do not exist.
    fn container(&mut self, path: &str) -> String {
        let mut parent = String::new();
        let (mut end, kinds) = (0, [Kind::Entity, Kind::Collection, Kind::Container]);
        for (name, kind) in path.splitn(3, '/').zip(kinds) {
            end += name.len() + usize::from(end > 0);
            let node = Node { parent, name: name.into(), description: "No description".into() };
            parent = self.find(kind, &path[..end]).unwrap_or_else(|| self.create(kind, node));
        }
        parent
    }

    /// Adds an image with its bytes and tags. Returns its id.
    pub fn add(&mut self, new: NewImage) -> String {
        let (container, id) = (self.container(&new.path), self.id());
        let image = Image {
            id: id.clone(),
            container: container.clone(),
            hash: new.wrong_hash.unwrap_or_else(|| format!("sha256.{}", new.blob.sha256())),
            size: new.wrong_size.unwrap_or_else(|| new.blob.size()),
            description: new.description,
            arch: Some(new.arch.clone()),
            signed: new.signed,
            fingerprints: new.fingerprints,
            uploaded: true,
            blob: Some(new.blob),
        };
        self.images.insert(id.clone(), image);
        for tag in new.tags {
            self.tag(&container, &new.arch, &tag, &id);
        }
        id
    }

    /// Sets a tag, for this architecture and for clients that do not support architectures.
    pub fn tag(&mut self, container: &str, arch: &str, tag: &str, image: &str) {
        let container = self.containers.get_mut(container).unwrap();
        container.tags.insert(tag.into(), image.into());
        container.arch_tags.entry(arch.into()).or_default().insert(tag.into(), image.into());
    }

    /// The image for `path:tag` or `path:sha256.<hexadecimal>`. Without `arch`, the tag is the one for clients
    /// that do not support architectures.
    pub fn image(&self, reference: &str, arch: Option<&str>) -> Option<&Image> {
        let (path, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        if let Some(image) = self.images.get(reference) {
            return Some(image);
        }
        let id = self.find(Kind::Container, path)?;
        if tag.starts_with("sha256.") {
            return self.images.values().find(|image| image.container == id && image.hash == tag);
        }
        let container = &self.containers[&id];
        let image = match arch {
            Some(arch) => container.arch_tags.get(arch)?.get(tag)?,
            None => container.tags.get(tag)?,
        };
        self.images.get(image)
    }

    /// Removes an image and all its tags.
    pub fn remove(&mut self, image: &str) {
        self.images.remove(image);
        for container in self.containers.values_mut() {
            container.tags.retain(|_, id| id != image);
            for tags in container.arch_tags.values_mut() {
                tags.retain(|_, id| id != image);
            }
        }
    }

    /// The number of bytes in the library.
    pub fn usage(&self) -> u64 {
        let blobs = self.images.values().filter(|image| image.uploaded);
        blobs.map(|image| (&image.hash, image.size)).collect::<BTreeMap<_, _>>().into_values().sum()
    }

    /// The names of an image's container: entity, collection, container.
    pub fn names(&self, container: &str) -> [String; 3] {
        let container = &self.containers[container].node;
        let collection = &self.collections[&container.parent];
        [self.entities[&collection.parent].name.clone(), collection.name.clone(), container.name.clone()]
    }

    /// The JSON document of an image.
    pub fn image_json(&self, image: &Image) -> Value {
        let [entity, collection, container] = self.names(&image.container);
        let holder = &self.containers[&image.container];
        let tags = image.arch.as_ref().and_then(|arch| holder.arch_tags.get(arch)).unwrap_or(&holder.tags);
        // In a different order, because the order of tags has no meaning.
        let tags: Vec<_> = tags.iter().filter(|(_, id)| **id == image.id).map(|(tag, _)| tag).rev().collect();
        let collection_id = &holder.node.parent;
        let mut document = json!({
            "deleted": false,
            "createdBy": "5c0000000000000000000000",
            "createdAt": "2024-02-29T12:00:00.123Z",
            "owner": "5c0000000000000000000000",
            "id": image.id,
            "hash": image.hash,
            "description": image.description,
            "container": image.container,
            "size": image.size,
            "uploaded": image.uploaded,
            "customData": "",
            "entity": self.collections[collection_id].parent,
            "entityName": entity,
            "collection": collection_id,
            "collectionName": collection,
            "containerName": container,
            "tags": tags,
            "containerStars": 0,
            "containerDownloads": 7,
        });
        if image.uploaded {
            document["arch"] = json!(image.arch);
            document["signed"] = json!(image.signed);
            document["encrypted"] = json!(false);
            document["fingerprints"] = json!(image.fingerprints);
        }
        document
    }

    /// The JSON document of an entity, collection or container.
    pub fn node_json(&self, kind: Kind, id: &str) -> Value {
        let node = match kind {
            Kind::Entity => &self.entities[id],
            Kind::Collection => &self.collections[id],
            Kind::Container => &self.containers[id].node,
        };
        let mut document = json!({
            "deleted": false,
            "createdBy": "5c0000000000000000000000",
            "createdAt": "2024-02-29T12:00:00.123Z",
            "id": id,
            "name": node.name,
            "description": node.description,
            "size": 0,
            "customData": "",
        });
        match kind {
            Kind::Entity => document["quota"] = json!(0),
            Kind::Collection => {
                document["entity"] = json!(node.parent);
                document["entityName"] = json!(self.entities[&node.parent].name);
            }
            Kind::Container => {
                let [entity, collection, _] = self.names(id);
                document["collection"] = json!(node.parent);
                document["entityName"] = json!(entity);
                document["collectionName"] = json!(collection);
                document["imageTags"] = json!(self.containers[id].tags);
                document["archTags"] = json!(self.containers[id].arch_tags);
            }
        }
        document
    }
}

/// The three levels above an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Entity,
    Collection,
    Container,
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}

/// The file with the bytes of an upload.
pub fn upload_path(dir: &Path, id: &str) -> std::path::PathBuf {
    dir.join(format!("upload-{id}"))
}
