//! `search` and `delete`.

use crate::peers::library::{Fault, Library, NewImage, When};
use crate::peers::sif::Sif;
use crate::pull::world;
use crate::world::{As, Shown, World};

const TOKEN: &str = "canary-t0ken";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn lab() -> (World, Library) {
    let library = Library::http();
    library.accept_token(TOKEN);
    let image =
        |reference: &str, filler: u64| NewImage::new(reference, Sif::new("amd64").filled(filler).bytes());
    library.add(image("lab/tools/blast:v2,latest", 1).signed(KEY).description("finds things\u{1b}[2J"));
    library.add(image("ada/tools/blast:v1", 2));
    library.add(image("ada/tools/blastx", 3));
    library.add(NewImage::new("ada/arm/blast:v1", Sif::new("arm64").bytes()).arch("arm64"));
    let mut world = world(&library);
    world.set_env("APPTAINER_SEARCH_ARCH", "amd64");
    world.set_env("APPTAINER_ARCH", "amd64");
    (world, library)
}

fn run(world: &World, words: &[&str]) -> Shown {
    world.run(As::User, words).never_shows("canary")
}

#[test]
fn results_are_listed_as_in_apptainer() {
    let (world, library) = lab();
    let hash = library.images().into_iter().find(|image| image.size == library_size(3)).unwrap().hash;
    let shown = run(&world, &["search", "blast"]).exits(0);
    let expected = format!(
        "Found 3 container images for amd64 matching \"blast\":\n\n\
         \tlibrary://ada/tools/blast:v1\n\n\
         \tlibrary://ada/tools/blastx:{hash}\n\n\
         \tlibrary://lab/tools/blast:latest,v2\n\t\tfinds things\\x1b[2J\n\t\tSigned by: {KEY}\n\n"
    );
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), (expected.as_str(), ""));
    run(&world, &["search", "--signed", "blast"]).exits(0).prints("Found 1 container images");
    run(&world, &["search", "--arch", "arm64", "blast"]).exits(0).prints("\tlibrary://ada/arm/blast:v1\n\n");
    let none = run(&world, &["search", "nothing"]).exits(0);
    assert_eq!(none.stdout, "No container images found for amd64 matching \"nothing\".\n\n");
}

fn library_size(filler: u64) -> u64 {
    Sif::new("amd64").filled(filler).bytes().len() as u64
}

