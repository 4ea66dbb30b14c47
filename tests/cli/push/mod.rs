//! `push`: the bytes arrive by the best method that the library supports and get their tags, or nothing is left
//! behind.

mod interrupted;

use crate::peers::gate::Gate;
use crate::peers::library::{Fault, Library, NewImage, Port, Progress, When};
use crate::peers::sif::Sif;
use crate::peers::wire::PATIENT;
use crate::pull::world;
use crate::world::{As, SHORT, Shown, World};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const TOKEN: &str = "canary-t0ken";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const REFERENCE: &str = "library://lab/tools/blast:v1";
const V2: &str = "2.0.0-alpha.1";
const TAGS: &str = "2.0.0-alpha.2";

/// An empty library with this API version, and a world that is logged in to it and has an image.
fn lab(api: Option<&str>) -> (World, Library) {
    let library = Library::http();
    library.accept_token(TOKEN);
    library.set(|settings| settings.api_version = api.map(String::from));
    let world = world(&library);
    fs::write(image(&world), Sif::new("amd64").filled(300_000).signed(KEY).bytes()).unwrap();
    (world, library)
}

fn image(world: &World) -> PathBuf {
    world.home().join("blast.sif")
}

/// An image that is sent in parts: the library's parts are 24 MiB.
fn large(world: &World, library: &Library) -> u64 {
    library.set(|settings| settings.part_size = Some(24 << 20));
    Sif::new("amd64").filled(70 << 20).signed(KEY).write(&image(world));
    fs::metadata(image(world)).unwrap().len()
}

fn push(world: &World, words: &[&str]) -> Shown {
    let file = image(world).display().to_string();
    let words: Vec<&str> =
        words.iter().map(|word| if *word == "IMAGE" { file.as_str() } else { *word }).collect();
    let all: Vec<&str> = ["push"].into_iter().chain(words).collect();
    world.run(As::User, &all).never_shows("canary")
}

/// Asserts that the image is there, complete, with its tag.
#[track_caller]
fn arrived(world: &World, library: &Library) {
    let found = library.image("lab/tools/blast:v1", "amd64").expect("it has its tag");
    assert!(found.uploaded && found.blob.unwrap().bytes() == fs::read(image(world)).unwrap());
    assert!(library.violations().is_empty(), "{:?}", library.violations());
    let to_data = library.requests().into_iter().filter(|seen| seen.port == Port::Data);
    assert!(to_data.clone().all(|seen| seen.request.header("authorization").is_none()));
}

#[test]
fn the_best_available_method_is_used() {
    for (api, big) in
        [(None, false), (Some(V2), false), (Some(TAGS), false), (Some(V2), true), (Some(TAGS), true)]
    {
        let (world, library) = lab(api);
        let length = if big { large(&world, &library) } else { fs::metadata(image(&world)).unwrap().len() };
        let shown =
            push(&world, &["IMAGE", REFERENCE]).exits(0).says(&format!("Uploaded {length} bytes in "));
        arrived(&world, &library);
        assert_eq!(library.containers(), ["lab/tools/blast"], "{api:?}");
        let uploads = library.uploads();
        assert_eq!(
            uploads.iter().map(|upload| upload.multipart).collect::<Vec<_>>(),
            if api.is_none() { vec![] } else { vec![big] }
        );
        assert!(uploads.iter().all(|upload| upload.progress == Progress::Complete));
        if api.is_some() {
            shown
                .prints("\nLibrary storage: using ")
                .prints(" out of unlimited quota\n")
                .prints(&format!("Container URL: {}/", library.url()));
        } else {
            assert_eq!(shown.stdout, "");
        }
    }
}

#[test]
fn parts_and_hashes_are_only_used_if_the_library_supports_them() {
    let (world, library) = lab(Some(V2));
    large(&world, &library);
    library.set(|settings| settings.part_size = None);
    push(&world, &["IMAGE", REFERENCE]).exits(0);
    arrived(&world, &library);
    let (world, library) = lab(Some(V2));
    large(&world, &library);
    library.set(|settings| settings.s3compliant = Some("false".into()));
    push(&world, &["IMAGE", REFERENCE]).exits(0);
    arrived(&world, &library);
    let hashed = library
        .requests_for("PUT", "/data")
        .iter()
        .any(|seen| seen.request.header("x-amz-content-sha256").is_some());
    assert!(!hashed);
}

