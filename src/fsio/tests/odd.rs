//! Unusual filesystems: bind mounts, directories that do not allow new files, full and read-only filesystems.

use super::*;

/// Mounts a tmpfs of `size` in a new directory of `world`.
fn tmpfs(world: &World, name: &str, options: &str) -> PathBuf {
    let path = world.path(name);
    fs::create_dir(&path).unwrap();
    run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", str(&path)]);
    path
}

#[test]
fn a_file_that_is_a_mount_point_is_written_in_place() {
    if !mounts() {
        return;
    }
    let world = World::new();
    let path = world.put("home/remote.yaml", "old", 0o644);
    let outside = world.put("outside", "mounted content", 0o644);
    chmod(&world.path("home"), 0o755);
    let inode = fs::metadata(&outside).unwrap().ino();
    with_mounts(|| {
        run("mount", &["--bind", str(&outside), str(&path)]);
        for content in ["new", "longer than it was before", "short"] {
            let (done, said) = said(|talk| update(&Target::user(&path, LIMIT), me(), talk, &mut to(content)));
            assert!(done.unwrap());
            let name = path.display();
            assert_eq!(
                said,
                format!(
                    "WARNING: {name} was written in place because the file is a mount point \
                     (Device or resource busy (os error 16)); this write was not crash-safe\n"
                )
            );
            assert_eq!(text(&path), content);
        }
    });
    assert_eq!((text(&outside).as_str(), text(&path).as_str()), ("short", "old"));
    assert_eq!((fs::metadata(&outside).unwrap().ino(), mode(&outside)), (inode, 0o600));
    assert_eq!(world.names("home"), [".remote.yaml.lock", "remote.yaml"]);
}

#[test]
fn a_writable_file_in_a_read_only_directory_is_written_in_place() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("remote.yaml", "old", 0o644);
    std::os::unix::fs::chown(&path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let write = |content: &str| {
        as_uid(SOMEBODY, |who| said(|talk| update(&Target::user(&path, LIMIT), who, talk, &mut to(content))))
    };
    let (done, said) = write("new");
    assert!(done.unwrap());
    assert!(said.contains("the directory does not allow a lock file (Permission denied"), "{said}");
    assert_eq!((text(&path).as_str(), mode(&path)), ("new", 0o600));
    assert_eq!(world.names(""), ["remote.yaml"]);
    // With an existing lock file, creating the temporary file fails.
    let lock = world.put(".remote.yaml.lock", "", 0o600);
    std::os::unix::fs::chown(&lock, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let (done, said) = write("newer");
    assert!(done.unwrap());
    assert!(said.contains("the directory does not allow new files (Permission denied"), "{said}");
    // A missing file cannot be written in place.
    fs::remove_file(&path).unwrap();
    let (done, _) = write("newest");
    assert!(told(done).starts_with(&format!("creating {}: Permission denied", path.display())));
}

#[test]
fn writing_in_place_waits_for_the_lock_on_the_file() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("remote.yaml", "old", 0o600);
    std::os::unix::fs::chown(&path, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    as_uid(SOMEBODY, |who| {
        let mut target = Target::user(&path, LIMIT);
        target.patience = std::time::Duration::from_millis(50);
        assert!(told(apply(&target, who, &mut to("new"))).contains("waiting for the lock"));
    });
    assert_eq!(text(&path), "old");
}

#[test]
fn a_full_disk_leaves_the_old_file_intact_and_no_temporary_file() {
    if !mounts() {
        return;
    }
    let world = World::new();
    with_mounts(|| {
        tmpfs(&world, "full", "size=64k,mode=700");
        let path = world.put("full/remote.yaml", "old", 0o600);
        let told = told(set(&path, &"x".repeat(100_000)));
        let name = path.display();
        assert!(told.starts_with(&format!("{name} was not changed: writing a temporary file in ")), "{told}");
        assert!(told.contains("No space left on device (os error 28)"), "{told}");
        assert_eq!(text(&path), "old");
        assert_eq!(world.names("full"), [".remote.yaml.lock", "remote.yaml"]);
    });
}

#[test]
fn a_full_disk_keeps_the_old_content_of_a_mount_point() {
    if !mounts() {
        return;
    }
    let world = World::new();
    with_mounts(|| {
        tmpfs(&world, "full", "size=64k,mode=700");
        let inside = world.put("full/file", "old content", 0o600);
        let path = world.put("remote.yaml", "", 0o600);
        run("mount", &["--bind", str(&inside), str(&path)]);
        let told = told(set(&path, &"x".repeat(100_000)));
        assert!(told.contains("nothing was changed: No space left on device"), "{told}");
        assert_eq!(text(&path), "old content");
        let names = world.names("");
        assert_eq!(names, [".remote.yaml.lock", "full", "remote.yaml"]);
    });
}

#[test]
fn running_out_of_inodes_counts_as_a_full_disk() {
    if !mounts() {
        return;
    }
    let world = World::new();
    with_mounts(|| {
        tmpfs(&world, "full", "nr_inodes=2,mode=700");
        let path = world.put("full/remote.yaml", "old", 0o600);
        let told = told(set(&path, "new"));
        assert!(told.starts_with(&format!("{} was not changed: creating ", path.display())), "{told}");
        assert!(told.contains("No space left on device"), "{told}");
        assert_eq!((text(&path), world.names("full")), ("old".into(), vec!["remote.yaml".into()]));
    });
}

#[test]
fn a_read_only_filesystem_is_read_and_not_written() {
    if !mounts() {
        return;
    }
    let world = World::new();
    with_mounts(|| {
        let dir = tmpfs(&world, "home", "mode=700");
        let path = world.put("home/remote.yaml", "old", 0o600);
        run("mount", &["-o", "remount,ro", str(&dir)]);
        assert_eq!(
            *super::super::read(&path, super::super::Role::User, me(), LIMIT).unwrap().bytes.unwrap(),
            b"old"
        );
        assert!(!set(&path, "old").unwrap());
        let mut target = Target::user(&path, LIMIT);
        target.elsewhere = Some("export APPTAINER_CONFIGDIR=DIR".into());
        let told = told(apply(&target, me(), &mut to("new")));
        assert_eq!(told, format!("{} is mounted read-only\nexport APPTAINER_CONFIGDIR=DIR", path.display()));
        let absent = dir.join("new/remote.yaml");
        assert_eq!(super::told(set(&absent, "x")), format!("{} is mounted read-only\n", dir.display()));
    });
}
