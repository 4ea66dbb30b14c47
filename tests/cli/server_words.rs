//! Reasons given by a server, or known about it, are shown to the user who has to act on them.

use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, IDENTITY};
use crate::peers::library::{Fault, Library, When};
use crate::peers::sif::Sif;
use crate::pull::world;
use crate::world::{As, Shown, World};

const TOKEN: &str = "canary-t0ken";
/// Nothing listens at this address.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A library, and a world with an image that can be pushed to it.
fn lab() -> (World, Library) {
    let library = Library::http();
    library.accept_token(TOKEN);
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.2".into()));
    let world = world(&library);
    std::fs::write(world.home().join("x.sif"), Sif::new("amd64").filled(300_000).bytes()).unwrap();
    (world, library)
}

fn push(world: &World) -> Shown {
    let file = world.home().join("x.sif").display().to_string();
    world.run(As::User, &["push", "-U", &file, "library://lab/tools/blast:v1"]).never_shows("canary")
}

fn endpoint() -> (World, Endpoint) {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    world.write_user(format!(
        "
Active: lab
Remotes:
  lab: {{URI: //{}, Token: {TOKEN}, Insecure: true}}
",
        endpoint.host()
    ));
    (world, endpoint)
}

#[test]
fn xml_errors_of_an_object_store_are_shown() {
    let (world, library) = lab();
    let xml = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    let kind = vec![("Content-Type", "application/xml".to_string())];
    library.fault(When::put("/data"), Fault::Answer(403, kind, xml.into()));
    push(&world).exits(255).says("403 Forbidden: AccessDenied: Request has expired");
}

#[test]
fn the_requested_waiting_time_is_shown() {
    let (world, library) = lab();
    let dated = [
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT".to_string()),
        ("Retry-After", "Sun, 06 Nov 1994 09:49:37 GMT".to_string()),
    ];
    for (fault, words) in [
        (Fault::retry_after(503, 90), "503 Service Unavailable: later (the server asks to wait 90 s)\n"),
        (
            Fault::Answer(503, dated.into(), Vec::new()),
            "503 Service Unavailable (the server asks to wait 3600 s)\n",
        ),
    ] {
        library.clear_faults();
        library.fault(When::get("/library/v1/search"), fault);
        let shown = world.run(As::User, &["search", "blast"]).exits(255);
        shown.says(words).says("hint:    wait, then repeat the command\n");
    }
}

#[test]
fn basic_authentication_before_an_endpoint_is_reported() {
    let (world, endpoint) = endpoint();
    let head = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let words = "401 Unauthorized; it asks for a username and password (Basic)";
    endpoint.set(IDENTITY, Behaviour::Raw(head.into()));
    world.remote("get-login-password").exits(255).says(words);
    endpoint.set(DISCOVERY, Behaviour::Raw(head.into()));
    world.remote("status").exits(255).says(words);
    let (world, library) = lab();
    let challenge = vec![("WWW-Authenticate", "Basic realm=\"x\"".to_string())];
    library.fault(When::get("/library/v1/search"), Fault::Answer(401, challenge, Vec::new()));
    world.run(As::User, &["search", "blast"]).exits(255).says(words);
}

#[test]
fn an_unreachable_address_is_attributed_to_its_source() {
    let (world, library) = lab();
    let library_named = "hint:    the library gave this address: ask its administrator to";
    let endpoint_named = "hint:    the endpoint gave this address: ask its administrator to";
    let answer = format!(r#"{{"data":{{"uploadURL":"{NOWHERE}/put"}}}}"#);
    library.fault(When::post("/library/v2/imagefile"), Fault::json(200, &answer));
    push(&world).exits(255).says("http://127.0.0.1:1/put: connection refused").says(library_named);
    library.clear_faults();
    push(&world).exits(0);
    library.fault(When::get("/library/v1/imagefile"), Fault::redirect(303, &format!("{NOWHERE}/get")));
    let output = world.home().join("y.sif").display().to_string();
    world
        .run(As::User, &["pull", "--disable-cache", &output, "library://lab/tools/blast:v1"])
        .exits(255)
        .says("http://127.0.0.1:1/get: connection refused")
        .says(library_named);
    let (world, endpoint) = endpoint();
    endpoint.set_services(&[("libraryAPI", NOWHERE), ("tokenAPI", NOWHERE)]);
    for line in ["search blast", "remote get-login-password"] {
        let words: Vec<_> = line.split(' ').collect();
        world.run(As::User, &words).exits(255).says("connection refused").says(endpoint_named);
    }
    world.pipe(format!("{TOKEN}\n")).remote("login").exits(255).says(endpoint_named);
    // An address that the user gave is for the user to correct.
    world
        .run(As::User, &["search", "--library", NOWHERE, "blast"])
        .exits(255)
        .says("hint:    check the address and its port");
}

#[test]
fn a_refusal_to_create_a_part_of_the_path_is_reported() {
    for (at, what) in [
        ("entities", "entity \"lab\""),
        ("collections", "collection \"lab/tools\""),
        ("containers", "container \"lab/tools/blast\""),
    ] {
        let (world, library) = lab();
        library.fault(When::post(&format!("/library/v1/{at}")), Fault::error(405, "no"));
        push(&world).exits(255).says(&format!(
            "405 Method Not Allowed: no; the library has no {what} and does not let you create one\n"
        ));
    }
}

#[test]
fn a_failed_tag_after_the_upload_is_reported() {
    for fault in [Fault::error(500, "oops"), Fault::Close] {
        let (world, library) = lab();
        library.fault(When::post("/library/v2/tags"), fault);
        push(&world).exits(255).says("; the image is in the library, but the tag \"v1\" was not set\n");
        assert!(library.images()[0].uploaded);
    }
    let (world, library) = lab();
    library.fault(When::post("/library/v2/tags").nth(2), Fault::error(500, "oops"));
    let file = world.home().join("x.sif").display().to_string();
    world
        .run(As::User, &["push", "-U", &file, "library://lab/tools/blast:v1,v2,v3"])
        .exits(255)
        .says("; the image is in the library, but the tags \"v2\", \"v3\" were not set\n");
    assert_eq!(library.tags("lab/tools/blast").len(), 1);
}

#[test]
fn a_library_without_registry_passwords_says_so() {
    let (world, endpoint) = endpoint();
    endpoint.set(IDENTITY, Behaviour::Json(404, "{}".into()));
    world
        .remote("get-login-password")
        .exits(255)
        .says("404 Not Found; this library does not offer registry passwords\n")
        .never_shows("hint:");
    endpoint.set(IDENTITY, Behaviour::Json(403, "{}".into()));
    world.remote("get-login-password").exits(255).says("hint:    apptainer remote login lab\n");
}
