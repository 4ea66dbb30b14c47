//! A library over https that keeps its images at an http address: no part of an image is transferred there
//! unless the user allows it, and the token is never sent there.

use crate::peers::ca::Ca;
use crate::peers::library::{Fault, Library, NewImage, Port, When};
use crate::peers::sif::Sif;
use crate::pull::{remote, world};
use crate::world::{As, Shown, World};
use std::fs;

const TOKEN: &str = "canary-t0ken";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const REFERENCE: &str = "library://lab/tools/blast:v1";
const ADMINISTRATOR: &str = "hint:    ask the library's administrator to serve its storage over https\n";
const OPTION: &str =
    "hint:    to transfer the image over http, where others can read it: --allow-http-storage\n";

fn sif() -> Vec<u8> {
    Sif::new("amd64").filled(300_000).signed(KEY).bytes()
}

/// A library over https with storage over http.
fn lab() -> (World, Library) {
    let ca = Ca::generate();
    let library = Library::start(Some(ca.identity()), None);
    library.accept_token(TOKEN);
    library.set(|settings| settings.api_version = Some("2.0.0-alpha.2".into()));
    let mut world = world(&library);
    world.write_user(remote(&library, TOKEN).replace("        Insecure: true\n", ""));
    ca.write(&world.path("ca.pem"));
    world.set_env("SSL_CERT_FILE", world.path("ca.pem"));
    (world, library)
}

fn run(world: &World, words: &[&str]) -> Shown {
    world.run(As::User, words).never_shows("canary")
}

/// Asserts that the storage received no request.
#[track_caller]
fn storage_untouched(library: &Library) {
    let seen: Vec<_> = library.requests().into_iter().filter(|seen| seen.port == Port::Data).collect();
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_pull_over_http_needs_the_option() {
    let (mut world, library) = lab();
    library.add(NewImage::new("lab/tools/blast:v1", sif()).signed(KEY));
    let file = world.home().join("x.sif").display().to_string();
    // No variable sets this option.
    world.set_env("APPTAINER_ALLOW_HTTP_STORAGE", "1");
    run(&world, &["pull", &file, REFERENCE])
        .exits(255)
        .says("the address that it gave for the image uses http: http://127.0.0.1:")
        .says(ADMINISTRATOR)
        .says(OPTION);
    storage_untouched(&library);
    assert!(!fs::exists(&file).unwrap());
    let shown = run(&world, &["pull", "--allow-http-storage", &file, REFERENCE]).exits(0);
    let warning = "WARNING: the image is sent over plain http, where others can read it: http://127.0.0.1:";
    assert_eq!(shown.stderr.matches(warning).count(), 1, "{shown:#?}");
    assert_eq!(fs::read(&file).unwrap(), sif());
    assert!(library.violations().is_empty(), "no token at the http address: {:?}", library.violations());
    // The hash came over https, so it is what the download is checked with.
    library.fault(When::get("/data").nth(2), Fault::Flip(9));
    run(&world, &["pull", "-F", "--disable-cache", "--allow-http-storage", &file, REFERENCE])
        .exits(255)
        .says("checksum mismatch: got ");
    assert_eq!(fs::read(&file).unwrap(), sif(), "the previous file is kept");
}

#[test]
fn a_redirect_to_http_on_the_librarys_own_host_gets_no_token() {
    let (world, library) = lab();
    let plain = Library::http();
    library.add(NewImage::new("lab/tools/blast:v1", sif()).signed(KEY));
    let to = format!("{}/library/v1/imagefile/lab/tools/blast:v1?arch=amd64", plain.url());
    plain.add(NewImage::new("lab/tools/blast:v1", sif()).signed(KEY));
    library.fault(When::get("/library/v1/imagefile"), Fault::redirect(302, &to));
    let file = world.home().join("x.sif").display().to_string();
    run(&world, &["pull", &file, REFERENCE]).exits(255).says(OPTION);
    assert!(plain.requests().is_empty());
    run(&world, &["pull", "--allow-http-storage", &file, REFERENCE]).exits(0);
    let bearer = plain.requests().into_iter().find(|seen| seen.request.header("authorization").is_some());
    assert!(bearer.is_none() && !plain.requests().is_empty(), "{bearer:?}");
}

/// An image in one upload, and one in parts.
#[test]
fn a_push_over_http_needs_the_option() {
    for (bytes, uploads) in [(300_000, 1), (70 << 20, 1)] {
        let (world, library) = lab();
        library.set(|settings| settings.part_size = Some(24 << 20));
        let file = world.home().join("blast.sif");
        Sif::new("amd64").filled(bytes).signed(KEY).write(&file);
        let file = file.display().to_string();
        run(&world, &["push", &file, REFERENCE])
            .exits(255)
            .says("FATAL:   unable to push image to library: ")
            .says("the address that it gave for the image uses http: http://127.0.0.1:")
            .says(ADMINISTRATOR)
            .says(OPTION);
        storage_untouched(&library);
        assert_eq!(library.uploads().len(), uploads);
        assert!(library.tags("lab/tools/blast").is_empty());
        let shown = run(&world, &["push", "--allow-http-storage", &file, REFERENCE]).exits(0);
        assert_eq!(
            shown.stderr.matches("WARNING: the image is sent over plain http").count(),
            1,
            "{shown:#?}"
        );
        assert!(library.image("lab/tools/blast:v1", "amd64").is_some_and(|image| image.uploaded));
        assert!(library.violations().is_empty(), "{:?}", library.violations());
    }
}

#[test]
fn a_library_used_over_http_needs_no_option() {
    let library = Library::http();
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", sif()).signed(KEY));
    let world = world(&library);
    let file = world.home().join("x.sif").display().to_string();
    run(&world, &["pull", &file, REFERENCE]).exits(0).never_shows("over http");
}
