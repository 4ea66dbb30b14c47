//! The steps of a push, and what a client must not do.

use super::*;
use serde_json::{Value, json};

const TOKEN: &str = "Authorization: Bearer t1";

/// A client of both ports, with a token.
struct Pusher {
    library: Library,
    api: Client,
    data: Client,
}

impl Pusher {
    fn new(api_version: Option<&str>) -> Self {
        let library = Library::http();
        library.accept_token("t1");
        library.set(|settings| settings.api_version = api_version.map(str::to_string));
        let [api, data] = [Port::Api, Port::Data].map(|port| Client::new(library.address(port)));
        Self { library, api, data }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        self.api.ask(method, &format!("/library/{path}"), &[TOKEN], body.to_string().as_bytes())
    }

    fn create(&mut self, path: &str, body: Value) -> String {
        let made = self.ask("POST", path, &body);
        assert_eq!(made.status, 201, "{path}");
        made.data()["id"].as_str().unwrap().into()
    }

    /// Creates the container me/things/box and an image in it; returns both ids.
    fn prepare(&mut self, bytes: &[u8]) -> (String, String) {
        let entity = self.create("v1/entities", json!({"name": "me"}));
        let collection = self.create("v1/collections", json!({"name": "things", "entity": entity}));
        let container = self.create("v1/containers", json!({"name": "box", "collection": collection}));
        let image = json!({"hash": format!("sha256.{}", sum(bytes)), "container": container});
        (container, self.create("v1/images", image))
    }

    fn put(&mut self, address: &str, headers: &[&str], bytes: &[u8]) -> Answer {
        assert!(address.starts_with(&self.library.data_url()), "{address}");
        self.data.ask("PUT", &path_of(address), headers, bytes)
    }

    fn image(&self) -> Image {
        self.library.images().remove(0)
    }
}

fn sum(bytes: &[u8]) -> String {
    Blob::from(bytes.to_vec()).sha256()
}

fn sif() -> Vec<u8> {
    Sif::new("arm64").filled(300_000).signed("0123456789ABCDEF0123456789ABCDEF01234567").bytes()
}

#[test]
fn nested_containers_can_be_created() {
    let mut pusher = Pusher::new(None);
    let levels = ["entities/me", "collections/me/things", "containers/me/things/box"];
    for level in levels {
        assert_eq!(pusher.api.get(&format!("/library/v1/{level}")).status, 404, "{level}");
    }
    let (container, _) = pusher.prepare(b"x");
    for level in levels {
        assert_eq!(pusher.api.get(&format!("/library/v1/{level}")).status, 200, "{level}");
    }
    assert_eq!(pusher.library.containers(), ["me/things/box"]);
    let found = pusher.ask("GET", &format!("v1/containers/{container}"), &Value::Null).data();
    assert_eq!((&found["entityName"], &found["name"]), (&json!("me"), &json!("box")));
    let wrong = [
        ("v1/entities", json!({"name": "me"}), 409),
        ("v1/entities", json!({"name": "Me"}), 400),
        ("v1/entities", json!("no object"), 400),
        ("v1/collections", json!({"name": "x", "entity": "none"}), 400),
        ("v1/containers", json!({"name": "x", "collection": "none"}), 400),
        ("v1/images", json!({"hash": "sha256.1", "container": container}), 400),
        ("v1/images", json!({"hash": format!("sha256.{}", sum(b"x")), "container": container}), 409),
        ("v1/images", json!({"hash": format!("sha256.{}", sum(b"y")), "container": "none"}), 400),
        ("v1/nonsense", json!({}), 404),
    ];
    for (path, body, status) in wrong {
        assert_eq!(pusher.ask("POST", path, &body).status, status, "{path} {body}");
    }
    let anonymous = pusher.api.ask("POST", "/library/v1/entities", &[], b"{\"name\":\"x\"}");
    assert_eq!(anonymous.status, 401);
    let seen = pusher.library.requests_for("POST", "/library/v1/entities");
    assert_eq!(seen[0].request.body, b"{\"name\":\"me\"}");
}

