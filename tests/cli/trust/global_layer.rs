//! Who must own the global layer.

use super::*;

/// Asserts that with an untrusted global layer root gets an error with the command to run, users get a warning,
/// and no token is sent to its remotes.
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
        .says(&format!("WARNING: {why}: its remotes will not be sent tokens"));
    assert!(!status_sends(world, endpoint), "{why}");
    world.remote("status").exits(0).says(&format!("WARNING: the token for lab is not sent: {why}"));
    world.pipe(TOKEN).remote("login lab").exits(255).says(&format!("FATAL:   {why}")).never_shows(TOKEN);
    world.remote("get-login-password").exits(255).never_shows("oci-canary");
    assert!(!sent_a_token(endpoint));
    before.is_still(world, reason);
    // The user's own remotes do not depend on the administrator's file.
    world.remote(&format!("add --no-login -i own {}", endpoint.url())).exits(0);
    world.pipe(TOKEN).remote("login own").exits(0);
    assert!(status_sends(world, endpoint));
}

#[test]
fn a_global_file_or_directory_writable_by_others_is_not_trusted() {
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
            world.root_remote("list").exits(255).says("is writable by others (mode 1777)");
            assert!(!status_sends(&world, &endpoint));
            continue;
        }
        let reason = format!("is writable by others (mode {mode:04o})");
        global_layer_is_shown_only(&world, &endpoint, &path, &reason);
        type_the_hint(&world.root_remote("list").exits(255));
        world.root_remote("list").exits(0);
        world.remote("use lab").exits(0);
        assert!(status_sends(&world, &endpoint), "after the hint: {below} {mode:o}");
    }
}

#[test]
fn a_global_file_or_directory_of_another_user_is_not_trusted() {
    let endpoint = Endpoint::http();
    for below in ["etc/apptainer/remote.yaml", "etc/apptainer"] {
        for owner in [STRANGER, USER] {
            let world = global_lab(&endpoint);
            let path = world.path(below);
            if !give(&path, owner) {
                return;
            }
            let reason = format!("is owned by uid {owner}");
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
fn a_missing_global_file_in_an_untrusted_directory_does_not_count_as_absent() {
    let endpoint = Endpoint::http();
    let world = global_lab(&endpoint);
    chmod(world.global_file().parent().unwrap(), 0o777);
    fs::remove_file(world.global_file()).unwrap();
    world.root_remote("list").exits(255).says("FATAL:").says("is writable by others");
    world.remote("list").exits(0).says("WARNING:").says("is writable by others");
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
            assert_eq!(fs::read_link(&link).unwrap(), target, "the link is kept");
            assert!(fs::read_to_string(elsewhere.join("remote.yaml")).unwrap().contains("new.example.com"));
            assert_eq!(names(&elsewhere), [".remote.yaml.lock", "remote.yaml"]);
            // A directory on either side of the link that others can write could be replaced.
            let holder = link.parent().unwrap();
            for shared in [holder, &elsewhere] {
                chmod(shared, 0o777);
                world
                    .root_remote("list")
                    .exits(255)
                    .says(&format!("FATAL:   {} is writable by others", shared.display()));
                assert!(!status_sends(&world, &endpoint));
                chmod(shared, 0o755);
            }
            if give(&link, STRANGER) {
                let shown = world.root_remote("list").exits(255);
                let shown = shown.says(&format!("FATAL:   {} is owned by uid {STRANGER}", link.display()));
                assert!(!status_sends(&world, &endpoint));
                world.root_remote("add -g other other.example.com").exits(255);
                type_the_hint(&shown);
                world.root_remote("add -g other other.example.com").exits(0);
            }
        }
    }
}

#[test]
fn a_global_link_loop_is_an_error_and_a_broken_link_means_no_file() {
    for (target, says) in [("remote.yaml", "Too many levels"), ("../../nosuch/remote.yaml", "")] {
        let world = World::new();
        fs::remove_file(world.global_file()).unwrap();
        symlink(target, world.global_file()).unwrap();
        let before = Picture::of(&world);
        let shown = world.remote("list");
        if says.is_empty() {
            // A broken link created by root means that there is no global file.
            shown.exits(0).prints("DefaultRemote");
        } else {
            shown.exits(255).says("FATAL:   reading ");
        }
        before.is_still(&world, target);
    }
}
