//! The login to a remote other than the default, for a library given on the command line. It is used if the
//! cached discovery document of that remote names the library; otherwise the error says what is missing.

use crate::disk::names;
use crate::peers::ca::Ca;
use crate::peers::library::{Fault, Library, NewImage, When};
use crate::peers::sif::Sif;
use crate::pull::world;
use crate::world::{As, Shown, World, finish};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const REFERENCE: &str = "library://lab/tools/blast:v1";

fn sif() -> Vec<u8> {
    Sif::new("amd64").filled(100_000).signed(KEY).bytes()
}

/// A private library with an image, which accepts these tokens.
fn private(tokens: &[&str]) -> Library {
    let library = Library::http();
    tokens.iter().for_each(|token| library.accept_token(token));
    library.set(|settings| {
        settings.public = false;
        settings.api_version = Some("2.0.0-alpha.2".into());
    });
    library.add(NewImage::new("lab/tools/blast:v1", sif()));
    library
}

/// An entry of `remote.yaml` for this library.
fn entry(name: &str, library: &Library, token: &str) -> String {
    let token = if token.is_empty() { String::new() } else { format!(", Token: {token}") };
    format!("    {name}: {{URI: //{}, Insecure: true{token}}}\n", library.host())
}

fn remotes(world: &World, entries: &[String]) {
    world.write_user(format!("Active: lab\nRemotes:\n{}", entries.concat()));
}

/// Runs as a process of the user: a cached discovery document is used only in the user's own directory.
fn run(world: &World, words: &[&str]) -> Shown {
    let mut command = world.command(As::User).expect("the user can always be had");
    let words: Vec<String> = words.iter().map(|word| world.in_words(word)).collect();
    world.shown(finish(command.args(words))).never_shows("canary")
}

/// Looks up the services of a remote, which caches the discovery document.
fn look_up(world: &World, name: &str) {
    let directory = world.user_dir().join("remote-cache");
    let _ = fs::create_dir(&directory);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    run(world, &["remote", "status", name]).says("Checking status of remote: ");
    assert!(!names(&directory).is_empty(), "{name}: no cached document");
}

/// Pulls with `--library`.
fn pull(world: &World, library: &Library, more: &[&str]) -> Shown {
    let (file, uri) = (world.home().join("x.sif").display().to_string(), library.uri());
    let all = [&["pull", "-F", "--disable-cache", "--library", &uri][..], more, &[&file, REFERENCE]].concat();
    run(world, &all)
}

fn push(world: &World, library: &Library) -> Shown {
    let file = world.home().join("own.sif");
    fs::write(&file, Sif::new("amd64").filled(9).signed(KEY).bytes()).unwrap();
    let (file, uri) = (file.display().to_string(), library.uri());
    run(world, &["push", "--library", &uri, &file, "library://lab/tools/own:v1"])
}

/// The tokens that this library received.
fn tokens(library: &Library) -> Vec<String> {
    let bearer = |seen: &crate::peers::library::Seen| {
        seen.request.header("authorization").map(|text| text.trim_start_matches("Bearer ").to_string())
    };
    let mut all: Vec<String> = library.requests().iter().filter_map(bearer).collect();
    all.dedup();
    all
}

fn asked_for_services(library: &Library) -> usize {
    library.requests_for("GET", crate::peers::library::DISCOVERY).len()
}

#[test]
fn a_login_to_another_remote_is_used_once_its_services_are_known() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-2"]));
    let mut world = world(&own);
    remotes(&world, &[entry("lab", &own, "canary-1"), entry("second", &other, "canary-2")]);
    // Nothing is known of the second remote, and it is not queried.
    for shown in [pull(&world, &other, &[]), push(&world, &other)] {
        shown
            .exits(255)
            .says(&format!("not logged in: --library names {}", other.uri()))
            .says("and no configured remote uses this library")
            .says("hint:    to look up the library of this remote: apptainer remote login second\n");
    }
    // Reading commands cache the document only if the cache directory exists.
    let cache = world.user_dir().join("remote-cache");
    fs::create_dir(&cache).unwrap();
    pull(&world, &other, &[])
        .says("hint:    to look up the library of this remote: apptainer remote status second\n");
    pull(&world, &other, &[]).says("401 Unauthorized").says("; no token was sent: not logged in: --library");
    assert!(tokens(&other).is_empty() && asked_for_services(&other) == 0);
    look_up(&world, "second");
    // The cached document may be of any age.
    let directory = world.user_dir().join("remote-cache");
    for copy in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&copy).unwrap();
        let (before, after) = text.split_once("\"time\":").unwrap();
        fs::write(&copy, format!("{before}\"time\":1{}", &after[after.find(',').unwrap()..])).unwrap();
    }
    other.forget();
    pull(&world, &other, &[]).exits(0);
    push(&world, &other).exits(0);
    assert_eq!((tokens(&other), asked_for_services(&other)), (vec!["canary-2".to_string()], 0));
    // The library given by a host in the reference, and by the variable.
    let by_host = format!("library://{}/lab/tools/blast:v1", other.host());
    let file = world.home().join("y.sif").display().to_string();
    let words = ["pull", "-F", "--no-https", "--disable-cache", &file, &by_host];
    let shown = run(&world, &words);
    assert!(shown.stderr.contains("image does not exist") || shown.code == 0, "{shown:#?}");
    world.set_env("APPTAINER_LIBRARY", other.uri());
    run(&world, &["pull", "-F", "--disable-cache", &file, REFERENCE]).exits(0);
    run(&world, &["search", "blast"]).exits(0);
    assert_eq!(tokens(&other), ["canary-2"]);
    assert!(tokens(&own).is_empty(), "{:?}", tokens(&own));
}