#[test]
fn invalid_queries_are_refused_and_library_failures_are_reported() {
    let (world, library) = lab();
    library.forget();
    run(&world, &["search", "ab"]).exits(1).says("at least 3 characters");
    run(&world, &["search", "library://blast"]).exits(1).says("is a URI");
    run(&world, &["search", ""]).exits(1).says("<QUERY>");
    assert!(library.requests().is_empty());
    let search = || When::get("/library/v1/search");
    for (fault, words) in [
        (Fault::error(401, "who"), "401 Unauthorized: who"),
        (Fault::error(500, "oops"), "500 Internal Server Error: oops"),
        (Fault::retry_after(429, 7), "the server asks to wait 7 s"),
        (Fault::json(200, "[]"), "the response is not a list of images"),
        (Fault::json(200, r#"{"data":{"image":7}}"#), "the response is not a list of images"),
        (Fault::Mute, "timed out after"),
        (Fault::Close, "closed the connection"),
    ] {
        library.clear_faults();
        world.waits_for(&fault);
        library.fault(search(), fault);
        run(&world, &["search", "blast"])
            .exits(255)
            .says("FATAL:   while searching the library: ")
            .says(words);
    }
    library.clear_faults();
    library.fault(search(), Fault::json(200, r#"{"data":{"image":null}}"#));
    run(&world, &["search", "blast"]).exits(0).prints("No container images");
}

#[test]
fn a_long_result_is_cut_and_the_rest_is_counted() {
    let (world, library) = lab();
    let image = |name: &str, count: usize| {
        let tags: Vec<_> = (0..count).map(|n| format!("v{n}")).collect();
        serde_json::json!({
            "entityName": "e", "collectionName": "c", "containerName": name, "tags": tags,
            "fingerprints": vec!["F"; count], "description": "d".repeat(300),
        })
    };
    let mut images = vec![image("a", 102)];
    images.extend((0..1500).map(|n| image(&format!("b{n}{}", "n".repeat(300)), 1)));
    let body = serde_json::json!({"data": {"image": images}}).to_string();
    library.fault(When::get("/library/v1/search"), Fault::json(200, &body));
    let shown = run(&world, &["search", "blast"]).exits(0);
    shown
        .clone()
        .prints("Found 1501 container images for amd64 matching \"blast\":\n\n\tlibrary://e/c/a:v0,v1,");
    let lines: Vec<_> = shown.stdout.lines().collect();
    assert_eq!(lines[3], "\t\t(2 more tags)");
    assert_eq!(lines[4], format!("\t\t{}…", "d".repeat(256)));
    assert!(
        lines[5].starts_with("\t\tSigned by: F,F,") && lines[5].ends_with(",F and 2 more"),
        "{}",
        lines[5]
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with("\tlibrary://e/c/b")).count(), 999);
    assert!(lines[7].starts_with("\tlibrary://e/c/b0nnn") && lines[7].ends_with("nn…:v0"), "{}", lines[7]);
    let end = "\n\n(501 more images not shown; use a longer query)\n\n";
    assert!(shown.stdout.ends_with(end), "{:?}", lines.last());
    let shown = run(&world, &["search", "--json", "blast"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["images"].as_array().unwrap().len(), 1000);
    assert_eq!(document["more"], 501);
    assert_eq!(
        (&document["images"][0]["more_tags"], &document["images"][0]["more_fingerprints"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn an_image_is_deleted_after_confirmation() {
    let (mut world, library) = lab();
    let reference = "library://ada/tools/blast:v1";
    run(&world, &["delete", reference])
        .exits(255)
        .says("standard input is not a terminal")
        .says("hint:    apptainer delete --force library://ada/tools/blast:v1\n");
    world = world.on_terminal();
    world.answer("n");
    run(&world, &["delete", "library://lab/tools/blast:v2"])
        .exits(0)
        .says("WARNING: this also deletes these tags of lab/tools/blast:v2: latest\nAre you sure ");
    for answer in ["n", "", "maybe"] {
        world.answer(answer);
        run(&world, &["delete", reference])
            .exits(0)
            .says("Are you sure you want to delete ada/tools/blast:v1 (amd64) [y/N] ")
            .says("Nothing was deleted.");
    }
    assert!(library.image("ada/tools/blast:v1", "amd64").is_some());
    world.answer("y");
    run(&world, &["delete", reference]).exits(0).says("INFO:    Image ada/tools/blast:v1 (amd64) deleted.\n");
    assert!(library.image("ada/tools/blast:v1", "amd64").is_none());
    run(&world, &["delete", "-F", reference])
        .exits(255)
        .says("FATAL:   image does not exist in the library: ada/tools/blast:v1 (amd64)\n");
    run(&world, &["delete", "-F", "--arch", "arm64", "ada/arm/blast:v1"]).exits(0);
    run(&world, &["delete", "-F", "lab/tools/blast:v2,latest"]).exits(255).says("delete takes one tag");
}

#[test]
fn refused_deletions_are_reported() {
    let (world, library) = lab();
    for (fault, words) in [
        (Fault::error(403, "not yours"), "403 Forbidden: not yours"),
        (Fault::error(500, "oops"), "500 Internal Server Error: oops"),
        (Fault::redirect(307, "/elsewhere"), "the server redirects this request"),
        (Fault::Close, "closed the connection"),
    ] {
        library.clear_faults();
        library.fault(When::delete("/library/v1/images"), fault);
        let shown = run(&world, &["delete", "-F", "library://ada/tools/blast:v1"]).exits(255);
        shown.says("FATAL:   unable to delete image from library: ").says(words);
    }
    world.write_user(world.user().replace(&format!("        Token: {TOKEN}\n"), ""));
    run(&world, &["delete", "-F", "ada/tools/blast:v1"])
        .exits(255)
        .says("FATAL:   cannot delete from the library: not logged in to lab\n");
    assert!(library.image("ada/tools/blast:v1", "amd64").is_some());
}
