//! Which library is used, and with which token.

use super::*;

#[test]
fn invalid_environment_variables_are_errors() {
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
fn invalid_references_are_refused() {
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
        pull(&world, &[text])
            .exits(1)
            .says("error: malformed library reference")
            .says("Usage: apptainer pull ");
    }
    pull(&world, &["library://me:canary@h/a/b/c"]).exits(1).never_shows("canary");
    pull(&world, &["library://lab/tools/blast:v1,v2"])
        .exits(255)
        .says("pull takes one tag, and ")
        .says("hint:    apptainer pull library://lab/tools/blast:v1\n");
    pull(&world, &["--library", "https://l.example", "library://h.example/a/b/c"]).exits(1).says("Usage:");
    pull(&world, &["--arch", "../..", REFERENCE]).exits(255).says("unknown architecture");
    assert!(library.requests().is_empty());
}

#[test]
fn only_the_library_of_a_remote_gets_its_token() {
    let (mut world, library) = lab();
    library.set(|settings| settings.public = false);
    // The remote's own library by its address, or by a host in the reference: the token is sent.
    pull(&world, &["--disable-cache", "--library", &library.uri(), REFERENCE]).exits(0);
    // Another library gets no token.
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
        pull(&world, &["--library", url, "x.sif", REFERENCE])
            .exits(255)
            .says("is not the address of a library");
    }
    world.set_env("APPTAINER_LIBRARY", "nonsense");
    pull(&world, &["x.sif", REFERENCE]).exits(255).says(
        "APPTAINER_LIBRARY \"nonsense\" is not the address of a library: the address must begin with https:// or http://",
    );
    world.set_env("APPTAINER_LIBRARY", "");
    // Without a token the library refuses, and the hint says what to run.
    world.write_user(remote(&library, ""));
    pull(&world, &["x.sif", REFERENCE])
        .exits(255)
        .says("401 Unauthorized")
        .says("hint:    apptainer remote login lab\n");
    // An expired or revoked token.
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
    // A server that the library redirects to knows nothing of that login.
    library.accept_token(TOKEN);
    library.fault(When::get("/data"), Fault::error(401, "too late"));
    pull(&world, &["--disable-cache", "x.sif", REFERENCE])
        .exits(255)
        .says("too late")
        .never_shows("remote login");
}

#[test]
fn a_remote_without_a_library_is_an_error() {
    if apptainer_alone("SingularityCE's built-in remote would get a request") {
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
        "
Active: lab
Remotes:
    lab: {{URI: //{}, Insecure: true}}
",
        endpoint.host()
    ));
    world.run(As::User, &["pull", "library://alpine"]).exits(255).says("lab has no library");
}

#[test]
fn an_exclusive_remote_allows_no_other_library() {
    let (world, library) = lab();
    let global = format!(
        "\
Active: company
Remotes:
    company:
        URI: //{}
        System: true
        Exclusive: true
        Insecure: true
",
        library.host()
    );
    world.write_global(global);
    let other = Library::http();
    let only = "only \"company\" can be used (set exclusive by the administrator)\n";
    let by_host = format!("library://{}/lab/tools/blast", other.host());
    pull(&world, &["--library", &other.uri(), REFERENCE]).exits(255).says(only);
    pull(&world, &["--no-https", &by_host]).exits(255);
    assert!(other.requests().is_empty());
    pull(&world, &["--library", &library.uri(), REFERENCE]).exits(0);
    pull(&world, &["two.sif", REFERENCE]).exits(0);
}