#[test]
fn existing_images_are_only_tagged() {
    let (world, library) = lab(Some(TAGS));
    push(&world, &["IMAGE", REFERENCE]).exits(0);
    library.forget();
    push(&world, &["IMAGE", "library://lab/tools/blast:v2,latest"])
        .exits(0)
        .says("INFO:    The library already has this image (sha256:")
        .says("); only setting the tags v2, latest\n");
    assert!(library.requests_for("PUT", "/data").is_empty());
    let tags = library.tags("lab/tools/blast");
    assert_eq!(tags["amd64"].keys().collect::<Vec<_>>(), ["latest", "v1", "v2"]);
    // The same tag for another architecture is kept next to it.
    fs::write(image(&world), Sif::new("arm64").signed(KEY).bytes()).unwrap();
    push(&world, &["IMAGE", REFERENCE]).exits(0);
    let tags = library.tags("lab/tools/blast");
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["amd64", "arm64"]);
}

#[test]
fn the_description_is_sent_and_the_quota_is_shown() {
    let (world, library) = lab(Some(TAGS));
    library.set(|settings| settings.quota = Some(10 << 20));
    push(&world, &["-D", "a tool", "IMAGE", REFERENCE])
        .exits(0)
        .prints(" out of 10.00 MiB quota (")
        .prints("% used)\n");
    assert_eq!(library.images()[0].description, "a tool");
    fs::write(image(&world), Sif::new("amd64").filled(11 << 20).signed(KEY).bytes()).unwrap();
    let shown = push(&world, &["IMAGE", "library://lab/tools/other:v1"]).exits(255);
    shown.says("FATAL:   unable to push image to library: ").says("413").says("uota");
    assert!(library.image("lab/tools/other:v1", "amd64").is_none(), "a missing image has no tag");
}

#[test]
fn flaky_servers_are_retried() {
    let data = || When::put("/data");
    type Faults = Vec<(When, Fault)>;
    let table: Vec<(&str, bool, Faults)> = vec![
        ("a break in the middle", false, vec![(data().nth(1), Fault::BreakUpload(100_000))]),
        ("a busy store", false, vec![(data().nth(1), Fault::retry_after(503, 1))]),
        ("a store that stops reading", true, vec![(data().nth(2), Fault::StallUpload(1000))]),
        (
            "parts that break",
            true,
            vec![(data().nth(1), Fault::BreakUpload(9)), (data().nth(3), Fault::status(500))],
        ),
        ("no address at first", true, vec![(When::put("/library/v2/imagefile").nth(2), Fault::status(502))]),
        ("a hang-up at the address", false, vec![(When::post("/library/v2/imagefile").nth(1), Fault::Close)]),
    ];
    for (name, big, faults) in table {
        let (world, library) = lab(Some(TAGS));
        if big {
            large(&world, &library);
        }
        let wanted = faults.len();
        faults.iter().for_each(|(_, fault)| world.waits_for(fault));
        faults.into_iter().for_each(|(when, fault)| library.fault(when, fault));
        let shown = push(&world, &["IMAGE", REFERENCE]);
        assert_eq!((shown.code, library.faults_hit()), (0, wanted), "{name}: {shown:#?}");
        arrived(&world, &library);
    }
    let (world, library) = lab(None);
    library.fault(When::post("/library/v1/imagefile").nth(1), Fault::BreakUpload(1000));
    push(&world, &["IMAGE", REFERENCE]).exits(0);
    arrived(&world, &library);
}

