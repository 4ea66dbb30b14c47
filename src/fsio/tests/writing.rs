//! Writing: modes, symlinks, attributes, locks, concurrent writers.

use super::*;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

#[test]
fn new_files_get_their_mode_regardless_of_the_umask() {
    for mask in [0, 0o077, 0o277, 0o777] {
        let world = World::new();
        let (user, global) = (world.path(".apptainer/remote.yaml"), world.path("apptainer/remote.yaml"));
        let trusted = owner_trusted(me().uid);
        with_umask(mask, || {
            assert!(set(&user, "u").unwrap());
            let target = Target::global(&global, trusted, LIMIT);
            assert!(apply(&target, me(), &mut to("g")).unwrap());
        });
        assert_eq!((text(&user).as_str(), text(&global).as_str()), ("u", "g"));
        assert_eq!((mode(&user), mode(user.parent().unwrap())), (0o600, 0o700));
        assert_eq!((mode(&global), mode(global.parent().unwrap())), (0o644, 0o755));
        assert_eq!(mode(&world.path(".apptainer/.remote.yaml.lock")), 0o600);
        assert_eq!(world.names("apptainer"), [".remote.yaml.lock", "remote.yaml"]);
    }
}

#[test]
fn a_change_that_changes_nothing_leaves_no_trace() {
    let world = World::new();
    let nothing = |path: &Path| apply(&Target::user(path, LIMIT), me(), &mut |_| Ok(None)).unwrap();
    assert!(!nothing(&world.path("dir/remote.yaml")));
    assert!(world.names("").is_empty());
    let path = world.put("remote.yaml", "same", 0o644);
    let before = fs::metadata(&path).unwrap();
    assert!(!nothing(&path));
    assert!(!set(&path, "same").unwrap());
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.ctime_nsec(), before.mode()),
        (after.ino(), after.ctime_nsec(), after.mode())
    );
    assert_eq!(world.names(""), ["remote.yaml"]);
}

#[test]
fn a_failed_change_leaves_no_trace_and_keeps_its_message() {
    let world = World::new();
    let failing = &mut |_: Option<&[u8]>| Err(crate::error::Failure::new("no such remote"));
    let path = world.path("dir/remote.yaml");
    assert_eq!(told(apply(&Target::user(&path, LIMIT), me(), failing)), "no such remote\n");
    assert!(world.names("").is_empty());
}

#[test]
fn the_change_applies_to_the_content_under_the_lock() {
    let world = World::new();
    let path = world.put("remote.yaml", "a", 0o600);
    let mut seen = Vec::new();
    apply(&Target::user(&path, LIMIT), me(), &mut |now| {
        let now = String::from_utf8(now.unwrap().to_vec()).unwrap();
        if seen.is_empty() {
            // Another writer changes the file after we read it and before we lock it.
            fs::write(&path, "b").unwrap();
        }
        seen.push(now.clone());
        Ok(Some(format!("{now}!").into_bytes()))
    })
    .unwrap();
    assert_eq!(seen, ["a", "b"]);
    assert_eq!(text(&path), "b!");
}

#[test]
fn only_the_last_directory_is_created() {
    let world = World::new();
    let told = told(set(&world.path("home/.apptainer/remote.yaml"), "x"));
    let (home, dir) = (world.path("home"), world.path("home/.apptainer"));
    assert_eq!(
        told,
        format!("the directory {} does not exist\nmkdir -p -m 700 {}", home.display(), dir.display())
    );
    assert!(world.names("").is_empty());
}

#[test]
fn a_symlink_stays_and_its_target_is_replaced() {
    let world = World::new();
    world.put("dots/remote", "old", 0o600);
    fs::create_dir(world.path(".apptainer")).unwrap();
    let link = world.path(".apptainer/remote.yaml");
    symlink("../dots/remote", &link).unwrap();
    let inode = fs::metadata(&link).unwrap().ino();
    assert!(set(&link, "new").unwrap());
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../dots/remote"));
    assert_eq!(text(&world.path("dots/remote")), "new");
    assert_ne!(fs::metadata(&link).unwrap().ino(), inode);
    assert_eq!(world.names("dots"), [".remote.lock", "remote"]);
    assert_eq!(world.names(".apptainer"), ["remote.yaml"]);
}

