//! `pull`: the right bytes under the right name, or only the unchanged old file.

mod cache;
mod interrupted;
mod library;
mod transfer;

use crate::disk::{chmod, give, names, run as tool, with_mounts};
use crate::peers::ca::Ca;
use crate::peers::endpoint::Endpoint;
use crate::peers::gate::Gate;
use crate::peers::library::{Download, Fault, Library, NewImage, Port, When};
use crate::peers::sif::Sif;
use crate::peers::wire::PATIENT;
use crate::world::{As, Shown, USER, World, apptainer_alone, is_root};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

const TOKEN: &str = "canary-t0ken";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const REFERENCE: &str = "library://lab/tools/blast:v1";
/// The smallest possible part size, so that a small image has many parts.
const PART: usize = 64 << 10;
/// The previous content of the output file.
const OLD: &[u8] = b"the old file";

fn sif() -> Vec<u8> {
    Sif::new("amd64").filled(700_000).signed(KEY).bytes()
}

/// A library with one image, and a world with that library as its default remote and with a token.
pub fn lab() -> (World, Library) {
    let library = Library::http();
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", sif()).signed(KEY));
    let world = world(&library);
    (world, library)
}

/// A world whose default remote is this library's endpoint.
pub fn world(library: &Library) -> World {
    let mut world = World::new();
    world.write_user(remote(library, TOKEN));
    world.set_env("APPTAINER_DOWNLOAD_PART_SIZE", PART.to_string());
    world.set_env("APPTAINER_PULL_ARCH", "amd64");
    fs::create_dir(out(&world)).unwrap();
    world
}

pub fn remote(library: &Library, token: &str) -> String {
    let token = if token.is_empty() { String::new() } else { format!("        Token: {token}\n") };
    format!(
        "\
Active: lab
Remotes:
    lab:
        URI: //{}
{token}        System: false
        Exclusive: false
        Insecure: true
",
        library.host()
    )
}

/// The output directory for images.
fn out(world: &World) -> PathBuf {
    world.home().join("images")
}

fn pull(world: &World, words: &[&str]) -> Shown {
    let dir = out(world).display().to_string();
    let all: Vec<&str> = ["pull", "--dir", &dir].into_iter().chain(words.iter().copied()).collect();
    world.run(As::User, &all).never_shows("canary")
}

/// The number of requests for bytes of images.
fn pieces(library: &Library) -> usize {
    library.requests().iter().filter(|seen| seen.port == Port::Data).count()
}

#[test]
fn a_pulled_image_has_its_name_and_mode_and_its_signers_are_reported() {
    let (world, library) = lab();
    let shown = pull(&world, &[REFERENCE]).exits(0);
    let file = out(&world).join("blast_v1.sif");
    assert_eq!(fs::read(&file).unwrap(), sif());
    let umask = tool("sh", &["-c", "umask"]);
    let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o777 & !umask);
    shown
        .says("INFO:    Downloading library image\n")
        .says(&format!("INFO:    Downloaded {} bytes in ", sif().len()))
        .says(&format!("blast_v1.sif is signed by {KEY} (not verified). To verify: apptainer verify "));
    assert_eq!(names(&out(&world)), ["blast_v1.sif"]);
    assert_eq!(pieces(&library), sif().len().div_ceil(PART));
    assert_eq!(library.requests_for("GET", "/library/v1/imagefile/").len(), 1, "one address for all parts");
    assert!(library.most_at_once() <= 3, "as many parallel parts as Apptainer");
    let bearer = |port| {
        let of = |seen: &crate::peers::library::Seen| seen.request.header("authorization").map(String::from);
        library.requests().iter().filter(|seen| seen.port == port).map(of).collect::<Vec<_>>()
    };
    assert!(bearer(Port::Data).iter().all(Option::is_none), "no token is sent to the data port");
    let lookups = library.requests_for("GET", "/library/");
    assert!(
        lookups.iter().all(|seen| seen.request.header("authorization") == Some(&format!("Bearer {TOKEN}")))
    );
    assert!(library.violations().is_empty(), "{:?}", library.violations());
}

