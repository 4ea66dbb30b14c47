//! Files that somebody else could have made or changed: who is warned, who is stopped, and that no token
//! goes where such a file says.

use crate::disk::{Picture, STRANGER, behind, chmod, give, names, process, run};
use crate::peers::endpoint::Endpoint;
use crate::world::{As, Shown, USER, World, finish, only_root, words};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

const TOKEN: &str = "canary-7f3a";

/// A world whose user layer holds the endpoint as `lab`, with a token.
fn user_lab(endpoint: &Endpoint) -> World {
    endpoint.accept_token(TOKEN);
    let world = World::new();
    world.write_user(format!("Active: lab\nRemotes:\n{}", entry(endpoint, false, true)));
    world
}

/// A world whose global layer holds the endpoint as `lab`; the user has a token for it.
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

/// Asks for the status; returns whether a token was sent for it.
#[track_caller]
fn status_sends(world: &World, endpoint: &Endpoint) -> bool {
    endpoint.forget();
    let shown = world.run(As::User, &words("-d remote status")).never_shows(TOKEN);
    assert!(endpoint.requests().len() > 1, "{shown:#?}");
    sent_a_token(endpoint)
}

/// The command of the one hint, which has to make everything well.
#[track_caller]
fn type_the_hint(shown: &Shown) {
    let hints: Vec<&str> = shown.stderr.lines().filter_map(|line| line.strip_prefix("hint:    ")).collect();
    let [hint] = hints[..] else { panic!("one hint: {shown:#?}") };
    run("sh", &["-c", hint.trim_start_matches("ask your administrator to run: ")]);
}

/// What must not be done to a user's layer, with a word of what each says first.
const WRITES: &[&str] = &[
    "use DefaultRemote",
    "add --no-login new new.example.com",
    "remove lab",
    "logout",
    "logout --all",
    "login",
];