#[test]
fn the_target_of_a_broken_symlink_is_created() {
    let world = World::new();
    symlink("dots/remote", world.path("remote.yaml")).unwrap();
    symlink("data", world.path(".apptainer")).unwrap();
    set(&world.path("remote.yaml"), "x").unwrap();
    set(&world.path(".apptainer/remote.yaml"), "y").unwrap();
    assert_eq!(
        (text(&world.path("dots/remote")), text(&world.path("data/remote.yaml"))),
        ("x".into(), "y".into())
    );
    assert_eq!(mode(&world.path("dots")), 0o700);
}

#[test]
fn group_and_other_bits_of_a_users_file_are_removed_and_a_global_mode_is_kept() {
    let world = World::new();
    for (before, after) in [(0o644, 0o600), (0o755, 0o700), (0o440, 0o400)] {
        let path = world.put("remote.yaml", "old", 0o600);
        chmod(&path, before);
        assert!(set(&path, "new").unwrap());
        assert_eq!(mode(&path), after);
        fs::remove_file(&path).unwrap();
    }
    let path = world.put("global.yaml", "old", 0o640);
    let target = Target::global(&path, owner_trusted(me().uid), LIMIT);
    with_umask(0o077, || apply(&target, me(), &mut to("new"))).unwrap();
    assert_eq!(mode(&path), 0o640);
}

fn attributes(path: &Path) -> String {
    let output =
        Command::new("getfattr").args(["-d", "-m", "^user\\.", "--absolute-names"]).arg(path).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

fn acl(path: &Path) -> String {
    let output = Command::new("getfacl").args(["-cnp"]).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn attributes_are_kept_but_an_acl_only_on_a_global_file() {
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o644);
    if !Command::new("setfattr")
        .args(["-n", "user.note", "-v", "kept"])
        .arg(&path)
        .status()
        .is_ok_and(|s| s.success())
    {
        skipped("needs a tool: setfattr, and a filesystem with attributes");
        return;
    }
    if !Command::new("setfacl").args(["-m", "u:54321:r"]).arg(&path).status().is_ok_and(|s| s.success()) {
        skipped("needs a tool: setfacl, and a filesystem with ACLs");
        return;
    }
    let target = Target::global(&path, owner_trusted(me().uid), LIMIT);
    assert!(apply(&target, me(), &mut to("new")).unwrap());
    assert!(attributes(&path).contains("user.note=\"kept\""));
    assert!(acl(&path).contains("user:54321:r--"), "{}", acl(&path));
    assert_eq!(mode(&path), 0o644);
    assert!(set(&path, "newer").unwrap());
    assert!(attributes(&path).contains("user.note=\"kept\""));
    assert!(!acl(&path).contains("54321"), "{}", acl(&path));
    assert_eq!(mode(&path), 0o600);
}

/// They describe the old content, so new content must not inherit them.
#[test]
fn file_capabilities_and_content_signatures_are_not_kept() {
    if !root() {
        return;
    }
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o644);
    // Revision 2: cap_net_raw, permitted and effective.
    let mut capability = [0; 20];
    (capability[3], capability[0], capability[5]) = (2, 1, 0x20);
    let set_attribute =
        |name: &str, value: &[u8]| rustix::fs::setxattr(&path, name, value, rustix::fs::XattrFlags::empty());
    set_attribute("trusted.note", b"kept").unwrap();
    set_attribute("security.capability", &capability).unwrap();
    assert!(apply(&Target::global(&path, Trusted::default(), LIMIT), me(), &mut to("new")).unwrap());
    let mut value = [0; 64];
    let mut attribute = |name: &str| rustix::fs::getxattr(&path, name, &mut value[..]);
    assert_eq!(attribute("security.capability"), Err(rustix::io::Errno::NODATA));
    assert_eq!(attribute("trusted.note"), Ok(4));
}

