//! Where the user's layer is: HOME, CONFIGDIR, the password database, `~/.singularity`, and unusable homes.

use crate::world::{As, USER, World, finish, is_root, mode, only_root};
use apptainer_remote::persona::Persona;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn configdir_takes_precedence_over_home() {
    let mut world = World::new();
    let (first, second) = (world.path("first"), world.path("second"));
    world.set_env("SINGULARITY_CONFIGDIR", &second);
    world.remote("add --no-login a a.example.com").exits(0).says(
        "INFO:    Environment variable SINGULARITY_CONFIGDIR is set, but APPTAINER_CONFIGDIR is preferred\n",
    );
    assert!(second.join("remote.yaml").exists());
    world.set_env("APPTAINER_CONFIGDIR", &first);
    world.remote("add --no-login b b.example.com").exits(0);
    assert!(first.join("remote.yaml").exists() && !world.user_dir().exists());
}

#[test]
fn singularity_ignores_home() {
    let world = World::singularity().with_env("HOME", "/nonexistent");
    world.remote("add --no-login a a.example.com").exits(0);
    assert!(world.user_file().starts_with(world.home().join(".singularity")));
    assert!(world.user().contains("a.example.com"));
}

#[test]
fn the_password_database_is_used_if_home_is_unset_or_the_root_directory() {
    for home in ["", "/"] {
        let world = World::new().with_env("HOME", home);
        world.remote("add --no-login a a.example.com").exits(0);
        assert!(world.user().contains("a.example.com"), "HOME={home:?}");
    }
}

#[test]
fn a_uid_without_a_passwd_entry_needs_home() {
    if !only_root("a uid without an entry") {
        return;
    }
    let world = World::new();
    world.install();
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o777)).unwrap();
    let run = |home: Option<&std::path::Path>| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65111", "--regid=65111", "--clear-groups"])
            .arg(world.exe())
            .args(["remote", "list"]);
        command.env_clear().env("PATH", "/usr/bin:/bin");
        finish(home.into_iter().fold(&mut command, |command, home| command.env("HOME", home)))
    };
    run(Some(&world.home())).exits(0);
    run(None).exits(255).says("set HOME");
    run(Some("/".as_ref())).exits(0).says("WARNING: ignoring your remote.yaml");
}

#[test]
fn an_unusable_home_is_an_empty_layer_and_a_write_says_what_to_set() {
    let world = World::new();
    world.write_user("Remotes: {a: {URI: a.example.com}}\n");
    let Some(mut command) = world.command(As::User) else { return };
    // An empty home must not be taken for the root directory.
    let at_the_root = || fs::symlink_metadata("/.apptainer").and_then(|found| found.modified()).ok();
    let before = at_the_root();
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o0)).unwrap();
    let shown = finish(command.args(["remote", "list"]));
    let written = world_command(&world, &["remote", "use", "DefaultRemote"]);
    fs::set_permissions(world.home(), fs::Permissions::from_mode(0o700)).unwrap();
    shown
        .exits(0)
        .says("WARNING: ignoring your remote.yaml")
        .prints("DefaultRemote")
        .never_shows("a.example.com");
    written.exits(255).says("APPTAINER_CONFIGDIR");
    assert_eq!(at_the_root(), before, "something was written into /.apptainer");
}

/// Runs as the user, without changing the owner of the home.
fn world_command(world: &World, args: &[&str]) -> crate::world::Shown {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={USER}"), format!("--regid={USER}")])
            .arg("--clear-groups")
            .arg(world.exe());
        command
    } else {
        Command::new(world.exe())
    };
    finish(command.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", world.home()))
}

#[test]
fn a_missing_home_reads_as_empty_and_a_write_names_it() {
    let world = World::new();
    let missing = world.path("nosuch");
    let world = world.with_env("HOME", &missing);
    world.remote("list").exits(0).prints("DefaultRemote");
    world.remote("add --no-login a a.example.com").exits(255).says("nosuch");
    assert!(!missing.exists());
}

#[test]
fn singularitys_directory_is_used_until_the_first_write_migrates_it() {
    let world = World::new();
    let legacy = world.home().join(".singularity");
    fs::create_dir_all(legacy.join("sypgp")).unwrap();
    for (name, text) in [
        (
            "remote.yaml",
            "\
Active: old
Remotes:
  old: {URI: old.example.com}
",
        ),
        ("docker-config.json", "{\"auths\":{}}"),
        ("sypgp/pgp-public", "public"),
        ("sypgp/pgp-secret", "secret"),
    ] {
        fs::write(legacy.join(name), text).unwrap();
        fs::set_permissions(legacy.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    world.remote("list").exits(0).prints("old.example.com      ✓");
    world.remote("use old").exits(0);
    world.remote("use nosuch").exits(255);
    assert!(!world.user_dir().exists(), "neither reading nor a command without effect migrates");
    world.remote("use DefaultRemote").exits(0).says("migrated");
    assert!(world.user().starts_with("Active: DefaultRemote\nRemotes:\n    old:\n"));
    for (name, text) in [
        ("docker-config.json", "{\"auths\":{}}"),
        ("keys/pgp-public", "public"),
        ("keys/pgp-secret", "secret"),
    ] {
        let copy = world.user_dir().join(name);
        assert_eq!((fs::read_to_string(&copy).unwrap().as_str(), mode(&copy)), (text, 0o600), "{name}");
    }
    assert_eq!((mode(&world.user_dir()), mode(&world.user_dir().join("keys"))), (0o700, 0o700));
    assert!(fs::read_to_string(legacy.join("remote.yaml")).unwrap().starts_with("Active: old"));
}

#[test]
fn the_global_file_is_located_relative_to_the_program() {
    let world = World::bare(Persona::Apptainer);
    let shown = world.remote("list --json").exits(0);
    assert!(shown.stdout.contains(world.global_file().to_str().unwrap()));
}

#[test]
fn an_explicit_file_needs_no_home() {
    if !only_root("a uid without an entry") {
        return;
    }
    let world = World::new();
    world.install();
    fs::write(world.path("layer.yaml"), "Remotes: {}\n").unwrap();
    for args in [&["remote", "-c", "layer.yaml", "list"][..], &["remote", "check", "layer.yaml"]] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65111", "--regid=65111", "--clear-groups"]).arg(world.exe()).args(args);
        finish(command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(world.path(""))).exits(0);
    }
}
