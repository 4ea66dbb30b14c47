//! A kill, a signal or an error at any system call of a write.

use super::*;

/// Runs `remote use DefaultRemote` under strace, which injects `what` at the `nth` call of `call`.
fn interrupted(world: &World, call: &str, nth: usize, what: &str) -> Shown {
    tampered(world, &[format!("{call}:{what}:when={nth}")])
}

fn tampered(world: &World, injections: &[String]) -> Shown {
    let mut strace = words("strace -f -qq -o /dev/null");
    for injection in injections {
        strace.extend(["-e".into(), format!("inject={injection}")]);
    }
    let strace: Vec<&str> = strace.iter().map(String::as_str).collect();
    finish(behind(world, As::User, &strace).unwrap().args(words("remote use DefaultRemote")))
}

/// Asserts that the file is the old one or the new one. Returns whether it is the new one.
#[track_caller]
fn is_whole(world: &World, what: &str) -> bool {
    let now = world.user();
    assert!(now == OLD || now == changed(), "{what}: {now:?}");
    now != OLD
}

/// The system calls of a write, from the lock to the end.
const CALLS: &[&str] = &["flock", "openat", "write", "fchmod", "fsync", "renameat", "close", "exit_group"];

#[test]
fn a_kill_at_any_call_leaves_the_old_file_or_the_new_one() {
    if !has("strace", &["true"]) {
        return;
    }
    let world = lab();
    world.give_home_to_user();
    let (mut killed, mut swept) = (0, 0);
    for call in CALLS {
        for nth in 1.. {
            let shown = interrupted(&world, call, nth, "signal=KILL");
            let new = is_whole(&world, &format!("{call} {nth}: {shown:#?}"));
            if shown.code == 0 {
                assert!(new, "{call} {nth}: {shown:#?}");
                break;
            }
            assert_eq!(shown.code, 128 + 9, "{call} {nth}: {shown:#?}");
            killed += 1;
            swept += leftovers(&world.user_dir()).len();
            // The next writer finds no lock held, and cleans up.
            process(&world, As::User, "add --no-login -n next h").unwrap().exits(0);
            assert!(leftovers(&world.user_dir()).is_empty(), "{call} {nth}");
            world.write_user(OLD);
            world.give_home_to_user();
        }
        world.write_user(OLD);
        world.give_home_to_user();
    }
    assert!(killed > 20 && swept > 2, "{killed} killed, {swept} swept");
}

#[test]
fn a_signal_at_any_call_removes_the_temporary_file_and_ends_the_program() {
    if !has("strace", &["true"]) {
        return;
    }
    let world = lab();
    world.give_home_to_user();
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        // The second fsync is that of the directory: by then nothing needs to be undone, and the program ends
        // soon.
        for (call, nth) in [("flock", 1), ("fsync", 1), ("renameat", 1), ("fsync", 2)] {
            let shown = interrupted(&world, call, nth, &format!("signal={name}"));
            assert_eq!(shown.code, 128 + number, "{name} at {call}: {shown:#?}");
            is_whole(&world, &format!("{name} at {call}"));
            assert!(
                leftovers(&world.user_dir()).is_empty(),
                "{name} at {call}: {:?}",
                names(&world.user_dir())
            );
            process(&world, As::User, "use lab").unwrap().exits(0);
        }
    }
    // A program started with nohup is expected to continue.
    let strace = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", "strace", "-f", "-qq", "-o", "/dev/null"];
    let inject = ["-e", "trace=fsync", "-e", "inject=fsync:signal=HUP:delay_exit=200000:when=1"];
    let wrapper: Vec<&str> = strace.into_iter().chain(inject).collect();
    finish(behind(&world, As::User, &wrapper).unwrap().args(words("remote use DefaultRemote"))).exits(0);
    assert_eq!(world.user(), changed());
}

#[test]
fn a_signal_during_an_in_place_write_waits_for_its_end() {
    if !has("strace", &["true"]) {
        return;
    }
    for (call, nth) in [("pwrite64", 1), ("fsync", 1), ("ftruncate", 1)] {
        let world = lab();
        world.give_home_to_user();
        chmod(&world.user_dir(), 0o500);
        let shown = interrupted(&world, call, nth, "signal=TERM");
        assert_eq!((shown.code, world.user()), (128 + 15, changed()), "{call} {nth}: {shown:#?}");
    }
}

