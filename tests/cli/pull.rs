//! `pull`: the right bytes under the right name, or the old file and nothing else.

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
/// The smallest there is, so that a small image has many.
const PART: usize = 64 << 10;
/// What was there before.
const OLD: &[u8] = b"the old file";

fn sif() -> Vec<u8> {
    Sif::new("amd64").filled(700_000).signed(KEY).bytes()
}

/// A library with one image, and a world whose default remote it is, with a token.
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
        "Active: lab\nRemotes:\n    lab:\n        URI: //{}\n{token}        System: false\n        Exclusive: false\n        Insecure: true\n",
        library.host()
    )
}

/// Where images go.
fn out(world: &World) -> PathBuf {
    world.home().join("images")
}

fn pull(world: &World, words: &[&str]) -> Shown {
    let dir = out(world).display().to_string();
    let all: Vec<&str> = ["pull", "--dir", &dir].into_iter().chain(words.iter().copied()).collect();
    world.run(As::User, &all).never_shows("canary")
}

/// The requests for bytes of images.
fn pieces(library: &Library) -> usize {
    library.requests().iter().filter(|seen| seen.port == Port::Data).count()
}

#[test]
fn an_image_its_name_its_mode_and_who_signed_it() {
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
        .says(&format!("blast_v1.sif holds a signature by {KEY}, not checked here; run: apptainer verify "));
    assert_eq!(names(&out(&world)), ["blast_v1.sif"]);
    assert_eq!(pieces(&library), sif().len().div_ceil(PART));
    assert_eq!(library.requests_for("GET", "/library/v1/imagefile/").len(), 1, "one address for all parts");
    assert!(library.most_at_once() <= 3, "as many parts side by side as Apptainer");
    let bearer = |port| {
        let of = |seen: &crate::peers::library::Seen| seen.request.header("authorization").map(String::from);
        library.requests().iter().filter(|seen| seen.port == port).map(of).collect::<Vec<_>>()
    };
    assert!(bearer(Port::Data).iter().all(Option::is_none), "no token to where the bytes lie");
    let lookups = library.requests_for("GET", "/library/");
    assert!(
        lookups.iter().all(|seen| seen.request.header("authorization") == Some(&format!("Bearer {TOKEN}")))
    );
    assert!(library.violations().is_empty(), "{:?}", library.violations());
}

#[test]
fn the_name_of_the_file() {
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
    assert_eq!(names_in(&world), ["first.sif", "variable.sif"], "what is typed counts more than a variable");
}

#[test]
fn what_is_there_stays_unless_it_may_go() {
    let (world, library) = lab();
    let file = out(&world).join("blast_v1.sif");
    fs::write(&file, OLD).unwrap();
    library.forget();
    pull(&world, &[REFERENCE])
        .exits(255)
        .says("FATAL:   Image file already exists: ")
        .says(" - will not overwrite\n")
        .says("hint:    to replace it: --force\n");
    assert!(library.requests().is_empty(), "nobody was asked");
    assert_eq!(fs::read(&file).unwrap(), OLD);
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert_eq!(fs::read(&file).unwrap(), sif());
    // A link is followed, and stays.
    let link = out(&world).join("link.sif");
    fs::write(world.home().join("target"), OLD).unwrap();
    symlink(world.home().join("target"), &link).unwrap();
    pull(&world, &["link.sif", REFERENCE]).exits(255).says("already exists");
    pull(&world, &["--force", "link.sif", REFERENCE]).exits(0);
    assert!(link.is_symlink() && fs::read(world.home().join("target")).unwrap() == sif());
}

#[test]
fn what_is_no_place_for_an_image() {
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
        ("dangling", "is a link to what does not exist"),
        ("device", "is a device, not a regular file"),
        ("fifo", "is a FIFO, not a regular file"),
        ("missing/x.sif", "does not exist"),
        ("..", "is no name for a file"),
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
            .says(&format!("is a link of uid {USER} to what is not theirs"));
        assert_eq!(fs::read(here.join("roots")).unwrap(), OLD);
    }
}

