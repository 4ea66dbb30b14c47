//! A file keeps the group that its owner may give it.

use crate::world::{As, World, is_root, skipped};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;

/// A group that a process has in addition to its own, and one that it does not have.
const SUPPLEMENTARY: u32 = 54_331;
const OTHER: u32 = 54_332;

#[test]
fn a_user_keeps_a_group_of_theirs_and_says_when_another_is_lost() {
    if !is_root() {
        skipped("needs root: a process with a supplementary group");
        return;
    }
    for (group, is_kept) in [(SUPPLEMENTARY, true), (OTHER, false)] {
        let world = World::new();
        world.write_user("Active: a\nRemotes:\n  a: {URI: a.example}\n  b: {URI: b.example}\n");
        let user = world.command(As::User).unwrap();
        chown(world.user_file(), None, Some(group)).unwrap();
        let args = user.get_args().map(|arg| {
            let arg = arg.to_string_lossy();
            if arg == "--clear-groups" { format!("--groups={SUPPLEMENTARY}") } else { arg.into_owned() }
        });
        let mut command = Command::new(user.get_program());
        command.args(args).args(["-v", "remote", "use", "b"]).env_clear().envs(world.environment().iter());
        let shown = crate::world::finish(&mut command).exits(0);
        let now = fs::metadata(world.user_file()).unwrap();
        let lost = format!("VERBOSE: the file's group changes from gid {group} to {}\n", now.gid());
        assert_eq!((now.gid() == group, shown.stderr.contains(&lost)), (is_kept, !is_kept), "{shown:?}");
        assert_eq!(now.mode() & 0o777, 0o600);
        assert!(world.user().contains("Active: b"));
    }
}