#[test]
fn a_default_acl_of_the_directory_gives_no_access() {
    let world = World::new();
    if !Command::new("setfacl")
        .args(["-m", "d:u:54321:rwx"])
        .arg(world.path(""))
        .status()
        .is_ok_and(|s| s.success())
    {
        skipped("needs a tool: setfacl, and a filesystem with ACLs");
        return;
    }
    let path = world.path("remote.yaml");
    set(&path, "x").unwrap();
    assert_eq!(mode(&path), 0o600);
    set(&path, "y").unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(!acl(&path).contains("54321"), "{}", acl(&path));
}

#[test]
fn concurrent_processes_of_root_create_files_owned_by_the_user() {
    if !root() {
        return;
    }
    for _ in 0..10 {
        let world = World::of(SOMEBODY);
        let path = world.path(".apptainer/remote.yaml");
        std::thread::scope(|scope| {
            for text in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let path = &path;
                scope.spawn(move || set(path, text).unwrap());
            }
        });
        assert_eq!(world.names(""), [".apptainer"]);
        for name in [".apptainer", ".apptainer/remote.yaml", ".apptainer/.remote.yaml.lock"] {
            assert_eq!(owner(&world.path(name)).0, SOMEBODY, "{name}");
        }
    }
}

#[test]
fn two_hundred_writers_lose_nothing() {
    let world = World::new();
    let path = world.path(".apptainer/remote.yaml");
    std::thread::scope(|scope| {
        for number in 0..200 {
            let path = &path;
            scope.spawn(move || {
                let mut target = Target::user(path, LIMIT);
                target.patience = Duration::from_secs(120);
                let add = &mut |now: Option<&[u8]>| {
                    let mut all = now.unwrap_or_default().to_vec();
                    all.extend(format!("{number}\n").bytes());
                    Ok(Some(all))
                };
                assert!(apply(&target, me(), add).unwrap());
            });
        }
    });
    let mut lines: Vec<usize> = text(&path).lines().map(|line| line.parse().unwrap()).collect();
    lines.sort_unstable();
    assert!(lines.into_iter().eq(0..200));
    assert_eq!(world.names(".apptainer"), [".remote.yaml.lock", "remote.yaml"]);
}

#[test]
fn a_lock_timeout_names_the_lock_file() {
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o600);
    let lock = world.put(".remote.yaml.lock", "", 0o600);
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let mut target = Target::user(&path, LIMIT);
    target.patience = Duration::from_millis(150);
    let start = Instant::now();
    let told = told(apply(&target, me(), &mut to("new")));
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    assert!(told.contains(&format!("timed out after 0.15 s waiting for the lock {}", lock.display())));
    assert!(told.ends_with(&format!("to see who holds it: fuser -v {}", lock.display())), "{told}");
    assert_eq!(text(&path), "old");
    drop(held);
    assert!(apply(&target, me(), &mut to("new")).unwrap());
}

#[test]
fn a_lock_file_that_was_replaced_meanwhile_is_not_used() {
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o600);
    let lock = world.put(".remote.yaml.lock", "", 0o600);
    let (first, second) = (fs::File::open(&lock).unwrap(), world.path("second"));
    first.lock().unwrap();
    let writer = std::thread::scope(|scope| {
        let writer = scope.spawn(|| set(&path, "new"));
        std::thread::sleep(Duration::from_millis(50));
        // The waiting writer has the first file open. Replace that file with another one, which is locked too.
        let other = fs::File::create(&second).unwrap();
        other.lock().unwrap();
        fs::rename(&second, &lock).unwrap();
        drop(first);
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(text(&path), "old");
        drop(other);
        writer.join().unwrap()
    });
    assert!(writer.unwrap());
    assert_eq!(text(&path), "new");
}

#[test]
fn a_lock_that_is_not_a_regular_file_is_refused_without_blocking() {
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o600);
    let lock = world.path(".remote.yaml.lock");
    let victim = world.put("victim", "", 0o600);
    symlink(&victim, &lock).unwrap();
    assert!(told(set(&path, "new")).contains("is not a regular file"));
    fs::remove_file(&lock).unwrap();
    run("mkfifo", &[str(&lock)]);
    assert!(told(set(&path, "new")).contains("is not a regular file"));
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert!(told(set(&path, "new")).contains("is not a regular file"));
    assert_eq!(text(&path), "old");
}