/// A user's layer that is not trusted: shown with a warning, not written, and no token leaves it.
#[track_caller]
fn users_layer_is_shown_only(world: &World, endpoint: &Endpoint, culprit: &Path, reason: &str) {
    let why = format!("{} {reason}", culprit.display());
    let before = Picture::of(world);
    world
        .remote("list")
        .exits(0)
        .prints("lab  ")
        .says(&format!("WARNING: {why}: nothing is written to it and no token is sent from it; "));
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
fn a_users_file_or_directory_that_others_can_write() {
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
        let reason = format!("can be written by others (mode {mode:04o})");
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
fn a_users_file_or_directory_of_root_is_fine_and_of_a_stranger_is_not() {
    let endpoint = Endpoint::http();
    for below in [".apptainer/remote.yaml", ".apptainer"] {
        let world = user_lab(&endpoint);
        let path = world.home().join(below);
        // All of this is root's where root runs the test.
        assert!(status_sends(&world, &endpoint), "{below}");
        if !give(&path, STRANGER) {
            return;
        }
        users_layer_is_shown_only(
            &world,
            &endpoint,
            &path,
            &format!("belongs to uid {STRANGER}, who is not trusted with it"),
        );
        // For root it is whoever's home that is.
        world.root_remote("use DefaultRemote").exits(0);
        world.root_remote("use lab").exits(0);
        fs::remove_file(world.user_dir().join(".remote.yaml.lock")).unwrap();
        type_the_hint(&world.remote("use DefaultRemote").exits(255));
        world.remote("use DefaultRemote").exits(0);
    }
}

#[test]
fn a_token_of_the_environment_is_not_sent_where_a_strangers_file_says() {
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

/// A global layer that is not trusted: root is stopped with the command to type, users are warned, and no
/// token goes to what it defines.
#[track_caller]
fn global_layer_is_shown_only(world: &World, endpoint: &Endpoint, culprit: &Path, reason: &str) {
    let why = format!("{} {reason}", culprit.display());
    let before = Picture::of(world);
    for line in [
        "list",
        "status",
        "use lab",
        "use -g lab",
        "use -e lab",
        "add -g new new.example.com",
        "add --no-login own own.example.com",
        "remove -g lab",
        "login lab",
        "check -g",
    ] {
        let shown = world.pipe(TOKEN).root_remote(line).exits(255).says(&format!("FATAL:   {why}"));
        shown.says("\nhint:    ch").never_shows(TOKEN);
        before.is_still(world, line);
    }
    world
        .remote("list")
        .exits(0)
        .prints("lab ")
        .says(&format!("WARNING: {why}: no token is sent to a remote that it defines"));
    assert!(!status_sends(world, endpoint), "{why}");
    world.remote("status").exits(0).says(&format!("WARNING: the token for lab is not sent: {why}"));
    world.pipe(TOKEN).remote("login lab").exits(255).says(&format!("FATAL:   {why}")).never_shows(TOKEN);
    world.remote("get-login-password").exits(255).never_shows("oci-canary");
    assert!(!sent_a_token(endpoint));
    before.is_still(world, reason);
    // What is the user's own is none of the administrator's.
    world.remote(&format!("add --no-login -i own {}", endpoint.url())).exits(0);
    world.pipe(TOKEN).remote("login own").exits(0);
    assert!(status_sends(world, endpoint));
}

#[test]
fn a_global_file_or_directory_that_others_can_write() {
    let endpoint = Endpoint::http();
    for (below, mode, trusted) in [
        ("etc/apptainer/remote.yaml", 0o644, true),
        ("etc/apptainer/remote.yaml", 0o600, true),
        ("etc/apptainer/remote.yaml", 0o664, false),
        ("etc/apptainer/remote.yaml", 0o646, false),
        ("etc/apptainer", 0o775, false),
        ("etc/apptainer", 0o1777, false),
    ] {
        let world = global_lab(&endpoint);
        let path = world.path(below);
        chmod(&path, mode);
        if trusted {
            assert!(status_sends(&world, &endpoint), "{below} {mode:o}");
            world.root_remote("list").exits(0);
            continue;
        }
        if mode == 0o1777 {
            world.root_remote("list").exits(255).says("can be written by others (mode 1777)");
            assert!(!status_sends(&world, &endpoint));
            continue;
        }
        let reason = format!("can be written by others (mode {mode:04o})");
        global_layer_is_shown_only(&world, &endpoint, &path, &reason);
        type_the_hint(&world.root_remote("list").exits(255));
        world.root_remote("list").exits(0);
        world.remote("use lab").exits(0);
        assert!(status_sends(&world, &endpoint), "after the hint: {below} {mode:o}");
    }
}

#[test]
fn a_global_file_or_directory_of_somebody() {
    let endpoint = Endpoint::http();
    for below in ["etc/apptainer/remote.yaml", "etc/apptainer"] {
        for owner in [STRANGER, USER] {
            let world = global_lab(&endpoint);
            let path = world.path(below);
            if !give(&path, owner) {
                return;
            }
            let reason = format!("belongs to uid {owner}, who is not trusted with it");
            global_layer_is_shown_only(&world, &endpoint, &path, &reason);
            type_the_hint(&world.root_remote("list").exits(255));
            world.root_remote("list").exits(0);
        }
    }
}

#[test]
fn the_owner_of_the_program_may_own_the_global_layer() {
    let endpoint = Endpoint::http();
    let world = global_lab(&endpoint);
    if !give(&world.exe(), STRANGER) {
        return;
    }
    give(&world.global_file(), STRANGER);
    give(world.global_file().parent().unwrap(), STRANGER);
    assert!(status_sends(&world, &endpoint));
    world.root_remote("use -g DefaultRemote").exits(255).says("not a remote");
    world.root_remote("add -g new new.example.com").exits(0);
    assert_eq!(fs::metadata(world.global_file()).unwrap().uid(), STRANGER, "the owner is kept");
}

#[test]
fn a_missing_global_file_in_a_directory_of_others_is_not_taken_as_absent() {
    let endpoint = Endpoint::http();
    let world = global_lab(&endpoint);
    chmod(world.global_file().parent().unwrap(), 0o777);
    fs::remove_file(world.global_file()).unwrap();
    world.root_remote("list").exits(255).says("FATAL:").says("can be written by others");
    world.remote("list").exits(0).says("WARNING:").says("can be written by others");
}

#[test]
fn an_unreadable_global_file_or_directory_stops_everyone() {
    let endpoint = Endpoint::http();
    for below in ["etc/apptainer/remote.yaml", "etc/apptainer"] {
        let world = global_lab(&endpoint);
        world.give_home_to_user();
        let Some(_) = behind(&world, As::User, &[]) else { return };
        chmod(&world.path(below), 0o000);
        for line in ["list", "status", "use lab", "add --no-login x h", "login lab", "remove lab", "check"] {
            process(&world, As::User, line)
                .unwrap()
                .exits(255)
                .says("FATAL:   reading ")
                .says("etc/apptainer/remote.yaml: Permission denied");
        }
        chmod(&world.path(below), 0o755);
        assert!(endpoint.requests().is_empty());
    }
}

#[test]
fn trusted_links_to_the_global_layer_are_followed() {
    let endpoint = Endpoint::http();
    for absolute in [false, true] {
        for of_directory in [false, true] {
            let world = global_lab(&endpoint);
            let directory = world.global_file().parent().unwrap().to_path_buf();
            let elsewhere = world.path("elsewhere");
            let link = if of_directory {
                fs::rename(&directory, &elsewhere).unwrap();
                directory.clone()
            } else {
                fs::create_dir(&elsewhere).unwrap();
                fs::rename(world.global_file(), elsewhere.join("remote.yaml")).unwrap();
                world.global_file()
            };
            let name = if of_directory { "elsewhere" } else { "elsewhere/remote.yaml" };
            let up = if of_directory { ".." } else { "../.." };
            let target = if absolute { world.path(name) } else { Path::new(up).join(name) };
            symlink(&target, &link).unwrap();
            assert!(status_sends(&world, &endpoint), "{target:?}");
            world.root_remote("add -g -n new new.example.com").exits(0);
            assert_eq!(fs::read_link(&link).unwrap(), target, "the link stays");
            assert!(fs::read_to_string(elsewhere.join("remote.yaml")).unwrap().contains("new.example.com"));
            assert_eq!(names(&elsewhere), [".remote.yaml.lock", "remote.yaml"]);
            // A directory that others can write, on either side of the link, could be turned elsewhere.
            let holder = link.parent().unwrap();
            for shared in [holder, &elsewhere] {
                chmod(shared, 0o777);
                world
                    .root_remote("list")
                    .exits(255)
                    .says(&format!("FATAL:   {} can be written", shared.display()));
                assert!(!status_sends(&world, &endpoint));
                chmod(shared, 0o755);
            }
            if give(&link, STRANGER) {
                let shown = world.root_remote("list").exits(255);
                let shown = shown.says(&format!("FATAL:   {} belongs to uid {STRANGER}", link.display()));
                assert!(!status_sends(&world, &endpoint));
                world.root_remote("add -g other other.example.com").exits(255);
                type_the_hint(&shown);
                world.root_remote("add -g other other.example.com").exits(0);
            }
        }
    }
}

#[test]
fn a_global_link_in_a_circle_or_into_nothing() {
    for (target, says) in [("remote.yaml", "Too many levels"), ("../../nosuch/remote.yaml", "")] {
        let world = World::new();
        fs::remove_file(world.global_file()).unwrap();
        symlink(target, world.global_file()).unwrap();
        let before = Picture::of(&world);
        let shown = world.remote("list");
        if says.is_empty() {
            // The administrator's word for "nothing here"; root made that link.
            shown.exits(0).prints("DefaultRemote");
        } else {
            shown.exits(255).says("FATAL:   reading ");
        }
        before.is_still(&world, target);
    }
}

/// A home of the ordinary user in which root works; `None`, and a word, where this is not root.
fn users_home() -> Option<World> {
    let world = World::new();
    world.give_home_to_user();
    if !only_root("root in a user's home") {
        return None;
    }
    world.install();
    Some(world)
}

fn owners(dir: &Path) -> Vec<(String, u32, u32)> {
    let owner = |name: String| {
        let meta = fs::symlink_metadata(dir.join(&name)).unwrap();
        (name, meta.uid(), meta.gid())
    };
    names(dir).into_iter().map(owner).collect()
}

#[test]
fn what_root_makes_in_a_users_home_is_that_users() {
    let endpoint = Endpoint::http();
    endpoint.accept_token(TOKEN);
    let Some(world) = users_home() else { return };
    process(&world, As::Root, &format!("add --no-login -i lab {}", endpoint.url())).unwrap().exits(0);
    let mut login = behind(&world, As::Root, &[]).unwrap();
    login.args(words("remote login -p")).arg(TOKEN);
    finish(&mut login).exits(0).never_shows(TOKEN);
    assert_eq!(owners(&world.home()), [(".apptainer".to_string(), USER, USER)]);
    let made = owners(&world.user_dir());
    assert_eq!(
        made.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
        [".remote.yaml.lock", "remote-cache", "remote.yaml"]
    );
    let cached = owners(&world.user_dir().join("remote-cache"));
    assert!(
        made.iter().chain(&cached).all(|(_, uid, gid)| (*uid, *gid) == (USER, USER)),
        "{made:?} {cached:?}"
    );
    // So the user can go on.
    process(&world, As::User, "use DefaultRemote").unwrap().exits(0);
    process(&world, As::User, "logout lab").unwrap().exits(0);
}

#[test]
fn root_never_follows_a_users_link_out_of_the_home_to_write() {
    for (link, target) in [
        (".apptainer/remote.yaml", "secret/remote.yaml"),
        (".apptainer/remote.yaml", "secret/new.yaml"),
        (".apptainer", "secret"),
        (".apptainer/.remote.yaml.lock", "secret/remote.yaml"),
        (".apptainer/.remote.yaml.lock", "secret/new"),
    ] {
        let Some(world) = users_home() else { return };
        let secret = world.path("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("remote.yaml"), "Active: \"\"\n").unwrap();
        let link_path = world.home().join(link);
        if link != ".apptainer" {
            fs::create_dir(world.user_dir()).unwrap();
            give(&world.user_dir(), USER);
        }
        symlink(world.path(target), &link_path).unwrap();
        give(&link_path, USER);
        let before = (owners(&secret), fs::metadata(&secret).unwrap().mtime_nsec());
        for line in ["add --no-login lab lab.example.com", "use DefaultRemote"] {
            process(&world, As::Root, line).unwrap().exits(255).says("FATAL:   ").says(link);
        }
        assert_eq!(
            (owners(&secret), fs::metadata(&secret).unwrap().mtime_nsec()),
            before,
            "{link} → {target}"
        );
        assert_eq!(fs::read_to_string(secret.join("remote.yaml")).unwrap(), "Active: \"\"\n");
        assert!(fs::symlink_metadata(&link_path).unwrap().is_symlink());
    }
}

#[test]
fn root_caches_nothing_through_a_users_link() {
    let endpoint = Endpoint::http();
    endpoint.accept_token(TOKEN);
    let Some(world) = users_home() else { return };
    process(&world, As::Root, &format!("add --no-login -i lab {}", endpoint.url())).unwrap().exits(0);
    let secret = world.path("secret");
    fs::create_dir(&secret).unwrap();
    symlink(&secret, world.user_dir().join("remote-cache")).unwrap();
    give(&world.user_dir().join("remote-cache"), USER);
    let mut login = behind(&world, As::Root, &[]).unwrap();
    login.args(words("remote login -p")).arg(TOKEN);
    finish(&mut login).exits(0);
    assert!(names(&secret).is_empty());
}

#[test]
fn root_migrates_nothing_that_a_users_link_leads_to() {
    for (name, code) in [("docker-config.json", 0), ("sypgp/pgp-secret", 0), ("remote.yaml", 255)] {
        let Some(world) = users_home() else { return };
        let secret = world.path("secret");
        fs::write(&secret, "Active: canary\n").unwrap();
        chmod(&secret, 0o600);
        let legacy = world.home().join(".singularity");
        fs::create_dir_all(legacy.join("sypgp")).unwrap();
        symlink(&secret, legacy.join(name)).unwrap();
        world.give_home_to_user();
        process(&world, As::Root, "add --no-login lab lab.example.com")
            .unwrap()
            .exits(code)
            .says(&format!("{name} is a link of uid {USER} to what is not theirs"))
            .never_shows("canary");
        let copied = |dir: &Path| -> bool {
            dir.is_dir()
                && names(dir)
                    .iter()
                    .any(|name| fs::read_to_string(dir.join(name)).is_ok_and(|text| text.contains("canary")))
        };
        assert!(
            !copied(&world.user_dir()) && !copied(&world.user_dir().join("keys")),
            "{name} became the user's"
        );
    }
}

#[test]
fn migration_makes_nothing_believable_that_was_not() {
    let endpoint = Endpoint::http();
    endpoint.accept_token(TOKEN);
    for mode in [0o660, 0o606] {
        let world = World::new();
        let legacy = world.home().join(".singularity");
        fs::create_dir(&legacy).unwrap();
        chmod(&legacy, 0o700);
        let file = legacy.join("remote.yaml");
        fs::write(&file, format!("Active: lab\nRemotes:\n{}", entry(&endpoint, false, true))).unwrap();
        chmod(&file, mode);
        assert!(!status_sends(&world, &endpoint));
        let refused =
            world.remote("use DefaultRemote").exits(255).says(&format!("{} can be written", file.display()));
        assert!(!world.user_dir().exists());
        type_the_hint(&refused);
        world.remote("use DefaultRemote").exits(0);
        world.remote("use lab").exits(0);
        assert!(status_sends(&world, &endpoint));
    }
}