/// What goes wrong once or for a while, and is borne.
#[test]
fn a_transfer_that_stumbles_arrives() {
    let data = || When::get("/data");
    let file = || When::get("/library/v1/imagefile");
    let part = || data().header("range", "bytes=65536-");
    let with = |name, value: &str| Fault::With(name, value.into());
    let told = vec![("Content-Range", format!("bytes 131072-131081/{}", sif().len()))];
    let short = Fault::Answer(206, told, vec![0; 10]);
    let length = vec![("Content-Length", sif().len().to_string())];
    let half = Fault::Answer(200, length, sif()[..300_000].to_vec());
    let table: Vec<(&str, Vec<(When, Fault)>)> = vec![
        ("resets", vec![(data().nth(2), Fault::Reset(1000)), (data().nth(4), Fault::Reset(0))]),
        ("a hang-up in the first part", vec![(data().nth(1), Fault::HangUp(5))]),
        ("the same part three times", vec![(data().header("range", "bytes=65536-").times(3), Fault::Close)]),
        ("no word of the server", vec![(data().nth(3), Fault::Mute)]),
        ("silence in the middle of a part", vec![(data().nth(3), Fault::Silence(9))]),
        (
            "a busy server",
            vec![(data().nth(2), Fault::retry_after(503, 1)), (data().nth(4), Fault::status(500))],
        ),
        ("too many requests", vec![(file().nth(1), Fault::retry_after(429, 1))]),
        ("a library that hangs up", vec![(file().nth(1), Fault::Close)]),
        ("slow pieces", vec![(data().nth(2), Fault::Drip(9000, Duration::from_millis(5)))]),
        ("no ranges", vec![(data(), Fault::IgnoreRange)]),
        ("no ranges, and a break", vec![(data().nth(1), half), (data().times(9), Fault::IgnoreRange)]),
        ("an address that is no longer valid", vec![(data().nth(4), Fault::status(403))]),
        ("an address that is forgotten", vec![(data().nth(5), Fault::status(410))]),
        ("bytes behind a part", vec![(data().nth(1), Fault::Longer(5))]),
        ("another range, once", vec![(data().nth(2), with("Content-Range", "bytes 0-65535/727000"))]),
        (
            "a range of another form, three times",
            vec![(part().times(3), with("Content-Range", "items 1-2/3"))],
        ),
        ("no range, in the first part", vec![(data().nth(1), Fault::Without("Content-Range"))]),
        ("another total, once", vec![(data().nth(1), with("Content-Range", "bytes 0-65535/99"))]),
        ("the whole for a part, once", vec![(data().nth(3), Fault::IgnoreRange)]),
        ("too few bytes, once", vec![(data().header("range", "bytes=131072-").nth(1), short)]),
        ("less than it says, once", vec![(data().nth(2), Fault::Shorter(5))]),
    ];
    for (name, faults) in table {
        let (world, library) = lab();
        let wanted = faults.len();
        for (when, fault) in faults {
            world.waits_for(&fault);
            library.fault(when, fault);
        }
        pull(&world, &["--disable-cache", REFERENCE]).exits(0).says("Downloaded ");
        assert_eq!(fs::read(out(&world).join("blast_v1.sif")).unwrap(), sif(), "{name}");
        assert!(library.faults_hit() >= wanted, "{name}: the fault was met");
        assert_eq!(names_in(&world), ["blast_v1.sif"], "{name}");
        assert!(library.violations().is_empty(), "{name}: {:?}", library.violations());
    }
}

#[test]
fn addresses_that_end_while_they_are_used_are_asked_for_again() {
    let (world, library) = lab();
    let library = std::sync::Arc::new(library);
    library.fault(When::get("/data"), Fault::Drip(16 << 10, Duration::from_millis(20)));
    let expiring = std::sync::Arc::clone(&library);
    let thread = std::thread::spawn(move || {
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(150));
            expiring.expire_addresses();
        }
    });
    pull(&world, &[REFERENCE]).exits(0);
    thread.join().unwrap();
    assert_eq!(fs::read(out(&world).join("blast_v1.sif")).unwrap(), sif());
    assert!(library.requests_for("GET", "/library/v1/imagefile/").len() > 1);
}