#[test]
fn the_output_file_has_the_expected_name() {
    let (mut world, _library) = lab();
    for (words, name) in [
        (&["own.sif", REFERENCE][..], "own.sif"),
        (&["--name", "named.sif", REFERENCE], "named.sif"),
        (&["--name", "named.sif", "first.sif", REFERENCE], "named.sif"),
        (&["library://lab/tools/blast:v1"], "blast_v1.sif"),
    ] {
        pull(&world, words).exits(0);
        fs::remove_file(out(&world).join(name)).expect(name);
        assert_eq!(names_in(&world), [""; 0], "{name}");
    }
    world.set_env("APPTAINER_PULL_NAME", "variable.sif");
    world.set_env("APPTAINER_PULLDIR", out(&world));
    world.run(As::User, &["pull", REFERENCE]).exits(0);
    assert!(out(&world).join("variable.sif").is_file());
    pull(&world, &["first.sif", REFERENCE]).exits(0);
    assert_eq!(names_in(&world), ["first.sif", "variable.sif"], "an option overrides a variable");
}

#[test]
fn existing_files_are_kept_unless_forced() {
    let (world, library) = lab();
    let file = out(&world).join("blast_v1.sif");
    fs::write(&file, OLD).unwrap();
    library.forget();
    pull(&world, &[REFERENCE])
        .exits(255)
        .says("FATAL:   Image file already exists: ")
        .says(" - will not overwrite\n")
        .says("hint:    to replace it: --force\n");
    assert!(library.requests().is_empty(), "a request was sent");
    assert_eq!(fs::read(&file).unwrap(), OLD);
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert_eq!(fs::read(&file).unwrap(), sif());
    // A symlink is followed and kept.
    let link = out(&world).join("link.sif");
    fs::write(world.home().join("target"), OLD).unwrap();
    symlink(world.home().join("target"), &link).unwrap();
    pull(&world, &["link.sif", REFERENCE]).exits(255).says("already exists");
    pull(&world, &["--force", "link.sif", REFERENCE]).exits(0);
    assert!(link.is_symlink() && fs::read(world.home().join("target")).unwrap() == sif());
}

#[test]
fn invalid_outputs_are_refused() {
    let (world, library) = lab();
    let here = out(&world);
    fs::create_dir(here.join("directory")).unwrap();
    symlink("nothing", here.join("dangling")).unwrap();
    symlink("/dev/null", here.join("device")).unwrap();
    symlink("directory", here.join("to-directory")).unwrap();
    tool("mkfifo", &[here.join("fifo").to_str().unwrap()]);
    library.forget();
    for (name, words) in [
        ("directory", "is a directory"),
        ("to-directory", "is a directory"),
        ("dangling", "is a broken symlink"),
        ("device", "is a device, not a regular file"),
        ("fifo", "is a FIFO, not a regular file"),
        ("missing/x.sif", "does not exist"),
        ("..", "invalid file name "),
    ] {
        pull(&world, &["--force", name, REFERENCE]).exits(255).says(words);
    }
    assert!(library.requests().is_empty());
    if is_root() {
        // A stranger's link could lead root anywhere.
        fs::write(here.join("roots"), OLD).unwrap();
        symlink(here.join("roots"), here.join("planted")).unwrap();
        assert!(give(&here.join("planted"), USER));
        let words = ["pull", "--force", "--dir", here.to_str().unwrap(), "planted", REFERENCE];
        world
            .run(As::Root, &words)
            .exits(255)
            .says(&format!("is a symlink of uid {USER}, but its target belongs to another user"));
        assert_eq!(fs::read(here.join("roots")).unwrap(), OLD);
    }
}

#[test]
fn unsigned_images_give_a_warning_unless_allowed() {
    let (mut world, library) = lab();
    library.add(NewImage::new("lab/tools/plain:v1", Sif::new("amd64").bytes()));
    let reference = "library://lab/tools/plain:v1";
    pull(&world, &[reference]).exits(0).says("WARNING: ").says("plain_v1.sif is not signed\n");
    for quiet in ["-U", "--allow-unsigned", "--allow-unauthenticated"] {
        pull(&world, &["-F", quiet, reference]).exits(0).never_shows("signature");
    }
    world.set_env("APPTAINER_ALLOW_UNSIGNED", "1");
    pull(&world, &["-F", reference]).exits(0).never_shows("signature");
}

fn names_in(world: &World) -> Vec<String> {
    crate::disk::names(&out(world))
}
