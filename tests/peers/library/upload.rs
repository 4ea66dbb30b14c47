//! Uploads: in one request, through a presigned address, and in parts.

use super::super::sif;
use super::super::wire::{Request, pause};
use super::api::not_found;
use super::blob::Blob;
use super::data::error;
use super::http::{Incoming, Response};
use super::model::{Image, upload_path};
use super::server::Server;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The maximum number of parts of object stores.
const MOST_PARTS: u64 = 10_000;

/// The operation that a presigned address allows.
#[derive(Clone, Debug)]
pub enum Grant {
    /// Reading a blob.
    Download(Blob),
    /// Sending a part of an upload (a single part has number 1).
    Put { upload: String, part: usize, hash_signed: bool },
}

/// The state of an upload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Parts are accepted.
    Open,
    /// The upload became an image.
    Complete,
    /// The client aborted the upload.
    Aborted,
}

#[derive(Clone, Debug, Default)]
pub struct Part {
    start: u64,
    size: u64,
    sha256: Option<String>,
    etag: Option<String>,
}

/// An upload through presigned addresses.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The id of the image.
    pub image: String,
    /// Whether the upload is in parts.
    pub multipart: bool,
    pub progress: Progress,
    size: u64,
    parts: Vec<Part>,
    /// The number of parts that arrived and are held back (see [`super::Settings::late_parts`]).
    late: usize,
    /// The number of parts that were kept in spite of an abort.
    kept: usize,
}

impl Upload {
    /// The number of parts that arrived and are not yet kept.
    pub fn late(&self) -> usize {
        self.late
    }

    /// The number of parts that were kept although the upload was aborted.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// The number of parts that arrived.
    pub fn received(&self) -> usize {
        self.parts.iter().filter(|part| part.etag.is_some()).count()
    }
}

/// Creates an address that allows `grant`: a path with the query of an object store.
pub fn presign(server: &Server, path: &str, signed_headers: &str, grant: Grant) -> String {
    let mut model = server.model.lock().unwrap();
    let id = model.id();
    let signed_headers = signed_headers.replace(';', "%3B");
    let path = format!(
        "{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=minio%2F20240229%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20240229T120000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders={signed_headers}&X-Amz-Signature={id}"
    );
    model.grants.insert(path.clone(), grant);
    path
}

fn bad(message: &str) -> Response {
    Response::error(400, message)
}

fn pending(server: &Server, id: &str) -> Result<Image, Response> {
    let image = server.model.lock().unwrap().images.get(id).cloned().ok_or_else(not_found)?;
    if image.uploaded { Err(bad("the image is there already")) } else { Ok(image) }
}

fn within_quota(server: &Server, size: u64) -> Result<(), Response> {
    let usage = server.model.lock().unwrap().usage();
    let settings = server.settings.lock().unwrap();
    match settings.quota {
        Some(quota) if usage.saturating_add(size) > quota => {
            Err(Response::error(settings.over_quota_status, "Storage quota exceeded"))
        }
        _ => Ok(()),
    }
}

/// `POST v1/imagefile/<id>`: the bytes themselves.
pub fn v1(server: &Server, id: &str, body: &mut Incoming) -> io::Result<Response> {
    let Some(length) = body.length() else { return Ok(Response::error(411, "Content-Length is needed")) };
    if let Err(response) = pending(server, id).and_then(|_| within_quota(server, length)) {
        return Ok(response);
    }
    let number = server.model.lock().unwrap().id();
    receive(server, &number, 0, body)?;
    Ok(match settle(server, id, length, &number) {
        Ok(()) => Response::data(Value::Null),
        Err(response) => response,
    })
}

/// Writes a body into the file of this upload, from offset `start`.
fn receive(server: &Server, upload: &str, start: u64, body: &mut Incoming) -> io::Result<()> {
    if server.settings.lock().unwrap().trusting {
        return body.finish();
    }
    let path = upload_path(server.dir.path(), upload);
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    let mut at = start;
    body.pour(&mut |piece| {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
        Ok(())
    })
}

/// Makes the upload an image if its bytes are as announced.
fn settle(server: &Server, id: &str, size: u64, upload: &str) -> Result<(), Response> {
    let mut done = pending(server, id)?;
    if !server.settings.lock().unwrap().trusting {
        let blob = Blob::File(upload_path(server.dir.path(), upload));
        if blob.size() != size {
            return Err(bad("the image has another size"));
        }
        if format!("sha256.{}", blob.sha256()) != done.hash {
            return Err(bad("the image has another hash"));
        }
        let mut head = vec![0; 64 * 1024];
        let count = blob.read_at(&mut head, 0).unwrap();
        if let Some(told) = sif::look(&head[..count]) {
            (done.arch, done.signed) = (told.arch.map(str::to_string), told.signed);
            done.fingerprints = told.fingerprints;
        }
        done.blob = Some(blob);
    }
    (done.size, done.uploaded) = (size, true);
    server.model.lock().unwrap().images.insert(id.into(), done);
    Ok(())
}