#[test]
fn bytes_from_the_library_itself() {
    for way in [Download::Direct, Download::SameOrigin] {
        for ranges in [true, false] {
            let (world, library) = lab();
            library.set(|settings| (settings.download, settings.public) = (way, false));
            if !ranges {
                library.fault(When::get("/library/v1/imagefile"), Fault::IgnoreRange);
                library.fault(When::get("/library/data"), Fault::IgnoreRange);
            }
            pull(&world, &[REFERENCE]).exits(0);
            assert_eq!(fs::read(out(&world).join("blast_v1.sif")).unwrap(), sif(), "{way:?} {ranges}");
        }
    }
}

fn names_in(world: &World) -> Vec<String> {
    crate::disk::names(&out(world))
}

/// What must not pass: the old file is whole, nothing lies beside it, nothing is in the cache.
#[test]
fn what_is_not_the_image_never_gets_its_name() {
    let data = || When::get("/data");
    let meta = || When::get("/library/v1/images");
    let file = || When::get("/library/v1/imagefile");
    let with = |name, value: &str| Fault::With(name, value.into());
    let table: Vec<(&str, When, Fault, &str)> = vec![
        ("a wrong byte", data().nth(3), Fault::Flip(77), "what came is not the image: its SHA-256 is "),
        (
            "the whole for a part",
            data().nth(3).times(99),
            Fault::IgnoreRange,
            "sends the whole image where a part was asked for",
        ),
        (
            "another range",
            data().nth(2).times(99),
            with("Content-Range", "bytes 0-65535/727000"),
            "were asked for",
        ),
        (
            "a range that is none",
            data().nth(2).times(99),
            with("Content-Range", "items 1-2/3"),
            "does not say which",
        ),
        ("no range", data().nth(2).times(99), Fault::Without("Content-Range"), "does not say which"),
        ("another total", data(), with("Content-Range", "bytes 0-65535/99"), ""),
        ("resets without end", data(), Fault::Reset(10), "closed the connection"),
        ("silence without end", data(), Fault::Silence(10), "nothing came or went for"),
        (
            "failures without end",
            data(),
            Fault::error(500, "disk on fire"),
            "500 Internal Server Error: disk on fire",
        ),
        ("less than it says", data(), Fault::Shorter(5), "closed the connection"),
        ("a page of HTML", data(), Fault::Answer(200, vec![], b"<html>\x1b[2J".to_vec()), ""),
        ("no end", data(), Fault::Endless, ""),
        ("forbidden", data(), Fault::status(403), "403 Forbidden"),
        ("nowhere", file(), Fault::status(404), "404 Not Found"),
        ("a long pause", file(), Fault::retry_after(429, 3600), "429 Too Many Requests"),
        ("a circle", file(), Fault::redirect(303, "?"), "round in a circle"),
        (
            "a file of this machine",
            file(),
            Fault::redirect(303, "file:///etc/passwd"),
            "sends requests on to",
        ),
        (
            "no such image",
            meta(),
            Fault::error(404, "no"),
            "image does not exist in the library: lab/tools/blast:v1 (amd64)\n",
        ),
        ("not allowed", meta(), Fault::error(401, "who are you"), "401 Unauthorized: who are you"),
        ("not for you", meta(), Fault::error(403, "not yours"), "403 Forbidden: not yours"),
        (
            "a broken library",
            meta(),
            Fault::error(500, "oops\u{1b}[2J"),
            "500 Internal Server Error: oops\\x1b[2J",
        ),
        ("a busy library", meta(), Fault::retry_after(503, 9), "503 Service Unavailable"),
        ("no fields", meta(), Fault::json(200, "{}"), "the answer describes no image"),
        ("fields without values", meta(), Fault::json(200, r#"{"data":{}}"#), "tells no SHA-256"),
        (
            "a hash of another kind",
            meta(),
            Fault::json(200, r#"{"data":{"hash":"md5.00"}}"#),
            "tells no SHA-256",
        ),
        (
            "a path for a hash",
            meta(),
            Fault::json(200, r#"{"data":{"hash":"sha256.../../x"}}"#),
            "tells no SHA-256",
        ),
        ("a document of 100 MiB", meta(), Fault::Huge(100 << 20), "longer than 16777216 bytes"),
        ("no word", meta(), Fault::Mute, "no whole answer within"),
    ];
    for (name, when, fault, words) in table {
        let (world, library) = lab();
        let target = out(&world).join("blast_v1.sif");
        fs::write(&target, OLD).unwrap();
        world.waits_for(&fault);
        library.fault(when, fault);
        let shown = pull(&world, &["-F", REFERENCE]);
        assert_eq!(shown.code, 255, "{name}: {shown:#?}");
        assert!(shown.stderr.contains(words), "{name}: it says {words:?}: {shown:#?}");
        assert!(!shown.stderr.contains('\x1b'), "{name}");
        assert_eq!(fs::read(&target).unwrap(), OLD, "{name}");
        assert_eq!(names_in(&world), ["blast_v1.sif"], "{name}");
        assert!(!world.user_dir().join("cache").exists(), "{name}: nothing is in the cache");
        assert!(library.violations().is_empty(), "{name}: {:?}", library.violations());
    }
}

#[test]
fn what_the_library_holds_may_be_no_good() {
    let cut = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    let table = [
        ("no image", b"#!/bin/sh\n".repeat(30_000), "it is not a SIF image"),
        ("short", b"SIF".to_vec(), "it is not a SIF image"),
        ("cut short", cut(sif(), 500_000), "it is a SIF image cut short"),
        ("its head alone", cut(sif(), 128), "it is a SIF image cut short"),
        (
            "for another machine",
            Sif::new("arm64").bytes(),
            "is an image for arm64, and one for amd64 was asked for",
        ),
    ];
    for (name, bytes, words) in table {
        let (world, library) = lab();
        library.add(NewImage::new("lab/tools/bad:v1", bytes));
        pull(&world, &["library://lab/tools/bad:v1"]).exits(255).says(words);
        assert_eq!(names_in(&world), Vec::<String>::new(), "{name}");
    }
    type Lie = fn(&mut NewImage);
    let lies: [(Lie, &str); 3] = [
        (|image| image.wrong_size = Some(5), "the image has 5 by the library's description"),
        (|image| image.wrong_hash = Some(format!("sha256.{}", "0".repeat(64))), "what came is not the image"),
        (|image| image.wrong_size = Some(u64::MAX / 2), "there is room for"),
    ];
    for (lie, words) in lies {
        let (world, library) = lab();
        let mut image = NewImage::new("lab/tools/bad:v1", sif());
        lie(&mut image);
        library.add(image);
        pull(&world, &["library://lab/tools/bad:v1"]).exits(255).says(words);
        assert_eq!(names_in(&world), Vec::<String>::new(), "{words}");
    }
}

#[test]
fn unsigned_images_are_named_unless_that_is_fine() {
    let (mut world, library) = lab();
    library.add(NewImage::new("lab/tools/plain:v1", Sif::new("amd64").bytes()));
    let reference = "library://lab/tools/plain:v1";
    pull(&world, &[reference]).exits(0).says("WARNING: ").says("plain_v1.sif holds no signature\n");
    for quiet in ["-U", "--allow-unsigned", "--allow-unauthenticated"] {
        pull(&world, &["-F", quiet, reference]).exits(0).never_shows("signature");
    }
    world.set_env("APPTAINER_ALLOW_UNSIGNED", "1");
    pull(&world, &["-F", reference]).exits(0).never_shows("signature");
}

fn entry(world: &World) -> PathBuf {
    let cache = world.user_dir().join("cache/library");
    let hash = ring::digest::digest(&ring::digest::SHA256, &sif());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    cache.join(format!("sha256.{hex}"))
}

#[test]
fn the_cache_is_used_and_proved() {
    let (world, library) = lab();
    pull(&world, &[REFERENCE]).exits(0);
    let entry = entry(&world);
    assert_eq!(fs::read(&entry).unwrap(), sif(), "where Apptainer looks");
    assert_eq!((crate::world::mode(&entry), crate::world::mode(entry.parent().unwrap())), (0o700, 0o700));
    library.forget();
    pull(&world, &["second.sif", REFERENCE]).exits(0).says("INFO:    Using cached image\n");
    assert_eq!((pieces(&library), fs::read(out(&world).join("second.sif")).unwrap()), (0, sif()));
    // One that lies is replaced; so is one that is longer than an image could be.
    for lie in [b"no image".to_vec(), vec![0; 2_000_000], sif()[..1000].to_vec()] {
        fs::write(&entry, &lie).unwrap();
        pull(&world, &["-F", "second.sif", REFERENCE])
            .exits(0)
            .says("is not what its name says, and is replaced\n")
            .says("Downloaded ");
        assert_eq!(
            (fs::read(out(&world).join("second.sif")).unwrap(), fs::read(&entry).unwrap()),
            (sif(), sif())
        );
    }
    // One that is longer than the disk is not copied to be compared, also if the library tells no size.
    fs::File::options().write(true).open(&entry).unwrap().set_len(8 << 40).unwrap();
    let hash = entry.file_name().unwrap().to_str().unwrap();
    let image = format!(r#"{{"data":{{"id":"1","hash":"{hash}"}}}}"#);
    library.fault(When::get("/library/v1/images/").nth(1), Fault::json(200, &image));
    pull(&world, &["-F", "second.sif", REFERENCE])
        .exits(0)
        .says("is not what its name says")
        .says("Downloaded ");
    assert_eq!((library.faults_hit(), fs::metadata(&entry).unwrap().len()), (1, sif().len() as u64));
    // A link is not followed, whatever it leads to, and neither is a FIFO waited for.
    fs::rename(&entry, world.home().join("moved")).unwrap();
    symlink(world.home().join("moved"), &entry).unwrap();
    library.forget();
    pull(&world, &["-F", "second.sif", REFERENCE]).exits(0);
    assert!(
        pieces(&library) > 0 && !entry.is_symlink() && fs::read(world.home().join("moved")).unwrap() == sif()
    );
    fs::remove_file(&entry).unwrap();
    tool("mkfifo", &[entry.to_str().unwrap()]);
    pull(&world, &["-F", "second.sif", REFERENCE]).exits(0).says("Downloaded ");
}

#[test]
fn the_cache_is_used_where_the_library_tells_no_size() {
    let (world, library) = lab();
    let image = NewImage::new("lab/tools/nameless:v1", sif()).signed(KEY);
    library.add(NewImage { wrong_size: Some(0), ..image });
    pull(&world, &["first.sif", "library://lab/tools/nameless:v1"]).exits(0).says("Downloaded ");
    pull(&world, &["second.sif", "library://lab/tools/nameless:v1"]).exits(0).says("Using cached image");
}

#[test]
fn the_cache_can_be_elsewhere_or_nowhere() {
    let (mut world, library) = lab();
    pull(&world, &["--disable-cache", REFERENCE]).exits(0);
    assert!(!world.user_dir().join("cache").exists());
    world.set_env("APPTAINER_CACHEDIR", world.home().join("scratch"));
    pull(&world, &["two.sif", REFERENCE]).exits(0);
    assert_eq!(crate::disk::names(&world.home().join("scratch/cache/library")).len(), 1);
    world.set_env("APPTAINER_CACHEDIR", "/proc/nothing");
    pull(&world, &["three.sif", REFERENCE]).exits(0).never_shows("cache");
    world.set_env("APPTAINER_DISABLE_CACHE", "true");
    world.set_env("APPTAINER_CACHEDIR", world.home().join("scratch"));
    library.forget();
    pull(&world, &["four.sif", REFERENCE]).exits(0);
    assert!(pieces(&library) > 0);
}

#[test]
fn a_singularity_that_stands_in_is_not_hidden() {
    if apptainer_alone("~/.singularity stands in for ~/.apptainer") {
        return;
    }
    let (world, library) = lab();
    fs::rename(world.user_dir(), world.home().join(".singularity")).unwrap();
    pull(&world, &[REFERENCE]).exits(0);
    assert!(!world.user_dir().exists(), "it would hide ~/.singularity");
    drop(library);
}

#[test]
fn nonsense_in_the_environment_is_an_error() {
    for (name, value) in [
        ("DOWNLOAD_CONCURRENCY", "0"),
        ("DOWNLOAD_CONCURRENCY", "many"),
        ("DOWNLOAD_CONCURRENCY", "-1"),
        ("DOWNLOAD_PART_SIZE", "0"),
        ("DOWNLOAD_PART_SIZE", "5M"),
        ("DOWNLOAD_PART_SIZE", "99999999999999999999"),
        ("DOWNLOAD_MIN_RATE", "-1"),
        ("DOWNLOAD_MIN_RATE", "1K"),
    ] {
        let (mut world, library) = lab();
        world.set_env(&format!("APPTAINER_{name}"), value);
        pull(&world, &[REFERENCE])
            .exits(255)
            .says(&format!("APPTAINER_{name}={value}: this must be a number"));
        assert!(library.requests().is_empty());
    }
    let (mut world, library) = lab();
    world.set_env("APPTAINER_DOWNLOAD_CONCURRENCY", "1");
    pull(&world, &[REFERENCE]).exits(0);
    assert_eq!(library.most_at_once(), 1);
}

#[test]
fn references_that_are_none() {
    let (world, library) = lab();
    library.forget();
    for text in [
        "library://",
        "library://a//b",
        "library://a/b/c/d/e",
        "library://a b",
        "library://a:",
        "library://../x",
    ] {
        pull(&world, &[text]).exits(255).says("FATAL:   malformed library reference");
    }
    pull(&world, &["library://me:canary@h/a/b/c"]).exits(255);
    pull(&world, &["library://lab/tools/blast:v1,v2"])
        .exits(255)
        .says("names several tags, and pull takes one")
        .says("hint:    apptainer pull library://lab/tools/blast:v1\n");
    pull(&world, &["--library", "https://l.example", "library://h.example/a/b/c"]).exits(1).says("Usage:");
    pull(&world, &["--arch", "../..", REFERENCE]).exits(255).says("not an architecture of images");
    assert!(library.requests().is_empty());
}

#[test]
fn which_library_and_whether_it_gets_the_token() {
    let (mut world, library) = lab();
    library.set(|settings| settings.public = false);
    // By its own address, and by a host in the reference: the token goes with it.
    pull(&world, &["--disable-cache", "--library", &library.uri(), REFERENCE]).exits(0);
    // Another library gets none.
    let other = Library::http();
    other.add(NewImage::new("lab/tools/blast:v1", sif()));
    pull(&world, &["other.sif", "--disable-cache", "--library", &other.uri(), REFERENCE]).exits(0);
    let by_host = format!("library://{}/lab/tools/blast:v1", other.host());
    other.forget();
    pull(&world, &["--no-https", "y.sif", &by_host])
        .exits(255)
        .says("image does not exist")
        .never_shows("canary");
    assert!(!other.requests().is_empty());
    assert!(other.requests().iter().all(|seen| seen.request.header("authorization").is_none()));
    for url in ["ftp://x", "nonsense", "https://u:canary@h/", "file:///etc"] {
        pull(&world, &["--library", url, "x.sif", REFERENCE]).exits(255).says("names no library");
    }
    world.set_env("APPTAINER_LIBRARY", "nonsense");
    pull(&world, &["x.sif", REFERENCE])
        .exits(255)
        .says("APPTAINER_LIBRARY names no library \"nonsense\": its address begins with https:// or http://");
    world.set_env("APPTAINER_LIBRARY", "");
    // Without a token the library says no, and we say what to type.
    world.write_user(remote(&library, ""));
    pull(&world, &["x.sif", REFERENCE])
        .exits(255)
        .says("401 Unauthorized")
        .says("hint:    apptainer remote login lab\n");
    // One that is not valid any more.
    world.write_user(remote(&library, TOKEN));
    library.revoke_tokens();
    let log_in = "hint:    apptainer remote login lab\n";
    pull(&world, &["x.sif", REFERENCE])
        .exits(255)
        .says("401 Unauthorized")
        .says(log_in)
        .never_shows("expired");
    // {"exp":1000000000}
    world.write_user(remote(&library, "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.c2ln"));
    let when = "hint:    Token expired: 2001-09-09T01:46:40Z (";
    pull(&world, &["x.sif", REFERENCE]).exits(255).says(when).says(log_in);
    world.write_user(remote(&library, TOKEN));
    // A place that the library sends to knows nothing of that login.
    library.accept_token(TOKEN);
    library.fault(When::get("/data"), Fault::error(401, "too late"));
    pull(&world, &["--disable-cache", "x.sif", REFERENCE])
        .exits(255)
        .says("too late")
        .never_shows("remote login");
}

#[test]
fn a_remote_without_a_library() {
    if apptainer_alone("the built-in remote of SingularityCE would be asked") {
        return;
    }
    let world = World::new();
    world
        .run(As::User, &["pull", "library://alpine"])
        .exits(255)
        .says("FATAL:   DefaultRemote (cloud.apptainer.org) has no library\n")
        .says("hint:    to add a remote that has a library: apptainer remote add NAME URI")
        .says("hint:    to make it the default in place of DefaultRemote: apptainer remote use NAME");
    let endpoint = Endpoint::http();
    endpoint.set_services(&[("tokenAPI", "https://t.example")]);
    world.write_user(format!(
        "Active: lab\nRemotes:\n    lab: {{URI: //{}, Insecure: true}}\n",
        endpoint.host()
    ));
    world.run(As::User, &["pull", "library://alpine"]).exits(255).says("lab has no library");
}

#[test]
fn under_an_exclusive_remote_there_is_no_other() {
    let (world, library) = lab();
    let global = format!(
        "Active: company\nRemotes:\n    company:\n        URI: //{}\n        System: true\n        Exclusive: true\n        Insecure: true\n",
        library.host()
    );
    world.write_global(global);
    let other = Library::http();
    let only = "endpoint is set as exclusive by the system administrator: only \"company\" can be used\n";
    let by_host = format!("library://{}/lab/tools/blast", other.host());
    pull(&world, &["--library", &other.uri(), REFERENCE]).exits(255).says(only);
    pull(&world, &["--no-https", &by_host]).exits(255);
    assert!(other.requests().is_empty());
    pull(&world, &["--library", &library.uri(), REFERENCE]).exits(0);
    pull(&world, &["two.sif", REFERENCE]).exits(0);
}

#[test]
fn over_https() {
    let ca = Ca::generate();
    let library = Library::https(ca.identity(), ca.identity());
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", sif()));
    let mut world = world(&library);
    world.write_user(remote(&library, TOKEN).replace("        Insecure: true\n", ""));
    ca.write(&world.path("ca.pem"));
    world.set_env("SSL_CERT_FILE", world.path("ca.pem"));
    pull(&world, &[REFERENCE]).exits(0);
    assert_eq!(fs::read(out(&world).join("blast_v1.sif")).unwrap(), sif());
}

#[test]
fn a_full_disk_is_told_before_and_in_the_middle() {
    let (world, library) = lab();
    library.add({
        let mut image = NewImage::new("lab/tools/lying:v1", sif());
        // The library does not tell how long it is, so that nobody can know before.
        image.wrong_size = Some(0);
        image
    });
    library.add({
        let mut image = NewImage::new("lab/tools/endless:v1", Sif::new("amd64").filled(9).bytes());
        image.wrong_size = Some(0);
        image
    });
    // Any page that takes no ranges will do.
    let page = crate::peers::library::DISCOVERY;
    let endless = Fault::redirect(302, &format!("{}{page}", library.url()));
    library.fault(When::get("/library/v1/imagefile/lab/tools/endless"), endless);
    library.fault(When::get(page).header("range", "bytes="), Fault::Endless);
    let script = "mount -t tmpfs -o size=256k,mode=777 none $W/home/images
        user pull --disable-cache --dir $W/home/images library://lab/tools/blast:v1
        user pull --disable-cache --dir $W/home/images library://lab/tools/lying:v1
        user pull --disable-cache --dir $W/home/images library://lab/tools/endless:v1
        ls -A $W/home/images | sed 's/^/left /'";
    let Some(shown) = with_mounts(&world, script) else { return };
    let ends: Vec<&str> = shown.stdout.lines().filter_map(|line| line.strip_prefix("exit ")).collect();
    assert_eq!(ends, ["255", "255", "255"], "{shown:#?}");
    assert!(!shown.stdout.contains("left "), "{shown:#?}");
    shown
        .says("bytes, and there is room for ")
        .says("lying_v1.sif: the image has 7")
        .says("endless_v1.sif: the server does not say how long the image is, and it fills the free space")
        .never_shows("canary");
}

#[test]
fn a_transfer_may_not_crawl() {
    let (mut world, library) = lab();
    world.pace.set(Duration::from_secs(3));
    let slow = || Fault::Drip(10, Duration::from_millis(50));
    let words = "the transfer is too slow: fewer than 1024 bytes a second for 3 s";
    for fault in [slow(), Fault::IgnoreRange] {
        library.clear_faults();
        library.fault(When::get("/data"), fault.clone());
        if matches!(fault, Fault::IgnoreRange) {
            // One stream.
            library.clear_faults();
            library.set(|settings| settings.download = Download::Direct);
            library.fault(When::get("/library/v1/imagefile"), slow());
        }
        pull(&world, &["--disable-cache", REFERENCE])
            .exits(255)
            .says(words)
            .says("hint:    to allow a slower transfer: set APPTAINER_DOWNLOAD_MIN_RATE");
        assert_eq!(names_in(&world), Vec::<String>::new());
    }
    // A slow one that is fast enough.
    world.set_env("APPTAINER_DOWNLOAD_MIN_RATE", "0");
    library.clear_faults();
    library.fault(When::get("/library/v1/imagefile").nth(1), Fault::Drip(1000, Duration::from_millis(80)));
    pull(&world, &["--disable-cache", REFERENCE]).exits(0);
}

/// A pull that hangs in the middle, as a process of its own.
fn hanging(world: &World, library: &Library) -> Option<Child> {
    library.fault(When::get("/data").nth(4), Fault::Silence(10));
    let mut command = world.command(As::User)?;
    let dir = out(world);
    command.args(["pull", "-F", "--dir"]).arg(&dir).arg(REFERENCE);
    let child = command.spawn().unwrap();
    let begun = Instant::now();
    while library.faults_hit() == 0 || names_in(world).len() < 2 {
        assert!(begun.elapsed() < PATIENT, "it never got there");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(child)
}

#[test]
fn a_signal_leaves_nothing_and_the_old_file_whole() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (world, library) = lab();
        let target = out(&world).join("blast_v1.sif");
        fs::write(&target, OLD).unwrap();
        let Some(child) = hanging(&world, &library) else { return };
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        assert_eq!(
            (names_in(&world), fs::read(&target).unwrap()),
            (vec!["blast_v1.sif".into()], OLD.to_vec())
        );
    }
}

#[test]
fn what_a_killed_pull_left_goes_with_the_next_and_a_live_ones_stays() {
    let (world, library) = lab();
    fs::write(out(&world).join("blast_v1.sif"), OLD).unwrap();
    let Some(mut child) = hanging(&world, &library) else { return };
    let left = || names_in(&world).into_iter().find(|name| name.starts_with('.'));
    let temporary = out(&world).join(left().expect("it writes beside the file"));
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let set_back =
        |path: &Path| fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    set_back(&temporary);
    library.clear_faults();
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert!(temporary.exists(), "the other one is still at work");
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    let _ = child.wait();
    set_back(&temporary);
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert_eq!(names_in(&world), ["blast_v1.sif"]);
}

#[test]
fn a_file_that_came_meanwhile_is_not_overwritten() {
    let (world, library) = lab();
    let Some(mut command) = world.command(As::User) else { return };
    let gate = Gate::closed();
    library.fault(When::get("/data").nth(4), Fault::Held(gate.clone()));
    let dir = out(&world);
    let child = command.args(["pull", "--dir"]).arg(&dir).arg(REFERENCE).spawn().unwrap();
    while names_in(&world).is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(dir.join("blast_v1.sif"), OLD).unwrap();
    gate.open();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("already exists"), "{said}");
    assert_eq!(
        (names_in(&world), fs::read(dir.join("blast_v1.sif")).unwrap()),
        (vec!["blast_v1.sif".into()], OLD.to_vec())
    );
}

#[test]
fn a_directory_that_cannot_be_written() {
    let (world, _library) = lab();
    let Some(mut command) = world.command(As::User) else { return };
    if is_root() {
        assert!(give(&out(&world), 0));
        chmod(&out(&world), 0o755);
    } else {
        chmod(&out(&world), 0o555);
    }
    let output = command.args(["pull", "--dir"]).arg(out(&world)).arg(REFERENCE).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("Permission denied"), "{said}");
}
