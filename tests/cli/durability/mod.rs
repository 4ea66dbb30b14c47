//! A single write on all kinds of disks and with all kinds of interruptions: links, modes, attributes, full and
//! read-only disks, mounts, signals, and failures at every step.

mod killed;

use crate::disk::{OLD, behind, changed, chmod, give, has, lab, leftovers, names, process, run, with_mounts};
use crate::world::{As, Shown, USER, World, finish, is_root, mode, only_root, words};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, SystemTime};

#[test]
fn a_users_link_is_kept_and_its_target_is_replaced() {
    for (target, beside) in
        [("../dotfiles/remote.yaml", false), ("/dotfiles/remote.yaml", false), ("real.yaml", true)]
    {
        for dangling in [false, true] {
            let world = lab();
            let dotfiles = world.home().join("dotfiles");
            fs::create_dir(&dotfiles).unwrap();
            chmod(&dotfiles, 0o700);
            let target = match target.strip_prefix('/') {
                Some(below) => world.home().join(below),
                None => Path::new(target).to_path_buf(),
            };
            let place = world.user_dir().join(&target);
            if dangling { fs::remove_file(world.user_file()) } else { fs::rename(world.user_file(), &place) }
                .unwrap();
            symlink(&target, world.user_file()).unwrap();
            let before = fs::metadata(&place).map(|meta| meta.ino()).ok();
            world.remote("add --no-login new new.example.com").exits(0);
            assert_eq!(fs::read_link(world.user_file()).unwrap(), target, "the link is kept");
            assert!(fs::read_to_string(&place).unwrap().contains("new.example.com"), "{target:?}");
            assert_ne!(before, Some(fs::metadata(&place).unwrap().ino()), "replaced, not rewritten");
            assert_eq!(mode(&place), 0o600);
            let directory = place.parent().unwrap();
            assert!(
                leftovers(directory).is_empty()
                    && directory.join(format!(".{}.lock", place.file_name().unwrap().display())).exists()
            );
            assert!(!names(&world.user_dir()).contains(&".remote.yaml.lock".to_string()));
            assert_eq!(names(&dotfiles).is_empty(), beside);
        }
    }
}

#[test]
fn a_link_to_the_directory_is_followed_and_a_broken_link_is_an_error() {
    let world = lab();
    fs::rename(world.user_dir(), world.home().join("real")).unwrap();
    symlink("real", world.user_dir()).unwrap();
    world.remote("use DefaultRemote").exits(0);
    assert_eq!(world.user(), changed());
    assert!(fs::symlink_metadata(world.user_dir()).unwrap().is_symlink());

    let world = World::new();
    symlink("no/such/directory", world.user_dir()).unwrap();
    world.remote("list").exits(0);
    world.remote("use DefaultRemote").exits(255).says("FATAL:   ").says("does not exist");
    assert_eq!(names(&world.home()), [".apptainer"]);

    let world = World::new();
    fs::create_dir(world.user_dir()).unwrap();
    symlink("remote.yaml", world.user_file()).unwrap();
    for line in ["list", "use DefaultRemote"] {
        world.remote(line).exits(255).says("FATAL:   ").says("remote.yaml");
    }
}

#[test]
fn new_files_are_private_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let world = World::new();
        world.give_home_to_user();
        let script = format!("umask {umask}; exec \"$@\"");
        let mut add = behind(&world, As::User, &["sh", "-c", &script, "sh"]).unwrap();
        finish(add.args(words("remote add --no-login lab lab.example.com"))).exits(0);
        assert_eq!((mode(&world.user_dir()), mode(&world.user_file())), (0o700, 0o600), "umask {umask}");
        assert_eq!(mode(&world.user_dir().join(".remote.yaml.lock")), 0o600, "umask {umask}");

        let global = World::new();
        fs::remove_file(global.global_file()).unwrap();
        let Some(mut add) = behind(&global, As::Root, &["sh", "-c", &script, "sh"]) else { continue };
        finish(add.args(words("remote add -g lab lab.example.com"))).exits(0);
        assert_eq!(mode(&global.global_file()), 0o644, "umask {umask}");
        assert_eq!(mode(&global.global_file().parent().unwrap().join(".remote.yaml.lock")), 0o600);
        process(&global, As::User, "list").unwrap().exits(0).prints("lab.example.com");
    }
}

#[test]
fn files_are_created_with_private_modes() {
    if !has("strace", &["true"]) {
        return;
    }
    let world = World::new();
    world.give_home_to_user();
    let trace = world.home().join("trace");
    let calls = "trace=openat,open,creat,mkdir,mkdirat";
    let strace = [
        "sh",
        "-c",
        "umask 000; exec \"$@\"",
        "sh",
        "strace",
        "-f",
        "-qq",
        "-e",
        calls,
        "-o",
        trace.to_str().unwrap(),
    ];
    let mut add = behind(&world, As::User, &strace).unwrap();
    finish(add.args(words("remote add --no-login lab lab.example.com"))).exits(0);
    let text = fs::read_to_string(&trace).unwrap();
    let made: Vec<&str> =
        text.lines().filter(|line| line.contains("O_CREAT") || line.contains("mkdir")).collect();
    // The directory, the lock and the temporary file, each with its mode in the call that creates it.
    assert_eq!(made.len(), 3, "{text}");
    for call in made {
        let private =
            if call.contains("mkdir") { call.contains(", 0700)") } else { call.contains(", 0600)") };
        assert!(private && (call.contains("mkdir") || call.contains("O_EXCL")), "{call}");
    }
}

