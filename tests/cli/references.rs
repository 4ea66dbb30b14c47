//! References to images with more than a path and a tag: an empty host, digests, architectures.

use crate::peers::library::{Fault, Library, NewImage, When};
use crate::peers::sif::Sif;
use crate::world::{As, Shown, World, words};
use ring::digest::{SHA256, digest};
use std::fmt::Write;
use std::fs;

fn lab() -> (World, Library, Vec<u8>) {
    let library = Library::http();
    library.accept_token("canary-t0ken");
    let image = Sif::new("amd64").bytes();
    library.add(NewImage::new("lab/tools/blast:v1", image.clone()));
    let mut world = crate::pull::world(&library);
    world.set_env("APPTAINER_PULLDIR", world.home());
    world.set_env("APPTAINER_ARCH", "amd64");
    (world, library, image)
}

fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::new();
    digest(&SHA256, bytes).as_ref().iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap());
    hex
}

fn run(world: &World, line: &str) -> Shown {
    world.run(As::User, &words(line))
}

#[test]
fn an_empty_host_means_the_default_library() {
    let (world, _library, image) = lab();
    run(&world, "pull library:///lab/tools/blast:v1").exits(0);
    assert_eq!(fs::read(world.home().join("blast_v1.sif")).unwrap(), image);
    run(&world, "delete --force library:///lab/tools/blast:v1")
        .exits(0)
        .says("lab/tools/blast:v1 (amd64) deleted");
}

#[test]
fn a_digest_accepts_no_other_image() {
    let (world, library, image) = lab();
    let hash = sha256(&image);
    for (at, reference) in
        [format!("@sha256:{hash}"), format!(":sha256.{}", hash.to_uppercase())].iter().enumerate()
    {
        run(&world, &format!("pull {at}.sif library://lab/tools/blast{reference}")).exits(0);
        assert_eq!(fs::read(world.home().join(format!("{at}.sif"))).unwrap(), image);
    }
    let line = format!("pull library://lab/tools/blast@sha256:{hash}");
    run(&world, &line).exits(0);
    let file = world.home().join(format!("blast_sha256.{hash}.sif"));
    fs::remove_file(&file).expect("the digest is part of its name");
    let other = "0".repeat(64);
    run(&world, &format!("pull library://lab/tools/blast@sha256:{other}")).exits(255).says("does not exist");
    let lie = format!(r#"{{"data":{{"id":"1","hash":"sha256.{other}"}}}}"#);
    library.fault(When::get("/library/v1/images/"), Fault::json(200, &lie));
    run(&world, &line)
        .exits(255)
        .says(&format!("another image for lab/tools/blast:sha256.{hash}"))
        .says(&other);
    assert!(!file.exists());
    fs::write(world.home().join("x.sif"), &image).unwrap();
    let push =
        format!("push -U {} library://lab/tools/blast@sha256:{hash}", world.home().join("x.sif").display());
    run(&world, &push).exits(255).says("push to a tag instead");
    let delete = format!("delete --force library://lab/tools/blast@sha256:{hash}");
    run(&world, &delete).exits(0).says(&format!("lab/tools/blast:sha256.{hash} (amd64) deleted"));
}

#[test]
fn unknown_architectures_are_refused() {
    let (mut world, library, _image) = lab();
    for line in
        ["search --arch foo blast", "pull --arch x86_64 library://a", "delete -F -A AMD64 library://a/b/c"]
    {
        run(&world, line).exits(255).says("use one of 386, amd64, arm, arm64, ");
    }
    world.set_env("APPTAINER_SEARCH_ARCH", "foo");
    run(&world, "search blast").exits(255).says("unknown architecture \"foo\"");
    assert!(library.requests().is_empty());
    run(&world, "search --arch riscv64 blast").exits(0).prints("No container images found for riscv64");
}
