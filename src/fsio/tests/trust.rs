//! Trust in owners and modes, each case with the command that fixes it.

use super::super::{Distrust, Role, read};
use super::*;
use crate::hint::Hint;
use std::os::unix::fs::{chown, symlink};

fn distrust(path: &Path, role: Role, who: Identity) -> Option<Distrust> {
    let state = read(path, role, who, LIMIT).unwrap();
    let target = match role {
        Role::User => Target::user(path, LIMIT),
        Role::Global { trusted } => Target::global(path, trusted, LIMIT),
    };
    if let Some(distrust) = &state.distrust {
        let told = told(apply(&target, who, &mut to("new")));
        assert_eq!(told, format!("{}\n{}", distrust.sentence(), Hint::from(distrust.remedy.clone())));
    }
    state.distrust
}

fn remedy(path: &Path, role: Role, who: Identity) -> Option<String> {
    distrust(path, role, who).map(|distrust| Hint::from(distrust.remedy).to_string())
}

const GLOBAL: Role = Role::Global { trusted: Trusted { owner: None, group: None } };

#[test]
fn a_users_file_writable_by_others_is_read_but_not_written() {
    let world = World::new();
    let path = world.put("remote.yaml", "x", 0o600);
    assert_eq!(distrust(&path, Role::User, me()), None);
    for bad in [0o602, 0o620, 0o666] {
        chmod(&path, bad);
        let found = distrust(&path, Role::User, me()).unwrap();
        assert_eq!(found.reason, format!("is writable by others (mode {bad:04o})"));
        assert_eq!(Hint::from(found.remedy).to_string(), format!("chmod go-w {}", path.display()));
        assert_eq!(text(&path), "x");
    }
    chmod(&path, 0o644);
    chmod(&world.path(""), 0o770);
    let dir = world.path("");
    assert_eq!(remedy(&path, Role::User, me()).unwrap(), format!("chmod go-w {}", dir.display()));
    chmod(&dir, 0o1777);
    let found = remedy(&path, Role::User, me()).unwrap();
    assert_eq!(
        found,
        format!("use a directory that only you can write to: mkdir -m 700 {}/NAME", dir.display())
    );
    assert_eq!(world.names(""), ["remote.yaml"]);
}

#[test]
fn a_missing_file_is_untrusted_if_others_can_write_to_the_directory() {
    let world = World::new();
    chmod(&world.path(""), 0o777);
    let path = world.path("remote.yaml");
    let me_too = Role::Global { trusted: owner_trusted(me().uid) };
    for role in [Role::User, me_too] {
        assert_eq!(remedy(&path, role, me()).unwrap(), format!("chmod go-w {}", world.path("").display()));
    }
    assert!(world.names("").is_empty());
}

#[test]
fn the_directory_of_a_users_symlink_is_checked_too() {
    let world = World::new();
    world.put("good/remote.yaml", "x", 0o600);
    fs::create_dir(world.path("bad")).unwrap();
    symlink("../good/remote.yaml", world.path("bad/remote.yaml")).unwrap();
    chmod(&world.path("bad"), 0o777);
    let found = remedy(&world.path("bad/remote.yaml"), Role::User, me()).unwrap();
    assert_eq!(found, format!("chmod go-w {}", world.path("bad").display()));
}

#[test]
fn a_users_file_must_belong_to_that_user_or_root() {
    if !root() {
        return;
    }
    let world = World::of(SOMEBODY);
    let path = world.put("remote.yaml", "x", 0o644);
    let user = |who: u32| as_uid(who, |who| remedy(&path, Role::User, who));
    assert_eq!(user(SOMEBODY), None);
    chown(&path, Some(STRANGER), None).unwrap();
    assert_eq!(
        user(SOMEBODY).unwrap(),
        format!("ask your administrator to run: chown {SOMEBODY} {}", path.display())
    );
    assert_eq!(remedy(&path, Role::User, me()), None);
    chown(&path, Some(SOMEBODY), None).unwrap();
    chown(world.path(""), Some(STRANGER), None).unwrap();
    chmod(&world.path(""), 0o755);
    assert_eq!(
        user(SOMEBODY).unwrap(),
        format!("ask your administrator to run: chown {SOMEBODY} {}", world.path("").display())
    );
    chown(&path, Some(0), None).unwrap();
    chown(world.path(""), Some(0), None).unwrap();
    assert_eq!(user(SOMEBODY), None);
    chmod(&path, 0o664);
    assert_eq!(
        user(SOMEBODY).unwrap(),
        format!("ask your administrator to run: chmod go-w {}", path.display())
    );
}

#[test]
fn root_follows_a_users_symlink_only_to_that_users_files() {
    if !root() {
        return;
    }
    let world = World::of(SOMEBODY);
    fs::create_dir(world.path("roots")).unwrap();
    let link = world.path("remote.yaml");
    symlink("roots/made", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(SOMEBODY), None).unwrap();
    let told = told(set(&link, "x"));
    assert!(told.contains("is a symlink of uid 54321, but its target belongs to another user"), "{told}");
    assert!(world.names("roots").is_empty());
    // The same holds if the target's directory does not exist yet.
    let dir = world.path(".apptainer");
    symlink("roots/made", &dir).unwrap();
    std::os::unix::fs::lchown(&dir, Some(SOMEBODY), None).unwrap();
    assert!(
        super::told(set(&dir.join("remote.yaml"), "x")).contains("but its target belongs to another user")
    );
    assert!(world.names("roots").is_empty());
    chown(world.path("roots"), Some(SOMEBODY), None).unwrap();
    set(&link, "x").unwrap();
    assert_eq!(owner(&world.path("roots/made")).0, SOMEBODY);
    // The user's symlink must not select a file of root, not even one in the user's directory.
    chown(world.path("roots/made"), Some(0), None).unwrap();
    assert!(super::told(set(&link, "y")).contains("but its target belongs to another user"));
    assert_eq!(text(&world.path("roots/made")), "x");
}