#[test]
fn a_write_removes_access_for_others_from_a_user_layer_and_keeps_the_rest() {
    let world = lab();
    let file = world.user_file();
    chmod(&file, 0o644);
    let tools = has("setfattr", &["--version"]) && has("setfacl", &["--version"]);
    let path = file.to_str().unwrap();
    let attributes = tools && has("setfattr", &["-n", "user.note", "-v", "kept", path]);
    let acl = tools && has("setfacl", &["-m", "u:1:r", path]);
    // Reading does not change the mode.
    world.remote("list").exits(0);
    assert_eq!(mode(&file), 0o644);
    world.remote("use DefaultRemote").exits(0);
    assert_eq!((world.user(), mode(&file)), (changed(), 0o600));
    if attributes {
        assert!(run("getfattr", &["--absolute-names", "-d", path]).contains("user.note=\"kept\""));
    }
    if acl {
        assert!(!run("getfacl", &["-n", "--absolute-names", path]).contains("user:1:"));
    }
}

#[test]
fn a_write_keeps_owner_mode_attributes_and_acl_of_the_global_file() {
    let world = World::new();
    let file = world.global_file();
    let path = file.to_str().unwrap();
    chmod(&file, 0o640);
    let tools = has("setfattr", &["--version"]) && has("setfacl", &["--version"]);
    let attributes = tools && has("setfattr", &["-n", "user.note", "-v", "kept", path]);
    // A user with a uid that a user namespace maps.
    let reader = if is_root() { 1 } else { rustix::process::geteuid().as_raw() };
    let acl = tools && has("setfacl", &["-m", &format!("u:{reader}:r"), path]);
    let group_kept = is_root();
    if group_kept {
        std::os::unix::fs::chown(&file, None, Some(USER)).unwrap();
    }
    let Some(shown) = process(&world, As::Root, "add -g lab lab.example.com") else { return };
    shown.exits(0);
    assert_eq!(mode(&file), 0o640);
    assert!(world.global().contains("lab.example.com"));
    assert!(!group_kept || fs::metadata(&file).unwrap().gid() == USER);
    if attributes {
        assert!(run("getfattr", &["--absolute-names", "-d", path]).contains("user.note=\"kept\""));
    }
    if acl {
        let acl = run("getfacl", &["-n", "--absolute-names", path]);
        assert!(acl.contains(&format!("user:{reader}:r--")), "{acl}");
    }
}

#[test]
fn the_owner_of_a_users_file_is_kept_when_root_writes_it() {
    let world = lab();
    world.give_home_to_user();
    if !only_root("root in a user's home") {
        return;
    }
    process(&world, As::Root, "use DefaultRemote").unwrap().exits(0);
    let meta = fs::metadata(world.user_file()).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (USER, USER, 0o600));
    assert_eq!(world.user(), changed());
}

#[test]
fn a_read_only_home_can_be_read_but_not_written() {
    let world = lab();
    let Some(shown) = with_mounts(
        &world,
        "mount --bind $W/home $W/home; mount -o remount,bind,ro $W/home
         user remote list; user remote list --json; user remote check
         user remote use DefaultRemote; user remote add --no-login x h; user remote remove lab; user remote logout
         user remote use lab",
    ) else {
        return;
    };
    let shown = shown.prints("lab            lab.example.com").prints("\"name\":\"lab\"");
    assert_eq!(ends(&shown), ["0", "0", "0", "255", "255", "255", "255", "0"], "{shown:#?}");
    let file = world.user_file().display().to_string();
    let fatal: Vec<&str> = shown.stderr.lines().filter(|line| line.starts_with("FATAL:")).collect();
    let wanted = format!("FATAL:   {file} is mounted read-only");
    assert_eq!(fatal, [&wanted; 4]);
    shown.says("hint:    export APPTAINER_CONFIGDIR=DIRECTORY").never_shows("canary");
    assert_eq!((world.user().as_str(), names(&world.user_dir())), (OLD, vec!["remote.yaml".to_string()]));
}

/// The exit statuses of the commands in a script.
fn ends(shown: &Shown) -> Vec<&str> {
    shown.stdout.lines().filter_map(|line| line.strip_prefix("exit ")).collect()
}