#[test]
fn an_image_is_uploaded_in_one_request_and_tagged() {
    let (mut pusher, bytes) = (Pusher::new(None), sif());
    let (container, image) = pusher.prepare(&bytes);
    let path = format!("/library/v1/imagefile/{image}");
    assert_eq!(pusher.ask("POST", &format!("v2/imagefile/{image}"), &json!({"filesize": 1})).status, 404);
    let mut wrong = bytes.clone();
    wrong[200_000] ^= 1;
    assert_eq!(pusher.api.ask("POST", &path, &[TOKEN], &wrong).status, 400);
    assert!(!pusher.image().uploaded);
    assert_eq!(pusher.api.ask("POST", &path, &[TOKEN], b"").status, 411);
    let length = format!("Content-Length: {}", bytes.len());
    pusher.api.send("POST", &path, &[TOKEN, &length, "Expect: 100-continue"], b"");
    assert_eq!(pusher.api.head().unwrap().status, 100);
    pusher.api.0.get_mut().write_all(&bytes).unwrap();
    assert_eq!(pusher.api.answer().status, 200);
    let done = pusher.image();
    assert_eq!(done.blob.unwrap().bytes(), bytes);
    assert_eq!((done.uploaded, done.signed, done.arch.as_deref()), (true, true, Some("arm64")));
    assert_eq!(done.fingerprints, ["0123456789ABCDEF0123456789ABCDEF01234567"]);
    assert_eq!(pusher.api.ask("POST", &path, &[TOKEN], &bytes).status, 400);
    let seen = pusher.library.requests_for("POST", &path).pop().unwrap();
    assert_eq!(
        (seen.length, seen.sha256, seen.request.body.len()),
        (bytes.len() as u64, Some(sum(&bytes)), 0)
    );
    let tags = format!("v1/tags/{container}");
    assert_eq!(pusher.ask("GET", &tags, &Value::Null).data(), json!({}));
    assert_eq!(pusher.ask("POST", &tags, &json!({"Tag": "latest", "ImageID": image})).status, 200);
    assert_eq!(pusher.ask("GET", &tags, &Value::Null).data(), json!({"latest": image}));
    assert_eq!(pusher.library.tags("me/things/box")["arm64"]["latest"], format!("sha256.{}", sum(&bytes)));
    assert_eq!(pusher.ask("POST", &tags, &json!({"Tag": "latest", "ImageID": "none"})).status, 400);
    assert_eq!(pusher.ask("POST", "v1/tags/none", &json!({"Tag": "latest", "ImageID": image})).status, 404);
}

#[test]
fn an_image_is_uploaded_through_a_presigned_address() {
    let (mut pusher, bytes) = (Pusher::new(Some("2.0.0-alpha.2")), sif());
    let (container, image) = pusher.prepare(&bytes);
    let path = format!("v2/imagefile/{image}");
    let begin = json!({"filesize": bytes.len(), "sha256sum": sum(&bytes), "md5sum": "0".repeat(32)});
    assert_eq!(pusher.ask("POST", &path, &json!({"filesize": 5, "sha256sum": sum(b"x")})).status, 400);
    let begun = pusher.ask("POST", &path, &begin).data();
    let address = begun["uploadURL"].as_str().unwrap();
    assert_eq!(pusher.ask("PUT", &format!("{path}/_complete"), &json!({})).status, 400);
    let header = format!("x-amz-content-sha256: {}", sum(&bytes));
    let mut wrong = bytes.clone();
    wrong[0] ^= 1;
    assert_eq!(pusher.put(address, &[&header], &wrong).status, 400);
    assert!(pusher.library.violations().is_empty());
    let refused = [
        pusher.put(address, &[&header, TOKEN], &bytes).status,
        pusher.put(address, &[], &bytes).status,
        pusher.put(address, &[&header], &bytes[1..]).status,
        pusher.put(&address[..address.len() - 1], &[&header], &bytes).status,
    ];
    assert_eq!(refused, [400, 400, 400, 403]);
    let violations = pusher.library.violations();
    for (violation, word) in violations.iter().zip(["Authorization", "signed", "Content-Length", "presigned"])
    {
        assert!(violation.contains(word), "{violations:?}");
    }
    assert_eq!(violations.len(), 4);
    assert_eq!(pusher.put(address, &[&header], &bytes).status, 200);
    let done = pusher.ask("PUT", &format!("{path}/_complete"), &json!({})).data();
    let quota = json!({"quotaTotal": 0, "quotaUsage": bytes.len()});
    assert_eq!(done, json!({"quota": quota, "containerUrl": "library/me/things/box"}));
    assert_eq!(pusher.image().blob.unwrap().bytes(), bytes);
    let tags = format!("v2/tags/{container}");
    let tag = json!({"Arch": "arm64", "Tag": "1.0", "ImageID": image});
    assert_eq!(pusher.ask("POST", &tags, &tag).status, 200);
    assert_eq!(pusher.ask("GET", &tags, &Value::Null).data(), json!({"arm64": {"1.0": image}}));
    pusher.library.expire_addresses();
    assert_eq!(pusher.put(address, &[&header], &bytes).status, 403);
}