#[test]
fn a_lock_owned_by_another_user_is_an_error() {
    if !root() {
        return;
    }
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o600);
    let lock = world.put(".remote.yaml.lock", "", 0o600);
    std::os::unix::fs::chown(&lock, Some(STRANGER), None).unwrap();
    let told = told(set(&path, "new"));
    assert!(told.ends_with(&format!("is owned by uid {STRANGER}\nrm {}", lock.display())), "{told}");
    // An ordinary user cannot open it at all.
    std::os::unix::fs::chown(world.path(""), Some(SOMEBODY), None).unwrap();
    std::os::unix::fs::chown(&path, Some(SOMEBODY), None).unwrap();
    let by_user = as_uid(SOMEBODY, |who| apply(&Target::user(&path, LIMIT), who, &mut to("new")));
    assert!(super::told(by_user).ends_with(&format!("\nrm {}", lock.display())));
    assert_eq!(text(&path), "old");
}

#[test]
fn only_temporary_files_of_killed_writers_are_removed() {
    let world = World::new();
    let path = world.put("remote.yaml", "old", 0o600);
    world.put(".remote.yaml.tmp-0123456789abcdef", "half", 0o600);
    let kept = [".other.tmp-0123456789abcdef", ".remote.yaml.tmp-mine", ".remote.yaml.tmp-0123456789abcdef0"];
    for name in kept {
        world.put(name, "", 0o600);
    }
    fs::create_dir(world.path(".remote.yaml.tmp-fedcba9876543210")).unwrap();
    set(&path, "new").unwrap();
    let names = world.names("");
    assert!(!names.contains(&".remote.yaml.tmp-0123456789abcdef".to_string()), "{names:?}");
    assert!(kept.iter().all(|name| names.contains(&name.to_string())), "{names:?}");
    assert_eq!(names.len(), kept.len() + 3);
}

#[test]
fn files_that_root_creates_belong_to_the_directorys_owner() {
    if !root() {
        return;
    }
    let world = World::of(SOMEBODY);
    let path = world.path(".apptainer/remote.yaml");
    set(&path, "by root").unwrap();
    for name in [".apptainer", ".apptainer/remote.yaml", ".apptainer/.remote.yaml.lock"] {
        assert_eq!(owner(&world.path(name)), (SOMEBODY, SOMEBODY), "{name}");
    }
    let done = as_uid(SOMEBODY, |who| apply(&Target::user(&path, LIMIT), who, &mut to("by the user")));
    assert!(done.unwrap());
    // An existing file keeps its owner and group.
    std::os::unix::fs::chown(&path, Some(SOMEBODY), Some(STRANGER)).unwrap();
    set(&path, "by root again").unwrap();
    assert_eq!(owner(&path), (SOMEBODY, STRANGER));
}

#[test]
fn if_the_group_cannot_be_kept_the_new_one_gets_only_the_permissions_of_others() {
    if !root() {
        return;
    }
    for (before, after) in [(0o640, 0o600), (0o644, 0o644), (0o664, 0o644)] {
        let world = World::of(SOMEBODY);
        let path = world.put("global.yaml", "old", before);
        std::os::unix::fs::chown(&path, Some(SOMEBODY), Some(STRANGER)).unwrap();
        // The group can replace the program, so it may also write to the file.
        let trusted = Trusted { owner: Some(SOMEBODY), group: Some(STRANGER) };
        as_uid(SOMEBODY, |who| {
            let (done, said) =
                said(|talk| update(&Target::global(&path, trusted, LIMIT), who, talk, &mut to("new")));
            assert!(done.unwrap());
            assert!(said.contains("VERBOSE: the file's group changes"), "{said}");
        });
        assert_eq!((owner(&path), mode(&path)), ((SOMEBODY, SOMEBODY), after), "{before:o}");
    }
}
