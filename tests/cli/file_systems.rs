//! Real filesystems: some refuse chmod, and there are Kubernetes volumes, read-only mounts and installations
//! maintained by a group.

use crate::disk::{behind, chmod, has, names, with_mounts};
use crate::pull;
use crate::world::{As, World, apptainer_alone, finish, is_root, mode, skipped, words};
use std::fs;
use std::os::unix::fs::chown;

/// Runs the program with every chmod failing, as on AFS and some FUSE mounts.
fn without_chmod(world: &World, line: &str) -> Option<crate::world::Shown> {
    if !has("strace", &["true"]) {
        return None;
    }
    let strace = words("strace -f -qq -o /dev/null -e inject=chmod,fchmod,fchmodat:error=EPERM");
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    world.give_home_to_user();
    let mut command = behind(world, As::User, &strace)?;
    Some(finish(command.current_dir(world.home()).args(words(line))))
}

#[test]
fn everything_works_where_chmod_fails_but_is_not_needed() {
    if apptainer_alone("the same code with other names") {
        return;
    }
    let (world, _library) = pull::lab();
    fs::remove_dir_all(world.home().join("images")).unwrap();
    let user = fs::read_to_string(world.user_file()).unwrap();
    let token = world.home().join("token");
    fs::write(&token, "canary-t0ken\n").unwrap();
    fs::remove_dir_all(world.user_dir()).unwrap();
    for line in [
        "remote add --no-login other https://other.example.com".to_string(),
        format!(
            "remote add --insecure --no-login lab http:{}",
            user.split("URI: ").nth(1).unwrap().split('\n').next().unwrap()
        ),
        format!("remote login --tokenfile {} lab", token.display()),
        "pull library://lab/tools/blast:v1".to_string(),
    ] {
        let Some(shown) = without_chmod(&world, &line) else { return };
        shown.exits(0).never_shows("canary");
    }
    assert_eq!((mode(&world.user_dir()), mode(&world.user_file())), (0o700, 0o600));
    assert_eq!(names(&world.user_dir().join("cache/library")).len(), 1);
    // A needed change of mode that fails is reported.
    chmod(&world.user_file(), 0o644);
    let shown = without_chmod(&world, "remote use other").unwrap();
    shown.exits(0);
    assert_eq!(mode(&world.user_file()), 0o600);
}

#[test]
fn a_group_that_maintains_the_installation_may_write_the_global_file() {
    if !is_root() {
        return skipped("needs root: files of other groups");
    }
    const GROUP: u32 = 54_400;
    let world = World::new();
    let (etc, bin) = (world.global_file().parent().unwrap().to_owned(), world.path("bin"));
    for (path, mode) in [(&world.global_file(), 0o664), (&etc, 0o2775), (&bin, 0o2775)] {
        chown(path, None, Some(GROUP)).unwrap();
        chmod(path, mode);
    }
    for who in [As::Root, As::User] {
        world.run(who, &["remote", "list"]).exits(0).never_shows("WARNING");
    }
    world.root_remote("add --global site https://site.example.com").exits(0);
    assert_eq!(mode(&world.global_file()), 0o664, "the group can still write");
    // The group cannot replace the program, so it may not change the program's settings either.
    chmod(&bin, 0o755);
    world.root_remote("list").exits(255).says("is writable by others").says("hint:    chmod go-w ");
    world
        .run(As::User, &["remote", "list"])
        .exits(0)
        .says("its remotes will not be sent tokens; ask your administrator to run: chmod go-w ");
}

#[test]
fn a_token_in_a_read_only_volume_is_sent() {
    let (world, library) = pull::lab();
    library.set(|settings| settings.public = false);
    world.write_global(
        fs::read_to_string(world.user_file()).unwrap().replace("        Token: canary-t0ken\n", ""),
    );
    let Some(shown) = with_mounts(
        &world,
        r#"
        mkdir $W/volume
        mount -t tmpfs -o mode=1777 tmpfs $W/volume
        mkdir -m 777 $W/volume/..1
        cp $W/home/.[as]*/remote.yaml $W/volume/..1/remote.yaml
        chmod 666 $W/volume/..1/remote.yaml
        ln -s ..1 $W/volume/..data
        ln -s ..data/remote.yaml $W/volume/remote.yaml
        mount -o remount,ro $W/volume
        export APPTAINER_CONFIGDIR=$W/volume SINGULARITY_CONFIGDIR=$W/volume
        user pull $W/home/images/one.sif library://lab/tools/blast:v1
        user remote use lab
        user remote add --no-login other https://other.example.com
        root() { "$W"/bin/[as]* "$@"; echo "exit $?"; }
        root remote list
        root pull $W/two.sif library://lab/tools/blast:v1
        user registry login -u ada -p pw docker://127.0.0.1:9
        "#,
    ) else {
        return;
    };
    let codes: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with("exit ")).collect();
    assert_eq!(codes, ["exit 0", "exit 0", "exit 255", "exit 0", "exit 0", "exit 255"], "{shown:#?}");
    let volume = world.path("volume");
    let shown = shown.says(&format!("FATAL:   {} is mounted read-only\n", volume.display()));
    assert!(shown.stderr.contains("CONFIGDIR=DIRECTORY\n"), "{shown:#?}");
    assert!(shown.stderr.contains("--authfile FILE"), "{shown:#?}");
}

#[test]
fn a_file_mounted_read_only_is_reported() {
    let world = World::new();
    world.write_user("Active: DefaultRemote\nRemotes: {}\n");
    let auth = world.auth_file();
    fs::create_dir_all(auth.parent().unwrap()).unwrap();
    fs::write(&auth, "{}").unwrap();
    let script = format!(
        r#"
        for file in $W/home/.[as]*/remote.yaml {auth}; do
            mount --bind $file $file
            mount -o remount,bind,ro $file
        done
        user remote add --no-login other https://other.example.com
        user registry login -u ada -p pw docker://127.0.0.1:9
        "#,
        auth = auth.display()
    );
    let Some(shown) = with_mounts(&world, &script) else { return };
    for file in [world.user_file(), auth] {
        assert!(
            shown.stderr.contains(&format!("FATAL:   {} is mounted read-only\n", file.display())),
            "{shown:#?}"
        );
    }
    assert!(
        shown.stderr.contains("--authfile FILE") && shown.stderr.contains("CONFIGDIR=DIRECTORY"),
        "{shown:#?}"
    );
    assert_eq!(shown.stdout, "exit 255\nexit 255\n");
}