/// `v2/imagefile/<id>[/step]`.
pub fn v2(server: &Server, method: &str, rest: &[&str], document: &Value) -> Response {
    let settings = server.settings.lock().unwrap().clone();
    if !settings.api_version.as_deref().is_some_and(|version| version.starts_with('2')) {
        return not_found();
    }
    let answer = match (method, rest, settings.part_size) {
        ("POST", [id], _) => begin(server, id, document, None),
        ("PUT", [id, "_complete"], _) => complete(server, id, document, false),
        ("POST", [id, "_multipart"], Some(size)) => begin(server, id, document, Some(size)),
        ("PUT", [id, "_multipart"], Some(_)) => part(server, id, document),
        ("PUT", [id, "_multipart_complete"], Some(_)) => complete(server, id, document, true),
        ("PUT", [id, "_multipart_abort"], Some(_)) => abort(server, id, document),
        _ => Err(not_found()),
    };
    answer.unwrap_or_else(|response| response)
}

fn begin(server: &Server, id: &str, document: &Value, part_size: Option<u64>) -> Result<Response, Response> {
    let image = pending(server, id)?;
    let size = document["filesize"].as_u64().filter(|size| *size > 0).ok_or_else(|| bad("no filesize"))?;
    let sha256 = document["sha256sum"].as_str();
    if sha256.is_some_and(|sum| format!("sha256.{sum}") != image.hash) {
        return Err(bad("sha256sum is not the image's"));
    }
    if document.get("md5sum").is_some_and(|sum| sum.as_str().is_none_or(|sum| sum.len() != 32)) {
        return Err(bad("md5sum is none"));
    }
    within_quota(server, size)?;
    let step = part_size.unwrap_or(size);
    if size.div_ceil(step) > MOST_PARTS {
        return Err(bad("too many parts"));
    }
    let parts: Vec<_> = (0..size.div_ceil(step))
        .map(|index| Part { start: index * step, size: step.min(size - index * step), ..Part::default() })
        .collect();
    let count = parts.len();
    let (multipart, progress) = (part_size.is_some(), Progress::Open);
    let upload = Upload { image: id.into(), multipart, progress, size, parts, late: 0, kept: 0 };
    let mut model = server.model.lock().unwrap();
    let number = model.id();
    model.uploads.insert(number.clone(), upload);
    drop(model);
    let settings = server.settings.lock().unwrap().clone();
    if multipart {
        let mut told = json!({"uploadID": number, "totalParts": count, "partSize": step});
        if let Some(value) = &settings.s3compliant {
            told["options"] = json!({"s3compliant": value});
        }
        return Ok(Response::data(told));
    }
    server.model.lock().unwrap().uploads.get_mut(&number).unwrap().parts[0].sha256 =
        sha256.map(str::to_string);
    Ok(Response::data(json!({"uploadURL": put_address(server, &number, 1, settings.sign_hash)})))
}

fn put_address(server: &Server, upload: &str, part: usize, hash_signed: bool) -> String {
    let headers = if hash_signed { "content-length;host;x-amz-content-sha256" } else { "host" };
    let grant = Grant::Put { upload: upload.into(), part, hash_signed };
    server.data.clone() + &presign(server, &format!("/data/upload/{upload}/{part}"), headers, grant)
}

/// The open multipart upload given in a body.
fn open_upload(server: &Server, id: &str, document: &Value) -> Result<(String, Upload), Response> {
    let number = document["uploadID"].as_str().unwrap_or_default();
    let upload = server.model.lock().unwrap().uploads.get(number).cloned();
    match upload {
        Some(upload) if upload.image == id && upload.multipart && upload.progress == Progress::Open => {
            Ok((number.into(), upload))
        }
        _ => Err(bad("no such upload")),
    }
}

fn part(server: &Server, id: &str, document: &Value) -> Result<Response, Response> {
    let (number, upload) = open_upload(server, id, document)?;
    let index = document["partNumber"].as_u64().and_then(|part| part.checked_sub(1)).unwrap_or(u64::MAX);
    let index = usize::try_from(index).unwrap();
    let part = upload.parts.get(index).ok_or_else(|| bad("no such part"))?;
    if document["partSize"].as_u64() != Some(part.size) {
        return Err(bad("the part has another size"));
    }
    let compliant = server.settings.lock().unwrap().is_s3_compliant();
    let sum = document["sha256sum"].as_str().filter(|sum| !sum.is_empty());
    if compliant && sum.is_none_or(|sum| sum.len() != 64) {
        return Err(bad("no sha256sum"));
    }
    let mut model = server.model.lock().unwrap();
    model.uploads.get_mut(&number).unwrap().parts[index].sha256 = sum.map(str::to_string);
    drop(model);
    Ok(Response::data(json!({"presignedURL": put_address(server, &number, index + 1, compliant)})))
}