#[test]
fn a_read_only_home_without_a_file_reads_as_empty() {
    let world = World::new();
    let script = "mount --bind $W/home $W/home; mount -o remount,bind,ro $W/home
        user remote list; user remote use DefaultRemote";
    let Some(shown) = with_mounts(&world, script) else { return };
    assert_eq!(ends(&shown), ["0", "255"], "{shown:#?}");
    shown
        .says(&format!("FATAL:   {} is mounted read-only\n", world.home().display()))
        .says("hint:    export APPTAINER_CONFIGDIR=DIRECTORY");
}

#[test]
fn a_full_disk_keeps_the_old_file_and_leaves_nothing_behind() {
    let world = lab();
    let name = "n".repeat(3000);
    let Some(shown) = with_mounts(
        &world,
        &format!(
            "cp -a $W/home $W/copy; mount -t tmpfs -o size=16k,mode=700 none $W/home
             cp -a $W/copy/.apptainer $W/home; chown -R $OWN $W/home
             dd if=/dev/zero of=$W/home/fill bs=4k 2>/dev/null
             user remote list; user remote use lab; user remote use DefaultRemote
             user remote add --no-login {name} h; user remote remove lab
             ls -A $W/home/.apptainer | sed 's/^/left /'; cat $W/home/.apptainer/remote.yaml >$W/after
             rm $W/home/fill
             user remote use DefaultRemote; cat $W/home/.apptainer/remote.yaml >$W/later"
        ),
    ) else {
        return;
    };
    assert_eq!(ends(&shown), ["0", "0", "255", "255", "255", "0"], "{shown:#?}");
    let file = world.user_file().display().to_string();
    let fatal: Vec<&str> = shown.stderr.lines().filter(|line| line.starts_with("FATAL:")).collect();
    let named = |line: &&str| {
        line.contains(&format!("{file} was not changed")) && line.contains("No space left on device")
    };
    assert!(fatal.iter().all(named), "{fatal:#?}");
    assert_eq!(fs::read_to_string(world.path("after")).unwrap(), OLD);
    assert_eq!(fs::read_to_string(world.path("later")).unwrap(), changed());
    let left: Vec<&str> = shown.stdout.lines().filter_map(|line| line.strip_prefix("left ")).collect();
    assert_eq!(left, [".remote.yaml.lock", "remote.yaml"]);
}

#[test]
fn a_bind_mounted_file_is_written_in_place_with_a_warning() {
    let world = lab();
    let Some(shown) = with_mounts(
        &world,
        "cp -a $W/home/.apptainer/remote.yaml $W/mounted; mount --bind $W/mounted $W/home/.apptainer/remote.yaml
         stat -c 'inode %i' $W/mounted
         user remote use DefaultRemote; user remote add --no-login -n new new.example.com; user remote remove new
         user remote use DefaultRemote; user remote list
         stat -c 'inode %i' $W/mounted; ls -A $W/home/.apptainer | sed 's/^/left /'",
    ) else {
        return;
    };
    assert_eq!(ends(&shown), ["0"; 5], "{shown:#?}");
    assert_eq!(fs::read_to_string(world.path("mounted")).unwrap(), changed());
    assert_eq!(world.user(), OLD, "the file below the mount is kept");
    let warning = format!(
        "WARNING: {} was written in place because the file is a mount point (Device or resource busy (os error 16)); this write was not crash-safe\n",
        world.user_file().display()
    );
    assert_eq!(shown.stderr.matches(&warning).count(), 3, "{shown:#?}");
    let lines = |prefix: &str| -> Vec<&str> {
        shown.stdout.lines().filter_map(|line| line.strip_prefix(prefix)).collect()
    };
    assert_eq!(lines("left "), [".remote.yaml.lock", "remote.yaml"]);
    let inodes = lines("inode ");
    assert_eq!(inodes[0], inodes[1]);
}

#[test]
fn a_writable_file_in_a_directory_that_forbids_creation_is_written_in_place() {
    let world = lab();
    world.give_home_to_user();
    chmod(&world.user_dir(), 0o500);
    let shown = process(&world, As::User, "use DefaultRemote").unwrap().exits(0).says("was not crash-safe");
    assert!(shown.stderr.contains("WARNING: "), "{shown:#?}");
    assert_eq!((world.user(), names(&world.user_dir())), (changed(), vec!["remote.yaml".to_string()]));
    // Neither the file nor the directory may be written: the error names the file.
    chmod(&world.user_file(), 0o400);
    process(&world, As::User, "use lab").unwrap().exits(255).says("Permission denied").says("remote.yaml");
    chmod(&world.user_dir(), 0o700);
    assert_eq!(world.user(), changed());
    // A read-only file in the user's own directory can be replaced, and stays read-only.
    process(&world, As::User, "use lab").unwrap().exits(0);
    assert_eq!((world.user().as_str(), mode(&world.user_file())), (OLD, 0o400));
    if give(&world.user_dir(), 0) {
        chmod(&world.user_dir(), 0o755);
        chmod(&world.user_file(), 0o600);
        process(&world, As::User, "use DefaultRemote").unwrap().exits(0).says("was not crash-safe");
        assert_eq!(world.user(), changed());
    }
}
