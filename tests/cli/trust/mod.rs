//! Files that another user could have created or changed: who gets a warning, who gets an error, and that no
//! token is sent to servers named in such a file.

mod global_layer;
mod root;

use crate::disk::{Picture, STRANGER, behind, chmod, give, names, process, run};
use crate::peers::endpoint::Endpoint;
use crate::world::{As, Shown, USER, World, finish, only_root, words};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

const TOKEN: &str = "canary-7f3a";

/// A world whose user layer has the endpoint as `lab`, with a token.
fn user_lab(endpoint: &Endpoint) -> World {
    endpoint.accept_token(TOKEN);
    let world = World::new();
    world.write_user(format!("Active: lab\nRemotes:\n{}", entry(endpoint, false, true)));
    world
}

/// A world whose global layer has the endpoint as `lab`; the user has a token for it.
fn global_lab(endpoint: &Endpoint) -> World {
    endpoint.accept_token(TOKEN);
    let world = World::new();
    world.write_global(format!("Active: lab\nRemotes:\n{}", entry(endpoint, true, false)));
    world.write_user(format!("Active: \"\"\nRemotes:\n{}", entry(endpoint, true, true)));
    world
}

fn entry(endpoint: &Endpoint, system: bool, token: bool) -> String {
    let token = if token { format!("        Token: {TOKEN}\n") } else { String::new() };
    format!(
        "    lab:\n        URI: //{}\n{token}        System: {system}\n        Exclusive: false\n        Insecure: true\n",
        endpoint.host()
    )
}

/// Whether any request so far carried a credential.
fn sent_a_token(endpoint: &Endpoint) -> bool {
    endpoint.requests().iter().any(|request| request.header("authorization").is_some())
}

/// Requests the status; returns whether a token was sent for it.
#[track_caller]
fn status_sends(world: &World, endpoint: &Endpoint) -> bool {
    endpoint.forget();
    let shown = world.run(As::User, &words("-d remote status")).never_shows(TOKEN);
    assert!(endpoint.requests().len() > 1, "{shown:#?}");
    sent_a_token(endpoint)
}

/// Runs the command of the only hint, which must fix everything.
#[track_caller]
fn type_the_hint(shown: &Shown) {
    let hints: Vec<&str> = shown.stderr.lines().filter_map(|line| line.strip_prefix("hint:    ")).collect();
    let [hint] = hints[..] else { panic!("one hint: {shown:#?}") };
    run("sh", &["-c", hint.trim_start_matches("ask your administrator to run: ")]);
}

/// Commands that write a user's layer, which must fail.
const WRITES: &[&str] = &[
    "use DefaultRemote",
    "add --no-login new new.example.com",
    "remove lab",
    "logout",
    "logout --all",
    "login",
];

/// Asserts that an untrusted user layer is shown with a warning, is not written, and that none of its tokens is
/// sent.
#[track_caller]
fn users_layer_is_shown_only(world: &World, endpoint: &Endpoint, culprit: &Path, reason: &str) {
    let why = format!("{} {reason}", culprit.display());
    let before = Picture::of(world);
    world
        .remote("list")
        .exits(0)
        .prints("lab  ")
        .says(&format!("WARNING: {why}: it will not be written, and its tokens will not be sent; "));
    assert!(!status_sends(world, endpoint), "{why}");
    world.remote("status").exits(0).says(&format!("WARNING: the token for lab is not sent: {why}"));
    world.remote("get-login-password").exits(255).never_shows("oci-canary").never_shows(TOKEN);
    for line in WRITES {
        let shown = world.pipe(TOKEN).remote(line).exits(255).says(&format!("FATAL:   {why}"));
        shown.says("\nhint:    ").never_shows(TOKEN);
    }
    assert!(!sent_a_token(endpoint));
    before.is_still(world, reason);
}

#[test]
fn a_users_file_or_directory_writable_by_others_is_not_trusted() {
    let endpoint = Endpoint::http();
    for (below, mode, trusted) in [
        (".apptainer/remote.yaml", 0o600, true),
        (".apptainer/remote.yaml", 0o644, true),
        (".apptainer/remote.yaml", 0o400, true),
        (".apptainer/remote.yaml", 0o620, false),
        (".apptainer/remote.yaml", 0o602, false),
        (".apptainer", 0o755, true),
        (".apptainer", 0o770, false),
        (".apptainer", 0o707, false),
        (".apptainer", 0o1777, false),
    ] {
        let world = user_lab(&endpoint);
        let path = world.home().join(below);
        chmod(&path, mode);
        if trusted {
            assert!(status_sends(&world, &endpoint), "{below} {mode:o}");
            world.remote("use DefaultRemote").exits(0);
            continue;
        }
        let reason = format!("is writable by others (mode {mode:04o})");
        users_layer_is_shown_only(&world, &endpoint, &path, &reason);
        let refused = world.remote("use DefaultRemote").exits(255);
        if mode != 0o1777 {
            type_the_hint(&refused);
            world.remote("use DefaultRemote").exits(0);
            world.remote("use lab").exits(0);
            assert!(status_sends(&world, &endpoint), "after the hint: {below} {mode:o}");
        }
    }
}

#[test]
fn a_users_file_or_directory_may_belong_to_root_but_not_to_a_stranger() {
    let endpoint = Endpoint::http();
    for below in [".apptainer/remote.yaml", ".apptainer"] {
        let world = user_lab(&endpoint);
        let path = world.home().join(below);
        // Everything here belongs to root if root runs the test.
        assert!(status_sends(&world, &endpoint), "{below}");
        if !give(&path, STRANGER) {
            return;
        }
        users_layer_is_shown_only(&world, &endpoint, &path, &format!("is owned by uid {STRANGER}"));
        // For root, the file belongs to the owner of the home.
        world.root_remote("use DefaultRemote").exits(0);
        world.root_remote("use lab").exits(0);
        fs::remove_file(world.user_dir().join(".remote.yaml.lock")).unwrap();
        type_the_hint(&world.remote("use DefaultRemote").exits(255));
        world.remote("use DefaultRemote").exits(0);
    }
}

#[test]
fn a_token_from_the_environment_is_not_sent_to_remotes_of_a_strangers_file() {
    let endpoint = Endpoint::http();
    let mut world = user_lab(&endpoint);
    world.set_env("APPTAINER_TOKEN", TOKEN);
    world.set_env("APPTAINER_TOKEN_HOST", "127.0.0.1");
    assert!(status_sends(&world, &endpoint));
    chmod(&world.user_file(), 0o666);
    assert!(!status_sends(&world, &endpoint));
    let mut world = global_lab(&endpoint);
    world.set_env("APPTAINER_TOKEN", TOKEN);
    world.set_env("APPTAINER_TOKEN_HOST", "127.0.0.1");
    assert!(status_sends(&world, &endpoint));
    chmod(&world.global_file(), 0o666);
    assert!(!status_sends(&world, &endpoint));
}
