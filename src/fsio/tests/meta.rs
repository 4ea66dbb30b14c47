//! What a new file gets: owner, mode and attributes.

use super::super::Role;
use super::super::meta::{is_copied, is_handed_over, lost, set_mode};
use super::*;
use rustix::fd::AsFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

const GLOBAL: Role = Role::Global { trusted: Trusted { owner: None, group: None } };

#[test]
fn root_gives_away_what_it_makes_in_the_directory_of_another() {
    for (who, owner, expected) in [(0, 1000, true), (0, 0, false), (1000, 1000, false), (1000, 0, false)] {
        let mut dir = rustix::fs::stat("/").unwrap();
        dir.st_uid = owner;
        assert_eq!(is_handed_over(&dir, Identity { uid: who }), expected, "{who} in a directory of {owner}");
    }
}

#[test]
fn a_mode_that_cannot_be_set_matters_where_it_leaves_more_open() {
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
        // Of a file that was opened by O_PATH no mode can be changed.
        let file = rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        assert_eq!(set_mode(file.as_fd(), wanted).is_ok(), fine, "{now:o} to {wanted:o}");
        let file = fs::File::open(&path).unwrap();
        set_mode(file.as_fd(), wanted).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o7777, wanted, "{now:o} to {wanted:o}");
    }
}

#[test]
fn attributes_go_along_unless_they_describe_the_old_content() {
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
fn an_attribute_that_is_lost_is_an_error_where_it_lets_somebody_in() {
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