#[test]
fn an_image_is_uploaded_in_parts_in_any_order() {
    for s3compliant in [None, Some("true"), Some("false")] {
        let (mut pusher, bytes) = (Pusher::new(Some("2.0.0-alpha.1")), sif());
        pusher.library.set(|settings| {
            settings.part_size = Some(100_000);
            settings.s3compliant = s3compliant.map(str::to_string);
            settings.tells_details = false;
        });
        let (_, image) = pusher.prepare(&bytes);
        let path = format!("v2/imagefile/{image}/_multipart");
        let begun = pusher.ask("POST", &path, &json!({"filesize": bytes.len()})).data();
        assert_eq!((&begun["totalParts"], &begun["partSize"]), (&json!(4), &json!(100_000)));
        let hashed = s3compliant != Some("false");
        let mut completed = vec![Value::Null; 4];
        for index in [2, 0, 3, 1] {
            let part = &bytes[index * 100_000..bytes.len().min((index + 1) * 100_000)];
            let mut wanted =
                json!({"uploadID": begun["uploadID"], "partNumber": index + 1, "partSize": part.len()});
            assert_eq!(pusher.ask("PUT", &path, &wanted).status == 400, hashed);
            wanted["sha256sum"] = if hashed { json!(sum(part)) } else { json!("") };
            let address =
                pusher.ask("PUT", &path, &wanted).data()["presignedURL"].as_str().unwrap().to_string();
            let header = format!("x-amz-content-sha256: {}", sum(part));
            let headers: &[&str] = if hashed { &[&header] } else { &[] };
            let taken = pusher.put(&address, headers, part);
            completed[index] = json!({"partNumber": index + 1, "token": taken.header("etag").unwrap()});
        }
        let mut end = json!({"uploadID": begun["uploadID"], "completedParts": completed[..3]});
        assert_eq!(pusher.ask("PUT", &format!("{path}_complete"), &end).status, 400);
        end["completedParts"] = json!(completed);
        assert_eq!(pusher.ask("PUT", &format!("{path}_complete"), &end).status, 200);
        assert_eq!(pusher.image().blob.unwrap().bytes(), bytes);
        assert_eq!(pusher.library.uploads()[0].progress, Progress::Complete);
        assert!(pusher.library.violations().is_empty());
        assert_eq!(pusher.library.requests_for("PUT", DATA).len(), 4);
    }
}

#[test]
fn an_upload_in_parts_can_be_aborted_or_unavailable() {
    let (mut pusher, bytes) = (Pusher::new(Some("2.0.0-alpha.2")), sif());
    pusher.library.set(|settings| settings.part_size = Some(200_000));
    let (_, image) = pusher.prepare(&bytes);
    let path = format!("v2/imagefile/{image}/_multipart");
    let begun = pusher.ask("POST", &path, &json!({"filesize": bytes.len()})).data();
    let sum = sum(&bytes[..200_000]);
    let part = json!({"uploadID": begun["uploadID"], "partNumber": 1, "partSize": 200_000, "sha256sum": sum});
    for (key, value) in [("partNumber", json!(0)), ("partNumber", json!(3)), ("partSize", json!(1))] {
        let mut wrong = part.clone();
        wrong[key] = value;
        assert_eq!(pusher.ask("PUT", &path, &wrong).status, 400, "{wrong}");
    }
    let address = pusher.ask("PUT", &path, &part).data()["presignedURL"].as_str().unwrap().to_string();
    let header = format!("x-amz-content-sha256: {sum}");
    pusher.library.fault(When::put(DATA).nth(1), Fault::Without("ETag"));
    assert_eq!(pusher.put(&address, &[&header], &bytes[..200_000]).header("etag"), None);
    assert_eq!(pusher.library.uploads()[0].received(), 1);
    let abort = json!({"uploadID": begun["uploadID"]});
    assert_eq!(pusher.ask("PUT", &format!("{path}_abort"), &abort).status, 200);
    assert_eq!(pusher.library.uploads()[0].progress, Progress::Aborted);
    assert_eq!(pusher.ask("PUT", &format!("{path}_abort"), &abort).status, 404);
    assert_eq!(pusher.put(&address, &[&header], &bytes[..200_000]).status, 404);
    assert_eq!(pusher.ask("POST", &path, &json!({"filesize": u64::MAX})).status, 400);
    pusher.library.set(|settings| settings.part_size = None);
    assert_eq!(pusher.ask("POST", &path, &json!({"filesize": bytes.len()})).status, 404);
}