#[test]
fn a_group_that_can_replace_the_program_may_write_to_the_global_file() {
    if !root() {
        return;
    }
    const GROUP: u32 = 54_400;
    let group = Role::Global { trusted: Trusted { owner: None, group: Some(GROUP) } };
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("etc/remote.yaml", "x", 0o664);
    let dir = world.path("etc");
    chmod(&dir, 0o2775);
    for path in [&path, &dir] {
        chown(path, None, Some(GROUP)).unwrap();
    }
    assert_eq!(remedy(&path, group, me()), None);
    assert_eq!(as_uid(SOMEBODY, |who| remedy(&path, group, who)), None);
    assert!(remedy(&path, GLOBAL, me()).unwrap().starts_with("chmod go-w "));
    for (path, mode) in [(&path, 0o666), (&dir, 0o2777)] {
        let kept = super::mode(path);
        chmod(path, mode);
        assert!(remedy(&world.path("etc/remote.yaml"), group, me()).unwrap().starts_with("chmod go-w "));
        chmod(path, kept);
    }
    chown(&dir, None, Some(GROUP + 1)).unwrap();
    assert_eq!(remedy(&path, group, me()).unwrap(), format!("chmod go-w {}", dir.display()));
    chown(&dir, Some(STRANGER), Some(GROUP)).unwrap();
    assert_eq!(remedy(&path, group, me()).unwrap(), format!("chown 0 {}", dir.display()));
}

#[test]
fn the_overflow_uid_is_not_trusted_outside_a_user_namespace() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("remote.yaml", "x", 0o644);
    chown(&path, Some(65534), None).unwrap();
    assert_eq!(remedy(&path, GLOBAL, me()).unwrap(), format!("chown 0 {}", path.display()));
}

#[test]
fn the_global_file_must_belong_to_root_or_the_executables_owner() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("etc/remote.yaml", "x", 0o644);
    let dir = world.path("etc");
    chmod(&dir, 0o755);
    let user = |role| as_uid(SOMEBODY, |who| remedy(&path, role, who));
    assert_eq!((user(GLOBAL), remedy(&path, GLOBAL, me())), (None, None));
    chown(&path, Some(SOMEBODY), None).unwrap();
    assert_eq!(remedy(&path, GLOBAL, me()).unwrap(), format!("chown 0 {}", path.display()));
    assert_eq!(user(GLOBAL).unwrap(), format!("ask your administrator to run: chown 0 {}", path.display()));
    assert_eq!(user(Role::Global { trusted: owner_trusted(SOMEBODY) }), None);
    chown(&path, Some(0), None).unwrap();
    chown(&dir, Some(STRANGER), None).unwrap();
    assert_eq!(remedy(&path, GLOBAL, me()).unwrap(), format!("chown 0 {}", dir.display()));
    chown(&dir, Some(0), None).unwrap();
    chmod(&dir, 0o775);
    assert_eq!(remedy(&path, GLOBAL, me()).unwrap(), format!("chmod go-w {}", dir.display()));
    chmod(&dir, 0o755);
    chmod(&path, 0o666);
    assert_eq!(remedy(&path, GLOBAL, me()).unwrap(), format!("chmod go-w {}", path.display()));
    assert_eq!(text(&path), "x");
}

#[test]
fn each_symlink_to_the_global_file_is_checked_and_trusted_ones_are_followed() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    world.put("real/remote.yaml", "x", 0o644);
    chmod(&world.path("real"), 0o755);
    let (dir_link, file_link) = (world.path("etc"), world.path("link.yaml"));
    symlink("real", &dir_link).unwrap();
    symlink("etc/remote.yaml", &file_link).unwrap();
    assert_eq!(remedy(&file_link, GLOBAL, me()), None);
    let target = Target::global(&file_link, Trusted::default(), LIMIT);
    assert!(apply(&target, me(), &mut to("y")).unwrap());
    assert_eq!(text(&world.path("real/remote.yaml")), "y");
    for link in [&dir_link, &file_link] {
        std::os::unix::fs::lchown(link, Some(SOMEBODY), None).unwrap();
        assert_eq!(remedy(&file_link, GLOBAL, me()).unwrap(), format!("chown -h 0 {}", link.display()));
        std::os::unix::fs::lchown(link, Some(0), None).unwrap();
    }
    chmod(&world.path(""), 0o757);
    let found = remedy(&file_link, GLOBAL, me()).unwrap();
    assert_eq!(found, format!("chmod go-w {}", world.path("").display()));
}

#[test]
fn an_unreadable_global_file_never_counts_as_absent() {
    if !root() {
        return;
    }
    let world = World::new();
    chmod(&world.path(""), 0o755);
    let path = world.put("remote.yaml", "x", 0o600);
    as_uid(SOMEBODY, |who| assert!(told(read(&path, GLOBAL, who, LIMIT)).contains("Permission denied")));
}