#[test]
fn a_failure_at_any_call_is_reported_and_leaves_no_partial_file() {
    if !has("strace", &["true"]) {
        return;
    }
    let world = lab();
    world.give_home_to_user();
    for (call, errors) in [
        ("write", &["ENOSPC", "EDQUOT", "EIO"][..]),
        ("fsync", &["EIO", "ENOSPC"]),
        ("renameat", &["EIO", "ENOSPC", "EXDEV"]),
        ("flock", &["EIO"]),
    ] {
        for error in errors {
            for nth in 1.. {
                let shown = interrupted(&world, call, nth, &format!("error={error}"));
                let new = is_whole(&world, &format!("{call} {nth} {error}"));
                assert!(
                    leftovers(&world.user_dir()).is_empty(),
                    "{call} {nth} {error}: {:?}",
                    names(&world.user_dir())
                );
                if shown.code == 0 {
                    assert!(new && nth > 1, "{call} {nth} {error}: {shown:#?}");
                    process(&world, As::User, "use lab").unwrap().exits(0);
                    break;
                }
                let says = if new {
                    "was written, but might not survive a power failure"
                } else {
                    "was not changed"
                };
                shown.exits(255).says("FATAL:   ").says(&world.user_file().display().to_string()).says(says);
                process(&world, As::User, "use lab").unwrap().exits(0);
            }
        }
    }
}

#[test]
fn an_unsupported_system_call_is_not_a_failure() {
    if !has("strace", &["true"]) {
        return;
    }
    let world = lab();
    world.give_home_to_user();
    for (call, nth, error) in [
        ("flock", 1, "ENOLCK"),
        ("flock", 1, "EOPNOTSUPP"),
        ("flock", 1, "ENOSYS"),
        ("fsync", 2, "EINVAL"),
        ("fsync", 2, "EOPNOTSUPP"),
        ("fsync", 2, "EACCES"),
    ] {
        let shown = interrupted(&world, call, nth, &format!("error={error}")).exits(0);
        assert_eq!(world.user(), changed(), "{call} {error}");
        assert_eq!(shown.stderr, "INFO:    Remote \"DefaultRemote\" now in use.\n", "{call} {error}");
        process(&world, As::User, "use lab").unwrap().exits(0);
    }
    let (trace, inject) = ("trace=fsync", "inject=fsync:error=EINVAL:when=2");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", inject];
    finish(behind(&world, As::User, &strace).unwrap().args(words("-v remote use DefaultRemote")))
        .exits(0)
        .says("VERBOSE: cannot sync the directory");
}

/// Random numbers.
fn random() -> impl FnMut() -> u64 {
    let mut state = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

#[test]
fn writers_killed_at_random_moments_leave_a_complete_file() {
    let world = lab();
    world.give_home_to_user();
    let mut random = random();
    // The longest time before a kill, in microseconds. Adapts to the time that a writer takes on this machine.
    let (mut killed, mut longest) = (0, 8000);
    for round in 0..1000 {
        if killed >= 40 {
            break;
        }
        let start = |line: &str| -> Child {
            behind(&world, As::User, &[]).unwrap().args(words(line)).spawn().unwrap()
        };
        let mut writers = [start("remote use DefaultRemote"), start("remote use lab")];
        for writer in &mut writers {
            std::thread::sleep(Duration::from_micros(random() % longest));
            writer.kill().unwrap();
            if writer.wait().unwrap().success() {
                longest = (longest * 9 / 10).max(100);
            } else {
                killed += 1;
                longest = (longest * 11 / 10).min(1_000_000);
            }
        }
        is_whole(&world, &format!("round {round}"));
    }
    process(&world, As::User, "add --no-login new new.example.com").unwrap().exits(0);
    assert_eq!(names(&world.user_dir()), [".remote.yaml.lock", "remote.yaml"]);
    assert!(killed >= 40, "only {killed} were killed in time");
}