/// `PUT` at the data port.
pub fn put(
    server: &Server,
    request: &Request,
    body: &mut Incoming,
    upload: &str,
    number: usize,
    hash_signed: bool,
) -> io::Result<Response> {
    let found = server.model.lock().unwrap().uploads.get(upload).cloned().unwrap();
    let part = &found.parts[number - 1];
    if found.progress != Progress::Open {
        return Ok(error(404, "NoSuchUpload", "The upload was aborted or completed"));
    }
    let refused = |code: &str, message: &str| {
        server.violation(format!("{message}: {} {}", request.method, request.path));
        Ok(error(400, code, message))
    };
    if body.length() != Some(part.size) {
        return refused("MissingContentLength", "Content-Length is not the size of the part");
    }
    let told = request.header("x-amz-content-sha256");
    if hash_signed && told.is_none() {
        return refused("SignatureDoesNotMatch", "x-amz-content-sha256 was signed and is not there");
    }
    if told.is_some() && part.sha256.is_some() && told != part.sha256.as_deref() {
        return refused("SignatureDoesNotMatch", "x-amz-content-sha256 is not what was announced");
    }
    receive(server, upload, part.start, body)?;
    let sum = body.sha256();
    if let (Some(wanted), Some(sum)) = (told.or(part.sha256.as_deref()), &sum)
        && wanted != sum
    {
        return Ok(error(400, "XAmzContentSHA256Mismatch", "The content has another hash"));
    }
    if server.settings.lock().unwrap().late_parts {
        server.model.lock().unwrap().uploads.get_mut(upload).unwrap().late += 1;
        let open = || server.model.lock().unwrap().uploads[upload].progress == Progress::Open;
        while open() && !server.stop.load(Ordering::SeqCst) {
            pause(Duration::from_millis(5), &server.stop);
        }
        return Ok(Response::text(200, ""));
    }
    let mut model = server.model.lock().unwrap();
    let etag = format!("\"{}\"", model.id());
    if let Some(upload) = model.uploads.get_mut(upload) {
        upload.parts[number - 1].etag = Some(etag.clone());
    }
    Ok(Response::text(200, "").with("ETag", etag))
}

fn complete(server: &Server, id: &str, document: &Value, multipart: bool) -> Result<Response, Response> {
    let (number, upload) = if multipart {
        open_upload(server, id, document)?
    } else {
        let model = server.model.lock().unwrap();
        let mut uploads = model.uploads.iter().rev();
        let found = uploads.find(|(_, u)| u.image == id && !u.multipart && u.progress == Progress::Open);
        found.map(|(number, upload)| (number.clone(), upload.clone())).ok_or_else(|| bad("no upload"))?
    };
    if upload.received() < upload.parts.len() {
        return Err(bad("not all parts have come"));
    }
    if multipart {
        let told: Vec<_> = document["completedParts"].as_array().into_iter().flatten().collect();
        let right = |(index, part): (usize, &Part)| {
            told[index]["partNumber"].as_u64() == Some(index as u64 + 1)
                && told[index]["token"].as_str() == part.etag.as_deref()
        };
        if told.len() != upload.parts.len() || !upload.parts.iter().enumerate().all(right) {
            return Err(bad("the parts are not those that came"));
        }
    }
    settle(server, id, upload.size, &number)?;
    let mut model = server.model.lock().unwrap();
    model.uploads.get_mut(&number).unwrap().progress = Progress::Complete;
    let (usage, names) = (model.usage(), model.names(&model.images[id].container));
    drop(model);
    let settings = server.settings.lock().unwrap();
    Ok(match settings.tells_details {
        true => Response::data(json!({
            "quota": {"quotaTotal": settings.quota.unwrap_or(0), "quotaUsage": usage},
            "containerUrl": format!("library/{}", names.join("/")),
        })),
        false if multipart => Response::data(json!({})),
        false => Response::text(200, ""),
    })
}

fn abort(server: &Server, id: &str, document: &Value) -> Result<Response, Response> {
    let number = document["uploadID"].as_str().unwrap_or_default();
    let mut model = server.model.lock().unwrap();
    let upload = model.uploads.get_mut(number).filter(|upload| upload.image == id && upload.multipart);
    let upload = upload.ok_or_else(not_found)?;
    match upload.progress {
        Progress::Open => upload.kept = std::mem::take(&mut upload.late),
        Progress::Aborted if upload.kept > 0 => upload.kept = 0,
        _ => return Err(not_found()),
    }
    upload.progress = Progress::Aborted;
    drop(model);
    let _ = std::fs::remove_file(upload_path(server.dir.path(), number));
    Ok(Response::data(Value::Null))
}
