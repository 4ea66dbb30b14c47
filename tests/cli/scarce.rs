//! A machine on which no thread can be created or memory runs out: a clear error, and nothing is left behind.

use crate::disk::{behind, names};
use crate::peers::library::{Library, NewImage};
use crate::peers::sif::Sif;
use crate::pull::{remote, world};
use crate::world::{As, Shown, World, finish};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const TOKEN: &str = "canary-t0ken";
const KEY: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const REFERENCE: &str = "library://lab/tools/blast:v1";

fn lab() -> (World, Library) {
    let library = Library::http();
    library.accept_token(TOKEN);
    let image = Sif::new("amd64").filled(3 << 20).signed(KEY);
    library.add(NewImage::new("lab/tools/blast:v1", image.bytes()));
    let world = world(&library);
    fs::write(world.home().join("own.sif"), Sif::new("amd64").filled(9).signed(KEY).bytes()).unwrap();
    world.give_home_to_user();
    (world, library)
}

/// Runs as the user, with this limit of `prlimit`.
fn within(world: &World, limit: &str, words: &[&str]) -> Option<Shown> {
    let words: Vec<String> = words.iter().map(|word| world.in_words(word)).collect();
    Some(finish(behind(world, As::User, &["prlimit", limit])?.args(words)).never_shows("canary"))
}

#[track_caller]
fn nothing_is_left(world: &World, what: &str) {
    let left: Vec<String> =
        names(&world.home().join("images")).into_iter().filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
}

#[test]
fn failing_to_create_a_thread_is_a_clear_error() {
    for by_name in [false, true] {
        let (world, library) = lab();
        if by_name {
            let named = library.host().replace("127.0.0.1", "library.invalid");
            world.write_user(remote(&library, TOKEN).replace(&library.host(), &named));
        }
        let dir = world.home().join("images").display().to_string();
        let token = world.home().join("token");
        fs::write(&token, TOKEN).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        world.give_home_to_user();
        let token = token.display().to_string();
        let own = world.home().join("own.sif").display().to_string();
        let commands: [&[&str]; 4] = [
            &["pull", "-F", "--disable-cache", "--dir", &dir, REFERENCE],
            &["push", &own, "library://lab/tools/own:v1"],
            &["search", "blast"],
            &["remote", "login", "--tokenfile", &token],
        ];
        // Looking up a name needs a thread, so no name server is queried.
        let most = if by_name { 1 } else { 4 };
        for (threads, command) in (1..=most).flat_map(|threads| commands.map(|command| (threads, command))) {
            let limit = format!("--nproc={threads}");
            let Some(shown) = within(&world, &limit, command) else { return };
            let what = format!("{limit} {command:?}: {shown:#?}");
            assert!(shown.code == 0 || shown.code == 255 && shown.stderr.contains("FATAL:   "), "{what}");
            assert!(!shown.stderr.contains("panicked"), "{what}");
            nothing_is_left(&world, &what);
            if threads == 1 && by_name {
                shown.exits(255).says("cannot look up the host name: cannot create a thread: ");
            } else if threads == 1 && command[0] == "pull" {
                shown.exits(255).says("cannot create a thread to hash the image: ");
            }
        }
    }
}

#[test]
fn running_out_of_memory_is_a_clear_error() {
    let (world, _library) = lab();
    let dir = world.home().join("images").display().to_string();
    let mut ended = Vec::new();
    for mib in (16..=320).step_by(2) {
        let limit = format!("--as={}", mib << 20);
        let words = ["pull", "-F", "--disable-cache", "--dir", &dir, REFERENCE];
        let Some(shown) = within(&world, &limit, &words) else { return };
        nothing_is_left(&world, &limit);
        ended.push((mib, shown.code, shown.stderr.lines().last().unwrap_or_default().to_string()));
    }
    let refused = ended.iter().any(|(_, code, said)| *code == 255 && said.contains("not enough memory"));
    assert!(refused && ended.iter().any(|(_, code, _)| *code == 0), "{ended:#?}");
}
