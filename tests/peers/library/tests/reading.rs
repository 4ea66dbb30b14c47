//! Discovery, tokens, images, ranges, search.

use super::super::super::ca::Ca;
use super::*;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::time::Instant;

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

#[test]
fn bytes_can_come_from_the_api_directly_or_after_a_redirect_to_the_same_origin() {
    let (library, bytes) = with_box();
    let mut client = Client::new(library.address(Port::Api));
    let path = "/library/v1/imagefile/me/things/box:latest?arch=amd64";
    library.set(|settings| settings.download = Download::Direct);
    assert_eq!(client.get(path).body, bytes);
    let part = client.ask("GET", path, &["Range: bytes=10-19"], b"");
    assert_eq!((part.status, &part.body[..]), (206, &bytes[10..20]));
    let tag = part.header("etag").unwrap();
    let conditional = |header: &str| client.ask("GET", path, &["Range: bytes=10-19", header], b"").status;
    let statuses =
        [&format!("If-Range: {tag}"), "If-Range: \"other\"", "If-Match: \"other\""].map(conditional);
    assert_eq!(statuses, [206, 200, 412]);
    library.set(|settings| settings.download = Download::SameOrigin);
    let found = client.get(path);
    assert_eq!(found.status, 303);
    assert!(found.header("location").unwrap().starts_with(&library.uri()));
    assert_eq!(client.get(&path_of(found.header("location").unwrap())).body, bytes);
    assert!(library.requests_for("GET", DATA).is_empty());
}

#[test]
fn private_images_need_a_token() {
    let (library, _) = with_box();
    library.accept_token("t1");
    let mut client = Client::new(library.address(Port::Api));
    let image = "/library/v1/images/me/things/box:latest";
    let mut status = |method: &str, path: &str, token: &str| {
        let header = format!("Authorization: Bearer {token}");
        let headers = if token.is_empty() { vec![] } else { vec![header.as_str()] };
        client.ask(method, path, &headers, b"").status
    };
    let (token_status, user) = ("/token/v1/token-status", "/library/v1/rbac/users/current");
    for path in [token_status, user] {
        assert_eq!(["t1", "t2", ""].map(|token| status("GET", path, token)), [200, 401, 401], "{path}");
    }
    assert_eq!(["t1", "t2", ""].map(|token| status("GET", image, token)), [200, 401, 200]);
    assert_eq!(["t2", ""].map(|token| status("DELETE", image, token)), [401, 401]);
    library.set(|settings| settings.public = false);
    assert_eq!(["t1", "t2", ""].map(|token| status("GET", image, token)), [200, 401, 401]);
    assert_eq!(["/library/version", "/token/version"].map(|path| status("GET", path, "")), [200, 200]);
    assert_eq!(status("DELETE", image, "t1"), 200);
    assert_eq!(status("GET", image, "t1"), 404);
    assert!(library.images().is_empty() && library.tags("me/things/box")["amd64"].is_empty());
    library.revoke_tokens();
    assert_eq!(status("GET", token_status, "t1"), 401);
    let user = serde_json::json!({"username": "bob"});
    library.set(|settings| settings.user = user.clone());
    library.accept_token("t3");
    let header = ["Authorization: Bearer t3"];
    assert_eq!(client.ask("GET", "/library/v1/rbac/users/current", &header, b"").json(), user);
    let refused = client.get(image);
    assert_eq!(refused.json(), serde_json::json!({"error": {"code": 401, "message": "Not authorized"}}));
}

#[test]
fn a_tag_has_an_image_for_each_architecture_if_the_library_supports_that() {
    let library = Library::http();
    for arch in ["arm64", "amd64"] {
        library.add(NewImage::new("me/things/box:latest", Sif::new(arch).bytes()).arch(arch));
    }
    let mut client = Client::new(library.address(Port::Api));
    let mut arch = |arch: &str| {
        let found = client.get(&format!("/library/v1/images/me/things/box:latest?arch={arch}"));
        if found.status == 200 { found.data()["arch"].clone() } else { found.status.into() }
    };
    assert_eq!(["arm64", "amd64", "s390x"].map(&mut arch), ["amd64"; 3]);
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.1".into()));
    assert_eq!(arch("arm64"), "amd64");
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.2".into()));
    assert_eq!(["arm64", "amd64", ""].map(&mut arch), ["arm64", "amd64", "amd64"]);
    assert_eq!(arch("s390x"), 404);
    assert_eq!(library.image("me/things/box:latest", "arm64").unwrap().arch.as_deref(), Some("arm64"));
    let version = client.get("/library/version").data();
    assert_eq!(version["apiVersion"], "2.0.0-alpha.2");
    assert_eq!(client.get("/library/v1/oci-redirect?namespace=me/things/box&mapped=1").status, 404);
    assert_eq!(client.get("/library/v1/images/me/things/b%6fx%3alatest?arch=amd64").status, 200);
}

