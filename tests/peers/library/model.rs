//! What the library holds: entities, collections, containers, images, and the tags of each architecture.

use super::blob::Blob;
use super::upload::{Grant, Upload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// An image that a test puts into the library.
#[derive(Clone, Debug)]
pub struct NewImage {
    /// `entity/collection/container`.
    pub path: String,
    /// Its tags, for this architecture.
    pub tags: Vec<String>,
    /// Go's name of the architecture.
    pub arch: String,
    /// Its bytes.
    pub blob: Blob,
    /// Its description.
    pub description: String,
    /// Whether the library says that it is signed.
    pub signed: bool,
    /// By which keys the library says that it is signed.
    pub fingerprints: Vec<String>,
    /// A hash (`sha256.…`) to tell in place of the right one.
    pub wrong_hash: Option<String>,
    /// A size to tell in place of the right one.
    pub wrong_size: Option<u64>,
}

impl NewImage {
    /// An unsigned image for amd64 under `entity/collection/container:tag,tag`.
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

    /// For another architecture.
    pub fn arch(mut self, arch: &str) -> Self {
        self.arch = arch.into();
        self
    }

    /// Signed by this key.
    pub fn signed(mut self, fingerprint: &str) -> Self {
        self.signed = true;
        self.fingerprints.push(fingerprint.into());
        self
    }

    /// Described so.
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

/// A container.
#[derive(Clone)]
pub struct Container {
    pub node: Node,
    /// Tag → image, for clients that know no architectures.
    pub tags: BTreeMap<String, String>,
    /// Architecture → tag → image.
    pub arch_tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// The id of its container.
    pub container: String,
    /// `sha256.<hexadecimal>`.
    pub hash: String,
    /// What the library says of its size.
    pub size: u64,
    /// Its description.
    pub description: String,
    /// Go's name of the architecture, where it is known.
    pub arch: Option<String>,
    /// Whether the library says that it is signed.
    pub signed: bool,
    /// By which keys.
    pub fingerprints: Vec<String>,
    /// Whether its bytes have come.
    pub uploaded: bool,
    /// Its bytes, unless they were thrown away.
    pub blob: Option<Blob>,
}

/// All of it.
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
    /// A new id, of the form that MongoDB gives.
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

    /// Makes an entity, collection or container.
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

    /// The container of this path, made with its parents where it lacks.
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

    /// Puts an image with its bytes and tags in; gives its id.
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

    /// Sets a tag, for this architecture and for clients that know none.
    pub fn tag(&mut self, container: &str, arch: &str, tag: &str, image: &str) {
        let container = self.containers.get_mut(container).unwrap();
        container.tags.insert(tag.into(), image.into());
        container.arch_tags.entry(arch.into()).or_default().insert(tag.into(), image.into());
    }

    /// The image that `path:tag` or `path:sha256.<hexadecimal>` means; `arch` none: whatever the tag means to
    /// clients that know no architectures.
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

    /// Removes an image and every tag that means it.
    pub fn remove(&mut self, image: &str) {
        self.images.remove(image);
        for container in self.containers.values_mut() {
            container.tags.retain(|_, id| id != image);
            for tags in container.arch_tags.values_mut() {
                tags.retain(|_, id| id != image);
            }
        }
    }

    /// How many bytes the library holds.
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

    /// An image as the library tells it.
    pub fn image_json(&self, image: &Image) -> Value {
        let [entity, collection, container] = self.names(&image.container);
        let holder = &self.containers[&image.container];
        let tags = image.arch.as_ref().and_then(|arch| holder.arch_tags.get(arch)).unwrap_or(&holder.tags);
        // In an order of no meaning, as they may come.
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

    /// An entity, collection or container as the library tells it.
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

/// Where an upload's bytes lie.
pub fn upload_path(dir: &Path, id: &str) -> std::path::PathBuf {
    dir.join(format!("upload-{id}"))
}
