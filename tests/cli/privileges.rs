//! Set-id bits and capabilities of the program file, which are refused, and systems without /proc, where the
//! program uses nothing that the caller controls instead.

use crate::disk::{STRANGER, with_mounts};
use crate::world::{As, Shown, World, is_root, skipped};
use apptainer_remote::persona::Persona;
use rustix::fs::{StatVfsMountFlags, XattrFlags, chown, setxattr, statvfs};
use rustix::process::{Gid, Uid};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Capabilities by their numbers in <linux/capability.h>.
const DAC_OVERRIDE: u32 = 1;
const NET_RAW: u32 = 13;

/// The privileges that the program file may have.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Nothing,
    SetUid,
    SetGid,
    Capability(u32),
}

impl Mark {
    fn put_on(self, world: &World) {
        let exe = world.exe();
        let mode = |mode| fs::set_permissions(&exe, fs::Permissions::from_mode(mode)).unwrap();
        match self {
            Self::Nothing => mode(0o755),
            Self::SetUid => {
                chown(&exe, Some(Uid::from_raw(STRANGER)), None).unwrap();
                mode(0o4755);
            }
            Self::SetGid => {
                chown(&exe, None, Some(Gid::from_raw(STRANGER))).unwrap();
                mode(0o2755);
            }
            Self::Capability(number) => {
                // Version 2, with the effective bit; permitted and inheritable sets, low words before high
                // words.
                let words = [0x0200_0001_u32, 1 << number, 0, 0, 0];
                let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                setxattr(&exe, "security.capability", &value, XattrFlags::empty()).unwrap();
            }
        }
    }
}

#[test]
fn set_id_bits_and_capabilities_are_refused_with_and_without_proc() {
    if !is_root() {
        return skipped("needs root: set-uid files and file capabilities");
    }
    let mut wrong = Vec::new();
    for mark in
        [Mark::Nothing, Mark::SetUid, Mark::SetGid, Mark::Capability(NET_RAW), Mark::Capability(DAC_OVERRIDE)]
    {
        let world = World::new();
        if statvfs(world.path("")).unwrap().f_flag.contains(StatVfsMountFlags::NOSUID) {
            return skipped("needs set-uid files: the temporary directory is mounted nosuid");
        }
        world.install();
        mark.put_on(&world);
        let with = world.spawn(As::User, "list");
        let without = with_mounts(&world, "mount -t tmpfs none /proc; user remote list");
        let without = without.map(|shown| {
            let code = shown.stdout.trim().rsplit_once("exit ").and_then(|(_, code)| code.parse().ok());
            Shown { code: code.unwrap_or(shown.code), ..shown }
        });
        let expected = if matches!(mark, Mark::Nothing) { 0 } else { 255 };
        for (place, shown) in [("with /proc", with), ("without /proc", without)] {
            let Some(shown) = shown else { continue };
            let refused = shown.stderr.contains("refusing to run set-uid, set-gid or with file capabilities");
            if shown.code != expected || refused != (expected == 255) {
                wrong.push(format!("{mark:?} {place}: {shown:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs the installed program with this `argv[0]`, an empty /proc and its own global layer in /etc.
fn without_proc(world: &World, argv0: &str, line: &str) -> Option<Shown> {
    with_mounts(
        world,
        &format!(
            "mount -t tmpfs none /proc; cp /etc/passwd $W/passwd; mount -t tmpfs none /etc; cp $W/passwd /etc
             mkdir /etc/apptainer; cp $W/administrators.yaml /etc/apptainer/remote.yaml
             chmod 755 /etc /etc/apptainer; chmod 644 /etc/apptainer/remote.yaml
             PATH=$W/bin:$PATH timeout 30 bash -c 'exec -a \"$1\" $W/bin/apptainer {line}' bash {argv0}; echo \"exit $?\""
        ),
    )
}

/// A global layer with one remote.
fn layer(name: &str) -> String {
    format!(
        "\
Active: {name}
Remotes:
    {name}:
        URI: {name}.example.com
        System: true
        Exclusive: false
"
    )
}

#[test]
fn without_proc_argv0_does_not_select_the_global_file() {
    let world = World::bare(Persona::Apptainer);
    fs::write(world.path("administrators.yaml"), layer("company")).unwrap();
    fs::create_dir_all(world.path("evil/bin")).unwrap();
    for persona in ["apptainer", "singularity"] {
        fs::create_dir_all(world.path("evil/etc").join(persona)).unwrap();
        fs::write(world.path("evil/etc").join(persona).join("remote.yaml"), layer("planted")).unwrap();
    }
    let evil = world.path("evil/bin");
    for argv0 in
        ["apptainer", "singularity", "$W/evil/bin/apptainer", "$W/evil/bin/singularity", "bin/apptainer"]
    {
        let Some(shown) = without_proc(&world, argv0, "remote list --json") else { return };
        let shown = shown.says("WARNING: /proc is not mounted").never_shows("planted");
        assert!(shown.stdout.contains("\"name\":\"company\""), "{argv0}: {shown:#?}");
        assert!(shown.stdout.contains("\"global\":\"/etc/apptainer/remote.yaml\""), "{argv0}: {shown:#?}");
        assert!(shown.stdout.ends_with("exit 0\n"), "{argv0}: {shown:#?}");
        assert!(!shown.stdout.contains(evil.to_str().unwrap()), "{argv0}: {shown:#?}");
    }
}

#[test]
fn without_proc_it_never_hands_over_to_itself() {
    let world = World::bare(Persona::Apptainer);
    fs::write(world.path("administrators.yaml"), layer("company")).unwrap();
    let Some(shown) = without_proc(&world, "apptainer", "exec image.sif true") else { return };
    assert!(shown.stdout.ends_with("exit 255\n"), "{shown:#?}");
    shown.says("unknown command");
}

#[test]
fn with_proc_argv0_selects_nothing_either() {
    let world = World::new();
    let Some(command) = world.command(As::User) else { return };
    let mut words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    words.insert(0, command.get_program().to_owned());
    let program = words.pop().unwrap();
    words.extend(
        ["/usr/bin/bash", "-c", "exec -a /nowhere/bin/singularity \"$0\" remote list --json"].map(Into::into),
    );
    let mut shell = std::process::Command::new(&words[0]);
    shell.args(&words[1..]).arg(program).env_clear().envs(world.environment().iter());
    let shown = crate::world::finish(shell.env("PATH", "/usr/bin:/bin")).exits(0).never_shows("WARNING");
    assert!(shown.stdout.contains(world.global_file().to_str().unwrap()), "{shown:#?}");
}