#[test]
fn a_search_finds_by_name_architecture_and_signature() {
    let library = Library::http();
    let bytes = |text: &str| text.as_bytes().to_vec();
    library.add(NewImage::new("me/things/box:b,a,c", bytes("1")).description("A Box").signed("ABCD"));
    library.add(NewImage::new("me/things/boxer", bytes("2")).arch("arm64"));
    library.add(NewImage::new("library/default/alpine:latest", bytes("3")));
    let mut client = Client::new(library.address(Port::Api));
    let mut search = |query: &str| client.get(&format!("/library/v1/search?{query}"));
    let names = |answer: &Answer| -> Vec<String> {
        let images = answer.data()["image"].as_array().unwrap().clone();
        images.iter().map(|image| image["containerName"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(names(&search("value=BOX")), ["boxer", "box"]);
    assert_eq!(names(&search("value=box&arch=amd64")), ["box"]);
    assert_eq!(names(&search("value=box&arch=amd64,arm64&signed=false")), ["boxer"]);
    let signed = search("arch=amd64&signed=true&value=things").data();
    assert_eq!(signed["image"][0]["tags"], serde_json::json!(["c", "b", "a"]));
    assert_eq!(signed["image"][0]["fingerprints"], serde_json::json!(["ABCD"]));
    assert_eq!(signed["collection"], serde_json::json!([]));
    assert_eq!(search("value=things").data()["collection"][0]["name"], "things");
    assert_eq!(names(&search("value=nothing")), [""; 0]);
    assert_eq!(search("value=bo").status, 400);
    assert_eq!(client.get("/library/v1/images/alpine:latest").data()["entityName"], "library");
}

#[test]
fn a_library_ends_with_all_its_threads_when_dropped() {
    let (library, _) = with_box();
    library.fault(When::get("/library/version"), Fault::Mute);
    let (dir, address) = (library.0.dir.path().to_path_buf(), library.address(Port::Api));
    let (mut idle, mut silent) = (Client::new(address), Client::new(address));
    assert_eq!(idle.get("/library/v1/none").status, 404);
    silent.send("GET", "/library/version", &[], b"");
    while library.faults_hit() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (shared, start) = (std::sync::Arc::downgrade(&library.0), Instant::now());
    drop(library);
    assert!(idle.head().is_none() && silent.head().is_none());
    while shared.strong_count() > 0 && start.elapsed() < PATIENT {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(shared.strong_count() == 0 && !dir.exists());
    assert!(TcpStream::connect(address).is_err());
}

/// Sends a request over TLS to a server with a certificate of `ca`, and reads to the end of the connection.
fn ask_tls(ca: &Ca, address: SocketAddr, path: &str) -> Answer {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let split = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_string()));
    let (status, headers) = (head[9..12].parse().unwrap(), head.lines().filter_map(split).collect());
    Answer { status, headers, body: bytes[end..].to_vec() }
}

#[test]
fn both_ports_can_use_https() {
    let (ca, bytes) = (Ca::generate(), Sif::new("amd64").filled(3 << 20).bytes());
    let (dir, library) = (tempfile::tempdir().unwrap(), Library::https(ca.identity(), ca.identity()));
    let path = dir.path().join("box.sif");
    Sif::new("amd64").filled(3 << 20).write(&path);
    library.add(NewImage::new("me/things/box:latest", path));
    let api = library.address(Port::Api);
    let found = ask_tls(&ca, api, "/library/v1/imagefile/me/things/box:latest?arch=amd64");
    let address = found.header("location").unwrap();
    assert!(address.starts_with("https://127.0.0.1:"));
    assert_eq!(ask_tls(&ca, library.address(Port::Data), &path_of(address)).body, bytes);
    let mut plain = Client::new(api);
    plain.send("GET", "/library/version", &[], b"");
    assert_ne!(plain.0.fill_buf().unwrap_or_default().first(), Some(&b'H'));
    let mixed = Library::start(Some(ca.identity()), None);
    assert!(mixed.url().starts_with("https://") && mixed.data_url().starts_with("http://"));
    let mut greeting = Client::new(mixed.address(Port::Data));
    greeting.0.get_mut().write_all(b"\x16\x03\x01").unwrap();
    assert_eq!(greeting.head().unwrap().status, 400);
}

#[test]
fn ranges_can_be_fetched_in_parallel() {
    let (library, bytes) = with_box();
    let mut client = Client::new(library.address(Port::Api));
    assert_eq!(library.url(), format!("http://{}", library.host()));
    let found = client.get("/library/v1/imagefile/me/things/box:latest");
    let path = path_of(found.header("location").unwrap());
    library.fault(When::get(DATA), Fault::Held(Gate::for_all(3)));
    let fetched = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| Client::new(library.address(Port::Data)).get(&path).body))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(fetched.iter().all(|body| *body == bytes));
    assert_eq!(library.most_at_once(), 3);
    let ports: Vec<_> = library.requests().iter().map(|seen| seen.port).collect();
    assert_eq!(ports, [Port::Api, Port::Data, Port::Data, Port::Data]);
}