#[test]
fn failed_uploads_leave_no_tag_and_no_parts() {
    let data = || When::put("/data");
    let ask = || When::get("/library/v1/");
    let v2 = || When::post("/library/v2/imagefile");
    let complete = || When::put("/library/v2/imagefile");
    let table: Vec<(&str, bool, When, Fault, &str)> = vec![
        ("breaks without end", true, data(), Fault::BreakUpload(9), ""),
        ("a store that is full", true, data().nth(2), Fault::status(507), "507"),
        ("an early no", false, data(), Fault::Early(403, vec![], b"expired".to_vec()), "/data/"),
        (
            "a redirect",
            false,
            data(),
            Fault::redirect(307, "http://127.0.0.1:9/"),
            "the server redirects this request",
        ),
        ("no rights", false, ask(), Fault::error(403, "not yours"), "403 Forbidden: not yours"),
        ("no login any more", false, ask(), Fault::error(401, "who"), "401 Unauthorized: who"),
        ("no id", false, ask(), Fault::json(200, r#"{"data":{}}"#), "no valid ID"),
        ("a path for an id", false, ask(), Fault::json(200, r#"{"data":{"id":"../../x"}}"#), "no valid ID"),
        ("HTML", false, ask(), Fault::Answer(200, vec![], b"<html>".to_vec()), "no valid ID"),
        ("no address", false, v2(), Fault::json(200, r#"{"data":{}}"#), "no valid upload URL"),
        (
            "an address of this machine",
            false,
            v2(),
            Fault::json(200, r#"{"data":{"uploadURL":"file:///etc/passwd"}}"#),
            "no valid upload URL",
        ),
        (
            "parts that do not fit",
            true,
            v2(),
            Fault::json(200, r#"{"data":{"uploadID":"u","totalParts":2,"partSize":5}}"#),
            "requests 2 parts of 5 bytes",
        ),
        (
            "parts of nothing",
            true,
            v2(),
            Fault::json(200, r#"{"data":{"uploadID":"u","totalParts":0,"partSize":0}}"#),
            "requests 0 parts",
        ),
        (
            "no at the end",
            true,
            complete().nth(4),
            Fault::error(500, "lost it"),
            "500 Internal Server Error: lost it",
        ),
        ("no at the end", false, complete(), Fault::error(400, "wrong hash"), "400 Bad Request: wrong hash"),
    ];
    for (name, big, when, fault, words) in table {
        let (world, library) = lab(Some(TAGS));
        if big {
            large(&world, &library);
        }
        library.fault(when, fault);
        let shown = push(&world, &["IMAGE", REFERENCE]);
        assert_eq!(shown.code, 255, "{name}: {shown:#?}");
        assert!(
            shown.stderr.contains(words)
                && shown.stderr.contains("FATAL:   unable to push image to library: "),
            "{name}: {words:?}: {shown:#?}"
        );
        assert!(library.tags("lab/tools/blast").is_empty(), "{name}");
        let open = library
            .uploads()
            .iter()
            .filter(|upload| upload.multipart && upload.progress == Progress::Open)
            .count();
        assert_eq!(open, 0, "{name}: an upload in parts was not aborted on the server");
        assert!(library.violations().is_empty(), "{name}: {:?}", library.violations());
    }
}

#[test]
fn invalid_images_and_references_are_not_sent() {
    let (world, library) = lab(Some(TAGS));
    let home = world.home();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(home.join(name), bytes).unwrap();
        home.join(name).display().to_string()
    };
    let unsigned = file("unsigned.sif", &Sif::new("amd64").bytes());
    let cases = [
        (file("text", b"hello"), "it is not a SIF image"),
        (file("cut", &Sif::new("amd64").signed(KEY).bytes()[..5000]), "truncated SIF image"),
        (file("empty", b""), "it is not a SIF image"),
        (file("noarch.sif", &Sif::new("unknown").signed(KEY).bytes()), "cannot tell the architecture"),
        (home.join("missing.sif").display().to_string(), "No such file"),
        (home.display().to_string(), "is not a regular file"),
        (unsigned.clone(), "is not signed"),
    ];
    library.forget();
    for (path, words) in &cases {
        push(&world, &[path, REFERENCE]).exits(255).says(words);
    }
    push(&world, &[&unsigned, REFERENCE])
        .exits(255)
        .says("hint:    apptainer sign ")
        .says("hint:    to push it unsigned: apptainer push -U ");
    for reference in [
        "library://blast",
        "library://tools/blast",
        "library://Lab/tools/blast",
        "library://lab/tools/bl--ast",
    ] {
        push(&world, &["IMAGE", reference]).exits(255).says("malformed library reference");
    }
    push(&world, &["--library", &library.uri(), "IMAGE", "library://h/lab/tools/blast"])
        .exits(1)
        .says("Usage:");
    push(&world, &["IMAGE", "library://elsewhere.example/lab/tools/blast"])
        .exits(255)
        .says("push to location other than current remote is not supported");
    assert!(
        library.requests().iter().all(|seen| !seen.request.path.contains("/v1/")),
        "an upload was started"
    );
    push(&world, &["-U", &unsigned, REFERENCE]).exits(0).says("WARNING: the image is not signed\n");
    let by_host = format!("library://{}/lab/tools/blast:v9", library.host());
    push(&world, &["IMAGE", &by_host]).exits(0);
    push(&world, &["--library", &library.uri(), "IMAGE", "library://lab/tools/blast:v10"]).exits(0);
}

#[test]
fn a_push_needs_a_token() {
    let (world, library) = lab(Some(TAGS));
    world.write_user(world.user().replace(&format!("        Token: {TOKEN}\n"), ""));
    push(&world, &["IMAGE", REFERENCE])
        .exits(255)
        .says("FATAL:   cannot push image to library: not logged in to lab\n")
        .says("hint:    apptainer remote login lab\n");
    let other = Library::http();
    push(&world, &["--library", &other.uri(), "IMAGE", REFERENCE]).exits(255).says("not logged in");
    assert!(other.requests().is_empty() && library.requests_for("GET", "/library/v1").is_empty());
}
