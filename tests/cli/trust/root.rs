//! Root working in the home of a user.

use super::*;

/// A home of the ordinary user in which root works; `None`, with a message, if this is not root.
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
fn files_root_creates_in_a_users_home_belong_to_that_user() {
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
    // The user can continue to use the files.
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
fn root_migrates_nothing_through_a_users_link() {
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
            .says(&format!("{name} is a symlink of uid {USER}, but its target belongs to another user"))
            .never_shows("canary");
        let copied = |dir: &Path| -> bool {
            dir.is_dir()
                && names(dir)
                    .iter()
                    .any(|name| fs::read_to_string(dir.join(name)).is_ok_and(|text| text.contains("canary")))
        };
        assert!(
            !copied(&world.user_dir()) && !copied(&world.user_dir().join("keys")),
            "{name} now belongs to the user"
        );
    }
}

#[test]
fn migration_does_not_make_untrusted_files_trusted() {
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
        let refused = world
            .remote("use DefaultRemote")
            .exits(255)
            .says(&format!("{} is writable by others", file.display()));
        assert!(!world.user_dir().exists());
        type_the_hint(&refused);
        world.remote("use DefaultRemote").exits(0);
        world.remote("use lab").exits(0);
        assert!(status_sends(&world, &endpoint));
    }
}
