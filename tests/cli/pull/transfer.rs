//! Transfers: interruptions are retried, and a file that is not the image never gets its name.

use super::*;

/// Faults that happen once or for a while, and after which the pull succeeds.
#[test]
fn flaky_servers_are_retried() {
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
        assert!(library.faults_hit() >= wanted, "{name}: the fault did not occur");
        assert_eq!(names_in(&world), ["blast_v1.sif"], "{name}");
        assert!(library.violations().is_empty(), "{name}: {:?}", library.violations());
    }
}

#[test]
fn expired_addresses_are_requested_again() {
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
fn the_library_can_send_the_bytes_itself() {
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

/// Faults that make a pull fail: the old file is unchanged, nothing is left next to it, and nothing is cached.
#[test]
fn a_wrong_download_never_gets_the_name_of_the_image() {
    let data = || When::get("/data");
    let meta = || When::get("/library/v1/images");
    let file = || When::get("/library/v1/imagefile");
    let with = |name, value: &str| Fault::With(name, value.into());
    let table: Vec<(&str, When, Fault, &str)> = vec![
        ("a wrong byte", data().nth(3), Fault::Flip(77), "checksum mismatch: got "),
        (
            "the whole for a part",
            data().nth(3).times(99),
            Fault::IgnoreRange,
            "sent the whole image, but a part was requested",
        ),
        (
            "another range",
            data().nth(2).times(99),
            with("Content-Range", "bytes 0-65535/727000"),
            "were requested",
        ),
        (
            "a range that is none",
            data().nth(2).times(99),
            with("Content-Range", "items 1-2/3"),
            "without saying which one",
        ),
        ("no range", data().nth(2).times(99), Fault::Without("Content-Range"), "without saying which one"),
        ("another total", data(), with("Content-Range", "bytes 0-65535/99"), ""),
        ("resets without end", data(), Fault::Reset(10), "closed the connection"),
        ("silence without end", data(), Fault::Silence(10), "stalled for"),
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
        ("a circle", file(), Fault::redirect(303, "?"), "redirects in a loop"),
        (
            "a file of this machine",
            file(),
            Fault::redirect(303, "file:///etc/passwd"),
            "the server redirects to an unsupported address",
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
        ("no fields", meta(), Fault::json(200, "{}"), "the response does not describe an image"),
        ("fields without values", meta(), Fault::json(200, r#"{"data":{}}"#), "gives no SHA-256"),
        (
            "a hash of another kind",
            meta(),
            Fault::json(200, r#"{"data":{"hash":"md5.00"}}"#),
            "gives no SHA-256",
        ),
        (
            "a path for a hash",
            meta(),
            Fault::json(200, r#"{"data":{"hash":"sha256.../../x"}}"#),
            "gives no SHA-256",
        ),
        ("a document of 100 MiB", meta(), Fault::Huge(100 << 20), "longer than 16777216 bytes"),
        ("no word", meta(), Fault::Mute, "timed out after"),
    ];
    for (name, when, fault, words) in table {
        let (world, library) = lab();
        let target = out(&world).join("blast_v1.sif");
        fs::write(&target, OLD).unwrap();
        world.waits_for(&fault);
        library.fault(when, fault);
        let shown = pull(&world, &["-F", REFERENCE]);
        assert_eq!(shown.code, 255, "{name}: {shown:#?}");
        assert!(shown.stderr.contains(words), "{name}: the message lacks {words:?}: {shown:#?}");
        assert!(!shown.stderr.contains('\x1b'), "{name}");
        assert_eq!(fs::read(&target).unwrap(), OLD, "{name}");
        assert_eq!(names_in(&world), ["blast_v1.sif"], "{name}");
        assert!(!world.user_dir().join("cache").exists(), "{name}: nothing is in the cache");
        assert!(library.violations().is_empty(), "{name}: {:?}", library.violations());
    }
}

#[test]
fn bad_images_in_the_library_are_refused() {
    let cut = |bytes: Vec<u8>, length: usize| bytes[..length].to_vec();
    let table = [
        ("no image", b"#!/bin/sh\n".repeat(30_000), "it is not a SIF image"),
        ("short", b"SIF".to_vec(), "it is not a SIF image"),
        ("cut short", cut(sif(), 500_000), "it is a truncated SIF image"),
        ("its head alone", cut(sif(), 128), "it is a truncated SIF image"),
        ("for another machine", Sif::new("arm64").bytes(), "is an image for arm64, but amd64 was requested"),
    ];
    for (name, bytes, words) in table {
        let (world, library) = lab();
        library.add(NewImage::new("lab/tools/bad:v1", bytes));
        pull(&world, &["library://lab/tools/bad:v1"]).exits(255).says(words);
        assert_eq!(names_in(&world), Vec::<String>::new(), "{name}");
    }
    type Lie = fn(&mut NewImage);
    let lies: [(Lie, &str); 3] = [
        (|image| image.wrong_size = Some(5), "the library says that the image has 5"),
        (|image| image.wrong_hash = Some(format!("sha256.{}", "0".repeat(64))), "checksum mismatch: got "),
        (|image| image.wrong_size = Some(u64::MAX / 2), "not enough space: "),
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
fn images_are_pulled_over_https() {
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
fn slow_transfers_are_aborted() {
    let (mut world, library) = lab();
    world.pace.set(Duration::from_secs(3));
    let slow = || Fault::Drip(10, Duration::from_millis(50));
    let words = "the transfer is too slow: less than 1024 bytes per second for 3 s";
    for fault in [slow(), Fault::IgnoreRange] {
        library.clear_faults();
        library.fault(When::get("/data"), fault.clone());
        if matches!(fault, Fault::IgnoreRange) {
            // A single stream.
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
    // Slow, but fast enough.
    world.set_env("APPTAINER_DOWNLOAD_MIN_RATE", "0");
    library.clear_faults();
    library.fault(When::get("/library/v1/imagefile").nth(1), Fault::Drip(1000, Duration::from_millis(80)));
    pull(&world, &["--disable-cache", REFERENCE]).exits(0);
}