#[test]
fn uploads_beyond_the_quota_are_refused() {
    let (mut pusher, bytes) = (Pusher::new(Some("2.0.0-alpha.2")), sif());
    let (_, image) = pusher.prepare(&bytes);
    pusher.library.set(|settings| settings.quota = Some(bytes.len() as u64 - 1));
    let size = json!({"filesize": bytes.len()});
    for step in ["", "/_multipart"] {
        let refused = pusher.ask("POST", &format!("v2/imagefile/{image}{step}"), &size);
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &json!(413)));
    }
    pusher.library.set(|settings| settings.over_quota_status = 507);
    let refused = pusher.api.ask("POST", &format!("/library/v1/imagefile/{image}"), &[TOKEN], &bytes);
    assert_eq!((refused.status, pusher.image().uploaded), (507, false));
    assert_eq!(refused.json()["error"]["message"], "Storage quota exceeded");
}

#[test]
fn an_image_in_another_container_need_not_be_sent_again() {
    let (mut pusher, bytes) = (Pusher::new(None), sif());
    pusher.library.add(NewImage::new("you/other/thing:latest", bytes.clone()));
    let (_, image) = pusher.prepare(&bytes);
    let path = format!("v1/images/me/things/box:sha256.{}", sum(&bytes));
    let found = pusher.ask("GET", &path, &Value::Null).data();
    assert_eq!((&found["id"], &found["uploaded"]), (&json!(image), &json!(true)));
}

#[test]
fn an_upload_can_be_cut_off_or_refused_early() {
    let (mut pusher, bytes) = (Pusher::new(None), Sif::new("amd64").filled(8 << 20).bytes());
    let (_, image) = pusher.prepare(&bytes);
    let path = format!("/library/v1/imagefile/{image}");
    pusher.library.fault(When::post(&path).times(1), Fault::BreakUpload(1 << 20));
    pusher.library.fault(When::post(&path).times(1), Fault::Early(503, Vec::new(), b"later".to_vec()));
    pusher.library.fault(When::post(&path).times(1), Fault::status(500));
    pusher.api.send("POST", &path, &[TOKEN], &bytes);
    assert!(pusher.api.head().is_none());
    assert_eq!(pusher.library.requests_for("POST", &path)[0].length, 1 << 20);
    pusher.api = Client::new(pusher.library.address(Port::Api));
    pusher.api.send("POST", &path, &[TOKEN], &bytes[..1 << 20]);
    assert_eq!(pusher.api.head().unwrap().status, 503);
    pusher.api = Client::new(pusher.library.address(Port::Api));
    assert_eq!(pusher.api.ask("POST", &path, &[TOKEN], &bytes).status, 500);
    assert_eq!(pusher.api.ask("POST", &path, &[TOKEN], &bytes).status, 200);
    assert_eq!(pusher.image().size, bytes.len() as u64);
    let chunked = [TOKEN, "Transfer-Encoding: chunked"];
    assert_eq!(pusher.api.ask("POST", &path, &chunked, b"").status, 411);
    pusher.api = Client::new(pusher.library.address(Port::Api));
    pusher.library.fault(When::post("/library/v1/entities"), Fault::StallUpload(3));
    pusher.api.0.get_ref().set_read_timeout(Some(SHORT)).unwrap();
    pusher.api.send("POST", "/library/v1/entities", &[TOKEN], b"{\"name\":\"x\"}");
    assert!(pusher.api.head().is_none());
}
