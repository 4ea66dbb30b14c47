//! Mounted volumes: read-only ones with world-writable modes, and files that are mount points.

use super::super::{Role, read, require_writable};
use super::*;
use std::os::unix::fs::{chown, symlink};

const GLOBAL: Role = Role::Global { trusted: Trusted { owner: None, group: None } };

/// A volume as Kubernetes mounts it: its modes are world-writable, and two symlinks lead to the file.
fn volume(world: &World, owner: u32) -> (PathBuf, PathBuf) {
    let dir = world.path("volume");
    fs::create_dir(&dir).unwrap();
    run("mount", &["-t", "tmpfs", "-o", "mode=1777", "tmpfs", str(&dir)]);
    let file = world.put("volume/..2026_11/remote.yaml", "x", 0o666);
    chmod(file.parent().unwrap(), 0o777);
    chown(&file, Some(owner), None).unwrap();
    symlink("..2026_11", dir.join("..data")).unwrap();
    symlink("..data/remote.yaml", dir.join("remote.yaml")).unwrap();
    let file = dir.join("remote.yaml");
    (dir, file)
}

fn reasons(path: &Path) -> Vec<Option<String>> {
    let reason = |role, who| read(path, role, who, LIMIT).unwrap().distrust.map(|found| found.reason);
    let somebody = Identity { uid: SOMEBODY };
    vec![
        reason(Role::User, me()),
        reason(GLOBAL, me()),
        reason(Role::User, somebody),
        reason(GLOBAL, somebody),
    ]
}

#[test]
fn a_read_only_volume_of_root_is_trusted_with_any_modes() {
    if !mounts() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    with_mounts(|| {
        let (dir, file) = volume(&world, 0);
        assert!(reasons(&file).iter().all(|reason| reason.as_ref().unwrap().contains("writable by others")));
        run("mount", &["-o", "remount,ro", str(&dir)]);
        assert_eq!(reasons(&file), [None, None, None, None]);
        // It is not trusted through a second, writable mount of the same filesystem.
        fs::create_dir(world.path("again")).unwrap();
        run("mount", &["--bind", str(&dir), str(&world.path("again"))]);
        run("mount", &["-o", "remount,rw", str(&dir)]);
        run("mount", &["-o", "remount,bind,ro", str(&world.path("again"))]);
        assert_eq!(reasons(&world.path("again/remote.yaml")), [None, None, None, None]);
        assert!(reasons(&file).iter().all(Option::is_some));
    });
}

#[test]
fn a_read_only_volume_with_another_users_file_is_not_trusted() {
    if !mounts() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    with_mounts(|| {
        let (dir, file) = volume(&world, STRANGER);
        run("mount", &["-o", "remount,ro", str(&dir)]);
        let stranger = Some("is owned by uid 54322".to_string());
        // Root trusts the files of every user.
        assert_eq!(reasons(&file), [None, stranger.clone(), stranger.clone(), stranger]);
    });
}

#[test]
fn errors_name_the_read_only_mount_and_how_to_avoid_it() {
    if !mounts() {
        return;
    }
    let world = World::new();
    with_mounts(|| {
        let file = world.put("home/remote.yaml", "old", 0o600);
        run("mount", &["--bind", str(&file), str(&file)]);
        run("mount", &["-o", "remount,bind,ro", str(&file)]);
        let dir = world.path("volume");
        fs::create_dir(&dir).unwrap();
        run("mount", &["-t", "tmpfs", "-o", "mode=700", "tmpfs", str(&dir)]);
        let inside = world.put("volume/remote.yaml", "old", 0o600);
        run("mount", &["-o", "remount,ro", str(&dir)]);
        for (path, named) in [
            (file.clone(), &file),
            (inside, &dir),
            (dir.join("absent.yaml"), &dir),
            (dir.join("new/remote.yaml"), &dir),
        ] {
            let mut target = Target::user(&path, LIMIT);
            target.elsewhere = Some("export APPTAINER_CONFIGDIR=DIRECTORY".into());
            let wanted =
                format!("{} is mounted read-only\nexport APPTAINER_CONFIGDIR=DIRECTORY", named.display());
            assert_eq!(told(require_writable(&target, me())), wanted, "{}", path.display());
            let told = told(apply(&target, me(), &mut to("new")));
            let wanted = wanted.replace(str(named), str(if path.exists() { &path } else { named }));
            assert_eq!(told, wanted, "{}", path.display());
        }
        assert_eq!(world.names("home"), [".remote.yaml.lock", "remote.yaml"]);
    });
}

#[test]
fn a_readers_lock_on_the_global_file_does_not_stop_root_from_writing() {
    if !mounts() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("etc/remote.yaml", "old", 0o644);
    chmod(&world.path("etc"), 0o755);
    with_mounts(|| {
        run("mount", &["--bind", str(&path), str(&path)]);
        let held = fs::File::open(&path).unwrap();
        held.lock_shared().unwrap();
        let mut target = Target::global(&path, Trusted::default(), LIMIT);
        target.patience = std::time::Duration::from_millis(50);
        let (done, said) = said(|talk| update(&target, me(), talk, &mut to("new")));
        assert!(done.unwrap());
        assert!(said.contains("waiting for the lock"), "{said}");
        assert!(said.contains("; writing without the lock\n"), "{said}");
        assert_eq!(text(&path), "new");
    });
}