#[test]
fn of_two_matching_remotes_the_default_is_used_or_else_the_first_by_name() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-a", "canary-b"]));
    let world = world(&own);
    let (a, b) = (entry("a", &other, "canary-a"), entry("b", &other, "canary-b"));
    remotes(&world, &[entry("lab", &own, "canary-1"), b.clone(), a.clone()]);
    look_up(&world, "a");
    other.forget();
    pull(&world, &other, &[]).exits(0);
    assert_eq!(tokens(&other), ["canary-a"]);
    world.write_user(format!("Active: b\nRemotes:\n{a}{b}"));
    other.forget();
    pull(&world, &other, &[]).exits(0);
    assert_eq!(tokens(&other), ["canary-b"]);
    // A remote without a login has no token to send; the remote with a login is used.
    world.write_user(format!("Active: b\nRemotes:\n{a}{}", entry("b", &other, "")));
    other.forget();
    pull(&world, &other, &[]).exits(0);
    assert_eq!(tokens(&other), ["canary-a"]);
}

/// An unverified endpoint may name any library, and requests to that library would not be verified either.
#[test]
fn of_two_matching_remotes_a_verified_one_precedes_an_insecure_one() {
    let ca = Ca::generate();
    let other = Library::https(ca.identity(), ca.identity());
    other.accept_token("canary-b");
    other.set(|settings| settings.public = false);
    other.add(NewImage::new("lab/tools/blast:v1", sif()));
    let claiming = crate::peers::endpoint::Endpoint::http();
    claiming.set_services(&[("libraryAPI", &other.uri())]);
    let own = private(&["canary-1"]);
    let mut world = world(&own);
    ca.write(&world.path("ca.pem"));
    world.set_env("SSL_CERT_FILE", world.path("ca.pem"));
    let a = format!("    a: {{URI: //{}, Insecure: true, Token: canary-a}}\n", claiming.host());
    let b = format!("    b: {{URI: //{}, Token: canary-b}}\n", other.host());
    remotes(&world, &[entry("lab", &own, "canary-1"), a, b]);
    look_up(&world, "a");
    look_up(&world, "b");
    other.forget();
    pull(&world, &other, &[]).exits(0);
    assert_eq!(tokens(&other), ["canary-b"]);
    // The server is not asked without verification if the verified remote has no token.
    let a = format!("    a: {{URI: //{}, Insecure: true, Token: canary-a}}\n", claiming.host());
    let b = format!("    b: {{URI: //{}}}\n", other.host());
    remotes(&world, &[entry("lab", &own, "canary-1"), a, b]);
    other.forget();
    pull(&world, &other, &[]).exits(255).says("no token was sent: not logged in to b");
    assert_eq!(tokens(&other), [""; 0]);
}

#[test]
fn a_matching_remote_without_a_login_is_named() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-2"]));
    let world = world(&own);
    remotes(&world, &[entry("lab", &own, "canary-1"), entry("second", &other, "")]);
    look_up(&world, "second");
    for status in [401, 403, 500] {
        other.clear_faults();
        other.fault(When::get("/library/v1"), Fault::error(status, "no"));
        pull(&world, &other, &[])
            .exits(255)
            .says(&format!("{status} "))
            .says(": no; no token was sent: not logged in to second\n")
            .says("hint:    apptainer remote login second\n");
    }
    push(&world, &other).exits(255).says("not logged in to second\n");
    // Other failures give other reasons.
    other.clear_faults();
    other.fault(When::get("/library/v1"), Fault::error(400, "no"));
    pull(&world, &other, &[]).exits(255).never_shows("token");
}

#[test]
fn no_token_from_an_untrusted_file_is_sent() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-2"]));
    let world = world(&own);
    remotes(&world, &[entry("lab", &own, "canary-1"), entry("second", &other, "canary-2")]);
    look_up(&world, "second");
    other.forget();
    fs::set_permissions(world.user_file(), fs::Permissions::from_mode(0o666)).unwrap();
    pull(&world, &other, &[]).exits(255).says("the token for second is not sent: ");
    assert!(tokens(&other).is_empty());
}

#[test]
fn a_redirect_to_another_server_is_given_as_the_reason() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-2"]));
    let world = world(&own);
    remotes(&world, &[entry("lab", &own, "canary-1")]);
    let to = format!("{}/library/v1/images/lab/tools/blast:v1?arch=amd64", other.url());
    own.fault(When::get("/library/v1/images"), Fault::redirect(302, &to));
    pull(&world, &own, &[])
        .exits(255)
        .says("401 Unauthorized")
        .says(&format!("no token was sent: this server is not the library, {}", own.uri()));
    assert!(tokens(&other).is_empty());
}

/// Services that a verified endpoint names over http get no token, whoever gave the address.
#[test]
fn a_token_for_verified_https_is_not_sent_over_http() {
    let (own, other) = (private(&["canary-1"]), private(&["canary-2"]));
    let ca = Ca::generate();
    let endpoint = crate::peers::endpoint::Endpoint::https(ca.identity());
    endpoint.set_services(&[("libraryAPI", &other.uri())]);
    let mut world = world(&own);
    ca.write(&world.path("ca.pem"));
    world.set_env("SSL_CERT_FILE", world.path("ca.pem"));
    let second = format!("    second: {{URI: {}, Token: canary-2}}\n", endpoint.host());
    remotes(&world, &[entry("lab", &own, "canary-1"), second]);
    look_up(&world, "second");
    pull(&world, &other, &[]).exits(255).says("WARNING: refusing to send the token to http://").says("401");
    assert!(tokens(&other).is_empty());
}
