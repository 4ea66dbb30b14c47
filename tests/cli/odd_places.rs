//! Unusual filesystems and directories, where the same promises hold.

use crate::disk::{OLD, changed, chmod, give, lab, names, process, with_mounts};
use crate::world::{As, Shown, USER, World, finish, is_root, mode, only_root, skipped};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

fn ends(shown: &Shown) -> Vec<&str> {
    shown.stdout.lines().filter_map(|line| line.strip_prefix("exit ")).collect()
}

#[test]
fn an_overlay_takes_the_change_and_the_lower_file_is_unchanged() {
    let world = lab();
    let Some(shown) = with_mounts(
        &world,
        "cp -a $W/home $W/lower; mkdir $W/scratch; mount -t tmpfs none $W/scratch
         mkdir $W/scratch/upper $W/scratch/work; chown $OWN $W/scratch/upper; chmod 700 $W/scratch/upper
         mount -t overlay -o lowerdir=$W/lower,upperdir=$W/scratch/upper,workdir=$W/scratch/work none $W/home
         user remote use DefaultRemote; user remote use DefaultRemote; user remote list
         cat $W/home/.apptainer/remote.yaml >$W/after; ls -A $W/home/.apptainer | sed 's/^/left /'",
    ) else {
        return;
    };
    assert_eq!(ends(&shown), ["0", "0", "0"], "{shown:#?}");
    assert_eq!(fs::read_to_string(world.path("after")).unwrap(), changed());
    assert_eq!(fs::read_to_string(world.path("lower/.apptainer/remote.yaml")).unwrap(), OLD);
    let left: Vec<&str> = shown.stdout.lines().filter_map(|line| line.strip_prefix("left ")).collect();
    assert_eq!(left, [".remote.yaml.lock", "remote.yaml"]);
    shown.never_shows("WARNING");
}

#[test]
fn an_exceeded_quota_is_reported_by_name() {
    if !only_root("a quota") {
        return;
    }
    let world = lab();
    // Many kernels have no quotas for tmpfs. Those of btrfs need only btrfs, and a file as its disk.
    let Some(shown) = with_mounts(
        &world,
        "cp -a $W/home $W/copy
         tmpfs=size=1m,mode=700,usrquota,usrquota_block_hardlimit=8k
         if ! command mount -t tmpfs -o $tmpfs none $W/home 2>/dev/null; then
             truncate -s 160M $W/disk; mkdir $W/whole; mkfs.btrfs -q -M $W/disk >/dev/null 2>&1
             mount -o loop $W/disk $W/whole
             btrfs quota enable $W/whole; btrfs subvolume create $W/whole/home >/dev/null
             btrfs qgroup limit 512K $W/whole/home; chmod 700 $W/whole/home
             mount --bind $W/whole/home $W/home
         fi
         cp -a $W/copy/.apptainer $W/home; chown -R $OWN $W/home; sync -f $W/home
         setpriv --reuid=${OWN%:*} --clear-groups dd if=/dev/urandom of=$W/home/fill bs=4k 2>/dev/null
         sync -f $W/home
         user remote use DefaultRemote; cat $W/home/.apptainer/remote.yaml >$W/after
         ls -A $W/home/.apptainer | grep -vxF .remote.yaml.lock | sed 's/^/left /'
         rm $W/home/fill; sync -f $W/home
         user remote use DefaultRemote; cat $W/home/.apptainer/remote.yaml >$W/later",
    ) else {
        return;
    };
    assert_eq!(ends(&shown), ["255", "0"], "{shown:#?}");
    let file = world.user_file().display().to_string();
    let shown = shown.says(&format!("{file} was not changed")).says("uota");
    assert_eq!(fs::read_to_string(world.path("after")).unwrap(), OLD);
    assert_eq!(fs::read_to_string(world.path("later")).unwrap(), changed());
    let left: Vec<&str> = shown.stdout.lines().filter_map(|line| line.strip_prefix("left ")).collect();
    assert_eq!(left, ["remote.yaml"]);
}

/// A directory like /tmp: anybody can create files there, and nobody can remove those of others.
fn sticky() -> (World, std::path::PathBuf) {
    let mut world = lab();
    let shared = world.path("shared");
    fs::create_dir(&shared).unwrap();
    chmod(&shared, 0o1777);
    world.set_env("APPTAINER_CONFIGDIR", &shared);
    (world, shared)
}

#[test]
fn nothing_is_written_into_a_directory_writable_by_others() {
    for planted in ["nothing", "remote.yaml", ".remote.yaml.lock", "link"] {
        let (world, shared) = sticky();
        let victim = world.path("victim");
        fs::write(&victim, OLD).unwrap();
        let ours = match planted {
            "nothing" => true,
            "link" => {
                symlink(&victim, shared.join("remote.yaml")).unwrap();
                give(&shared.join("remote.yaml"), USER)
            }
            name => {
                fs::write(shared.join(name), "").unwrap();
                give(&shared.join(name), USER)
            }
        };
        let who = if is_root() { As::Root } else { As::User };
        if !ours {
            continue;
        }
        let shown = process(&world, who, "add --no-login -n new new.example.com").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), OLD, "{planted}");
        // In one user's directory root acts as that user, but not in a directory that everybody can write.
        assert_eq!(shown.code, 255, "{planted}: {shown:#?}");
        shown.says("is writable by others").says("mkdir -m 700");
        process(&world, who, "list").unwrap().exits(0);
    }
}

#[test]
fn root_writes_a_users_layer_as_that_user_would() {
    if !only_root("root with a user's HOME") {
        return;
    }
    let world = lab();
    world.give_home_to_user();
    process(&world, As::Root, "use DefaultRemote").unwrap().exits(0);
    process(&world, As::Root, "add --no-login -n two two.example.com").unwrap().exits(0);
    for name in names(&world.user_dir()) {
        let meta = fs::metadata(world.user_dir().join(&name)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o777), (USER, USER, 0o600), "{name}");
    }
    // The user can change what root wrote.
    process(&world, As::User, "remove two").unwrap().exits(0);
    assert_eq!(world.user(), changed());
}

#[test]
fn the_global_file_is_trusted_in_a_users_own_namespace() {
    let world = lab();
    world.write_global(
        "
Active: company
Remotes:
    company:
        URI: company.example.com
        System: true
        Exclusive: false
",
    );
    let Some(mut command) = world.command(As::User) else { return };
    // `unshare -Ur`: root in the namespace, with a single uid.
    let mut words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    if !is_root() {
        command = Command::new("/usr/bin/unshare");
        command.args(["-Ur"]).arg(world.exe());
    } else {
        let program = words.pop().unwrap();
        words.extend(["/usr/bin/unshare".into(), "-Ur".into(), program]);
        command = Command::new("/usr/bin/setpriv");
        command.args(words);
    }
    command
        .env_clear()
        .envs(world.environment().iter())
        .env("PATH", "/usr/bin:/bin")
        .current_dir(world.home());
    let shown = finish(command.args(["remote", "use", "company"]));
    if shown.stderr.contains("unshare") {
        return skipped("needs a user namespace: one made by an ordinary user");
    }
    // The global file is trusted in the namespace although its owner has no name there, and the written file
    // still belongs to the user.
    shown.exits(0).never_shows("WARNING");
    assert_eq!(
        (world.user(), mode(&world.user_file())),
        (OLD.replace("Active: lab", "Active: company"), 0o600)
    );
    if is_root() {
        assert_eq!(fs::metadata(world.user_file()).unwrap().uid(), USER);
    }
}
