//! Several processes using one file: the lock, hundreds of writers and readers, and changes by others between a
//! prompt or request and its answer.

use crate::disk::{OLD, Picture, STRANGER, behind, changed, give, has, lab, leftovers, names, process, run};
use crate::peers::endpoint::{Behaviour, Endpoint, TOKEN_STATUS};
use crate::peers::gate::Gate;
use crate::peers::wire::PATIENT;
use crate::world::{As, Shown, USER, World, finish, is_root, only_root, words};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "canary-7f3a";

fn lock_of(world: &World) -> PathBuf {
    world.user_dir().join(".remote.yaml.lock")
}

/// Takes the lock as another program would, from a process other than the one under test.
fn hold(world: &World) -> File {
    let lock = File::options().create(true).truncate(false).write(true).open(lock_of(world)).unwrap();
    lock.lock().unwrap();
    world.give_home_to_user();
    lock
}

fn start(world: &World, line: &str) -> Child {
    behind(world, As::User, &[]).unwrap().args(words(line)).spawn().unwrap()
}

fn end(child: Child) -> Shown {
    let output = child.wait_with_output().unwrap();
    Shown {
        code: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_held_lock_is_an_error_after_ten_seconds_and_readers_never_wait() {
    let world = lab();
    let held = hold(&world);
    let before = Picture::of(&world);
    // In parallel, so that the test waits the ten seconds only once.
    let writers: Vec<Child> =
        ["use DefaultRemote", "add --no-login new h", "remove lab", "-d remote use DefaultRemote"]
            .map(|line| {
                start(&world, &if line.starts_with('-') { line.into() } else { format!("remote {line}") })
            })
            .into();
    let mut dying = [Signal::TERM, Signal::INT].map(|signal| (signal, start(&world, "remote remove lab")));
    for line in ["list", "list --json", "check", "use lab"] {
        process(&world, As::User, line).unwrap().exits(0);
    }
    for (signal, child) in &mut dying {
        kill_process(Pid::from_child(child), *signal).unwrap();
    }
    for (signal, child) in dying {
        assert_eq!(end(child).code, 128 + signal.as_raw(), "{signal:?} while it waits for the lock");
    }
    let lock = lock_of(&world).display().to_string();
    for writer in writers {
        end(writer)
            .exits(255)
            .says(&format!("FATAL:   {} was not changed: ", world.user_file().display()))
            .says(&format!("timed out after 10 s waiting for the lock {lock}\n"))
            .says(&format!("hint:    to see who holds it: fuser -v {lock}\n"));
    }
    before.is_still(&world, "the lock was taken");
    if has("fuser", &["-V"]) {
        // The command of the hint finds the process that holds the lock: this test.
        let shown = finish(Command::new("fuser").arg(&lock).stdin(Stdio::null()));
        assert!(shown.stdout.contains(&std::process::id().to_string()), "{shown:#?}");
    }
    drop(held);
    process(&world, As::User, "use DefaultRemote").unwrap().exits(0);
}

#[test]
fn a_writer_that_waited_for_the_lock_changes_the_current_file() {
    let world = lab();
    let held = hold(&world);
    let mut writer = start(&world, "remote use DefaultRemote");
    std::thread::sleep(Duration::from_millis(400));
    assert!(writer.try_wait().unwrap().is_none(), "it did not wait");
    fs::write(world.user_file(), OLD.replace("lab.example.com", "other.example.com")).unwrap();
    drop(held);
    end(writer).exits(0);
    assert!(
        world.user().starts_with("Active: DefaultRemote\n") && world.user().contains("other.example.com")
    );
}

#[test]
fn a_lock_held_by_a_python_program_is_respected() {
    if !has("/usr/bin/python3", &["-c", "import fcntl"]) {
        return;
    }
    let world = lab();
    drop(hold(&world));
    let script = "\
import fcntl,sys,time
f=open(sys.argv[1],'r+')
fcntl.flock(f,fcntl.LOCK_EX)
print('held',flush=True)
time.sleep(0.6)
print(open(sys.argv[2]).read(),flush=True)";
    let mut other = Command::new("/usr/bin/python3");
    other.args(["-c", script]).arg(lock_of(&world)).arg(world.user_file()).stdout(Stdio::piped());
    let mut other = other.spawn().unwrap();
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut [0; 4]).unwrap();
    process(&world, As::User, "use DefaultRemote").unwrap().exits(0);
    let mut seen = String::new();
    std::io::Read::read_to_string(other.stdout.as_mut().unwrap(), &mut seen).unwrap();
    assert_eq!(seen.trim(), OLD.trim(), "what the other program reads just before it releases the lock");
    assert!(other.wait().unwrap().success());
    assert_eq!(world.user(), changed());
}

#[test]
fn a_planted_lock_file_is_refused_without_waiting() {
    for kind in ["link", "dangling", "fifo", "directory", "stranger"] {
        let world = lab();
        let lock = lock_of(&world);
        let victim = world.home().join("victim");
        fs::write(&victim, "mine").unwrap();
        match kind {
            "link" => symlink(&victim, &lock).unwrap(),
            "dangling" => symlink("nothing", &lock).unwrap(),
            "fifo" => drop(run("mkfifo", &[lock.to_str().unwrap()])),
            "directory" => fs::create_dir(&lock).unwrap(),
            _ => {
                fs::write(&lock, "").unwrap();
                crate::disk::chmod(&lock, 0o666);
            }
        }
        world.give_home_to_user();
        if kind == "stranger" && !give(&lock, STRANGER) {
            return;
        }
        let before = Picture::of(&world);
        let says = match kind {
            "stranger" => format!("the lock {} is owned by uid {STRANGER}\n", lock.display()),
            _ => format!("the lock {} is not a regular file\n", lock.display()),
        };
        process(&world, As::User, "use DefaultRemote").unwrap().exits(255).says(&says).says("\nhint:    ");
        if is_root() {
            process(&world, As::Root, "use DefaultRemote").unwrap().exits(255).says(&says);
        }
        before.is_still(&world, kind);
        process(&world, As::User, "list").unwrap().exits(0);
    }
}

/// A user can lock every file that they can read: the global file, its directory, and both together.
#[test]
fn a_stranger_holding_every_lock_they_can_open_blocks_nobody() {
    if !only_root("another user") || !has("/usr/bin/python3", &["-c", "import fcntl"]) {
        return;
    }
    let world = lab();
    world.write_global("Active: DefaultRemote\nRemotes: {}\n");
    let global = world.global_file();
    process(&world, As::Root, "add --global one one.example.com").unwrap().exits(0);
    world.give_home_to_user();
    crate::disk::chmod(&world.home(), 0o711);
    let hold = "import fcntl,glob,os,sys,time
held = []
for directory in sys.argv[1:]:
    for name in [directory] + glob.glob(directory + '/*') + glob.glob(directory + '/.*'):
        for how in (fcntl.LOCK_EX, fcntl.LOCK_SH):
            try:
                file = os.open(name, os.O_RDONLY)
                fcntl.flock(file, how | fcntl.LOCK_NB)
                held.append(file)
                break
            except OSError:
                pass
print(len(held), flush=True)
time.sleep(600)";
    let mut stranger = std::process::Command::new("/usr/bin/setpriv")
        .args([format!("--reuid={STRANGER}"), format!("--regid={STRANGER}"), "--clear-groups".into()])
        .args(["/usr/bin/python3", "-c", hold])
        .args([global.parent().unwrap(), &world.user_dir()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = [0; 2];
    std::io::Read::read_exact(stranger.stdout.as_mut().unwrap(), &mut told).unwrap();
    assert!(told[0] >= b'2', "the stranger holds at least the global file and its directory");
    // A program that waited for the stranger would give up after ten seconds and fail.
    process(&world, As::Root, "add --global two two.example.com").unwrap().exits(0);
    process(&world, As::User, "use two").unwrap().exits(0);
    process(&world, As::User, "list").unwrap().exits(0).prints("two");
    let _ = stranger.kill();
    let _ = stranger.wait();
}

#[test]
fn two_hundred_concurrent_writers_and_fifty_readers_lose_nothing() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    let mut remotes = String::from("Remotes:\n");
    for n in 0..20 {
        let host = endpoint.host();
        remotes += &format!("    old{n}: {{URI: old.example.com}}\n");
        remotes += &format!("    in{n}: {{URI: //{host}, Insecure: true}}\n");
        remotes += &format!("    out{n}: {{URI: //{host}, Insecure: true, Token: {TOKEN}}}\n");
    }
    world.write_user(remotes);
    world.give_home_to_user();
    let token = world.path("token");
    fs::write(&token, TOKEN).unwrap();
    let mut lines: Vec<String> =
        (0..120).map(|n| format!("remote add --no-login -n r{n} h{n}.example.com")).collect();
    for n in 0..20 {
        lines.push(format!("remote remove old{n}"));
        lines.push("remote use DefaultRemote".into());
        lines.push(format!("remote login --tokenfile {} in{n}", token.display()));
        lines.push(format!("remote logout out{n}"));
    }
    // Shuffled with a stride that has no common factor with the count.
    let writers: Vec<(&String, Child)> =
        (0..200).map(|n| &lines[n * 77 % 200]).map(|line| (line, start(&world, line))).collect();
    let readers: Vec<Child> = (0..50)
        .map(|n| start(&world, if n % 2 == 0 { "remote list" } else { "remote list --json" }))
        .collect();
    for reader in readers {
        end(reader).exits(0).prints("DefaultRemote");
    }
    for (line, writer) in writers {
        let mut shown = end(writer);
        if shown.stderr.contains("waiting for the lock") {
            // On a busy machine the last ones time out. They report that and change nothing.
            shown = end(start(&world, line));
        }
        assert_eq!(shown.code, 0, "{line}: {shown:#?}");
    }
    let shown = process(&world, As::User, "list").unwrap().exits(0);
    for n in 0..120 {
        assert!(shown.stdout.contains(&format!("h{n}.example.com ")), "r{n} is lost: {shown:#?}");
    }
    assert!(!shown.stdout.contains("old") && world.user().starts_with("Active: DefaultRemote\n"));
    let json = process(&world, As::User, "list --json").unwrap().exits(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    for remote in document["remotes"].as_array().unwrap() {
        let (name, token) = (remote["name"].as_str().unwrap(), remote["token"].as_bool().unwrap());
        assert_eq!(token, name.starts_with("in"), "{name}");
    }
    assert_eq!(world.user().matches("URI:").count(), 160);
    let files = names(&world.user_dir());
    assert!(
        files
            .iter()
            .all(|name| [".remote.yaml.lock", "remote.yaml", "remote-cache"].contains(&name.as_str())),
        "{files:?}"
    );
}

#[test]
fn concurrent_first_writers_create_one_directory() {
    for _ in 0..3 {
        let world = World::new();
        world.give_home_to_user();
        world.install();
        let line = |n| format!("remote add --no-login -n r{n} h{n}.example.com");
        let writers: Vec<Child> = (0..12).map(|n| start(&world, &line(n))).collect();
        writers.into_iter().for_each(|writer| drop(end(writer).exits(0)));
        assert_eq!(world.user().matches("URI:").count(), 12, "{}", world.user());
        assert!(leftovers(&world.user_dir()).is_empty());
    }
}

#[test]
fn root_and_the_user_can_write_concurrently() {
    let world = lab();
    world.give_home_to_user();
    if !only_root("root in a user's home") {
        return;
    }
    let writers: Vec<Child> = (0..40)
        .map(|n| {
            let who = if n % 2 == 0 { As::Root } else { As::User };
            let mut command = behind(&world, who, &[]).unwrap();
            command.args(words(&format!("remote add --no-login -n r{n} h{n}.example.com"))).spawn().unwrap()
        })
        .collect();
    writers.into_iter().for_each(|writer| drop(end(writer).exits(0)));
    assert_eq!(world.user().matches("URI:").count(), 41);
    use std::os::unix::fs::MetadataExt;
    for name in names(&world.user_dir()) {
        assert_eq!(fs::metadata(world.user_dir().join(&name)).unwrap().uid(), USER, "{name}");
    }
}

/// Runs a login during which the endpoint delays its answer until `meanwhile` is done.
fn login_with(world: &World, endpoint: &Endpoint, meanwhile: impl FnOnce()) -> Shown {
    endpoint.accept_token(TOKEN);
    endpoint.forget();
    let verdict = Gate::closed();
    endpoint.set(TOKEN_STATUS, Behaviour::Held(verdict.clone()));
    let mut command = behind(world, As::User, &[]).unwrap();
    let mut login = command.args(["-d", "remote", "login", "lab"]).stdin(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    let begun = Instant::now();
    while endpoint.requests_for(TOKEN_STATUS).is_empty() {
        assert!(begun.elapsed() < PATIENT, "the token was never checked: {:#?}", end(login));
        std::thread::sleep(Duration::from_millis(5));
    }
    meanwhile();
    verdict.open();
    end(login).never_shows(TOKEN)
}

#[test]
fn a_token_is_not_stored_if_its_remote_changed_during_the_check() {
    let endpoint = Endpoint::http();
    for (line, says) in [
        (
            "add --no-login --replace lab evil.example.com",
            "lab was changed by another process; the token was not stored",
        ),
        ("remove lab", "lab is not a remote"),
    ] {
        let world = World::new();
        world.give_home_to_user();
        let add = format!("add --no-login -i lab {}", endpoint.url());
        process(&world, As::User, &add).unwrap().exits(0);
        let shown = login_with(&world, &endpoint, || drop(process(&world, As::User, line).unwrap().exits(0)));
        shown.exits(255).says("Access Token Verified!").says(&format!("FATAL:   {says}"));
        assert!(!world.user().contains(TOKEN) && leftovers(&world.user_dir()).is_empty());
    }
}

#[test]
fn a_token_is_not_stored_if_root_changed_the_address_during_the_check() {
    let endpoint = Endpoint::http();
    let world = World::new();
    world.give_home_to_user();
    let add = format!("add -g -i lab {}", endpoint.url());
    let Some(shown) = process(&world, As::Root, &add) else { return };
    shown.exits(0);
    let moved =
        || drop(process(&world, As::Root, "add -g --replace lab other.example.com").unwrap().exits(0));
    login_with(&world, &endpoint, moved).exits(255).says("FATAL:   lab was changed by another process");
    assert!(!world.user().contains(TOKEN));
}

#[test]
fn changes_by_others_during_the_check_of_a_token_are_kept() {
    let endpoint = Endpoint::http();
    let world = World::new();
    world.give_home_to_user();
    process(&world, As::User, &format!("add --no-login -i lab {}", endpoint.url())).unwrap().exits(0);
    // No lock is held during the request: the other commands end before the endpoint responds.
    let shown = login_with(&world, &endpoint, || {
        process(&world, As::User, "add --no-login -n new new.example.com").unwrap().exits(0);
        process(&world, As::User, "use new").unwrap().exits(0);
    });
    shown.exits(0);
    let text = world.user();
    assert!(text.contains("new.example.com") && text.starts_with("Active: new\n"), "{text}");
    assert!(text.contains(&format!("Token: {TOKEN}\n")));
}

#[test]
fn concurrent_registry_logins_are_all_kept() {
    let world = lab();
    world.give_home_to_user();
    let servers: Vec<Endpoint> = (0..12).map(|_| Endpoint::answering(|_| (200, "{}".into()))).collect();
    let uris: Vec<String> = servers.iter().map(|server| format!("docker://{}", server.host())).collect();
    let logins: Vec<Child> =
        uris.iter().map(|uri| start(&world, &format!("registry login -u ada -p {TOKEN} {uri}"))).collect();
    for login in logins {
        end(login).exits(0);
    }
    let auth = fs::read_to_string(world.home().join(".docker/config.json")).unwrap();
    for (server, uri) in servers.iter().zip(&uris) {
        assert!(auth.contains(&server.host()) && world.user().contains(uri), "{uri}: {auth}{}", world.user());
    }
    let logouts: Vec<Child> =
        uris.iter().map(|uri| start(&world, &format!("registry logout {uri}"))).collect();
    for logout in logouts {
        end(logout).exits(0).says("Logout succeeded");
    }
    let auth = fs::read_to_string(world.home().join(".docker/config.json")).unwrap();
    assert_eq!(auth, "{\n\t\"auths\": {}\n}\n");
    assert!(!world.user().contains("Credentials") && world.user().contains("lab.example.com"));
}
