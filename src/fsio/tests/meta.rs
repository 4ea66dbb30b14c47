//! The metadata of new files: owner, mode and extended attributes.

use super::super::Role;
use super::super::meta::{is_copied, is_handed_over, lost, set_mode};
use super::*;
use rustix::fd::AsFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

const GLOBAL: Role = Role::Global { trusted: Trusted { owner: None, group: None } };

#[test]
fn root_hands_over_new_files_in_another_users_directory() {
    for (who, owner, expected) in [(0, 1000, true), (0, 0, false), (1000, 1000, false), (1000, 0, false)] {
        let mut dir = rustix::fs::stat("/").unwrap();
        dir.st_uid = owner;
        assert_eq!(is_handed_over(&dir, Identity { uid: who }), expected, "{who} in a directory of {owner}");
    }
}

#[test]
fn failing_to_set_a_mode_is_an_error_only_if_it_leaves_extra_bits() {
    let world = World::new();
    for (now, wanted, fine) in [
        (0o600, 0o600, true),
        (0o600, 0o644, true),
        (0o644, 0o600, false),
        (0o640, 0o604, false),
        (0o400, 0o644, true),
    ] {
        let path = world.path("file");
        let _ = fs::remove_file(&path);
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(now)).unwrap();
        // fchmod fails on an O_PATH handle.
        let file = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(set_mode(file.as_fd(), wanted).is_ok(), fine, "{now:o} to {wanted:o}");
        let file = fs::File::open(&path).unwrap();
        set_mode(file.as_fd(), wanted).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, wanted, "{now:o} to {wanted:o}");
    }
}

#[test]
fn attributes_are_copied_unless_they_describe_the_old_content() {
    for (name, of_users, of_global) in [
        ("user.note", true, true),
        ("trusted.note", true, true),
        ("security.selinux", true, true),
        ("security.ima", false, false),
        ("security.evm", false, false),
        ("security.capability", false, false),
        ("system.posix_acl_access", false, true),
        ("system.nfs4_acl", false, true),
        ("system.other", false, false),
        ("lustre.lov", false, false),
    ] {
        let copied = |role| is_copied(name.as_bytes(), role);
        assert_eq!((copied(Role::User), copied(GLOBAL)), (of_users, of_global), "{name}");
    }
}

#[test]
fn losing_an_acl_or_a_full_disk_is_an_error() {
    let talk = Talk::new(Box::new(Sink::default()), 5, false);
    for (name, errno, fine) in [
        ("user.note", Errno::PERM, true),
        ("user.note", Errno::NOSPC, false),
        ("user.note", Errno::DQUOT, false),
        ("system.posix_acl_access", Errno::PERM, false),
        ("system.posix_acl_access", Errno::NOSPC, false),
    ] {
        assert_eq!(lost(name.as_ref(), errno, &talk).is_ok(), fine, "{name} {errno}");
    }
}
