//! Which symlinks are followed, by owner and location; open directories; and path resolution.

use super::super::directory::readable;
use super::super::place::{Last, Link, Place, Resolved, resolve};
use super::super::trust::judge_way;
use super::super::{Destination, Directory, Found};
use super::*;
use crate::hint::Hint;
use rustix::fs::Stat;
use std::os::unix::net::UnixListener;

const USER: u32 = 1000;
const STRANGER: u32 = 1001;
const ROOT: u32 = 0;

/// The `stat` of a directory or symlink.
fn stat(owner: u32, mode: u32) -> Stat {
    let mut stat = rustix::fs::stat("/").unwrap();
    (stat.st_uid, stat.st_mode) = (owner, 0o040_000 | mode);
    stat
}

/// A symlink of `owner` in a directory with this owner and mode.
fn link(owner: u32, dir: (u32, u32)) -> Link {
    Link {
        path: "/d/link".into(),
        stat: stat(owner, 0o777),
        dir_path: "/d".into(),
        dir: stat(dir.0, dir.1),
        dir_is_read_only: false,
        last: false,
    }
}

#[test]
fn symlinks_are_followed_only_where_their_owner_may_redirect() {
    const SHARED: &str = "is a symlink of uid 1001 in a world-writable directory";
    const THEIRS: &str = "is a symlink of uid 1000, but its target belongs to another user";
    const PLACED: &str =
        "is a symlink that uid 1000 could have created, but its target belongs to another user";
    const ANYBODY: &str =
        "is a symlink that anybody could have created, because its directory is world-writable";
    const READ: &str = "use the path of the target: readlink -f /d/link";
    const CHOWN: &str = "chown -h root /d/link";
    // The uid that follows, the symlink's owner, its directory, the owners of the target's directory and file.
    for (who, owner, dir, to, file, expected) in [
        (USER, USER, (USER, 0o755), ROOT, None, None),
        (USER, ROOT, (ROOT, 0o1777), ROOT, None, None),
        (USER, USER, (ROOT, 0o1777), ROOT, None, None),
        (USER, STRANGER, (ROOT, 0o1777), USER, None, Some((SHARED, READ))),
        (USER, STRANGER, (ROOT, 0o777), USER, None, None),
        (USER, STRANGER, (ROOT, 0o1775), USER, None, None),
        (STRANGER, STRANGER, (ROOT, 0o1777), USER, None, None),
        (ROOT, USER, (USER, 0o755), USER, None, None),
        (ROOT, USER, (USER, 0o755), USER, Some(USER), None),
        (ROOT, USER, (USER, 0o755), USER, Some(ROOT), Some((THEIRS, READ))),
        (ROOT, USER, (USER, 0o755), ROOT, None, Some((THEIRS, READ))),
        (ROOT, USER, (ROOT, 0o755), ROOT, None, Some((THEIRS, CHOWN))),
        (ROOT, USER, (ROOT, 0o1777), ROOT, None, Some((THEIRS, READ))),
        (ROOT, STRANGER, (ROOT, 0o1777), STRANGER, None, Some((SHARED, READ))),
        (ROOT, ROOT, (ROOT, 0o755), ROOT, None, None),
        (ROOT, ROOT, (ROOT, 0o1777), ROOT, None, None),
        (ROOT, ROOT, (ROOT, 0o777), ROOT, None, Some((ANYBODY, READ))),
        (ROOT, ROOT, (ROOT, 0o775), ROOT, None, None),
        (ROOT, ROOT, (USER, 0o755), ROOT, None, Some((PLACED, READ))),
        (ROOT, ROOT, (USER, 0o755), USER, None, None),
    ] {
        let case = format!("{who} follows a link of {owner} in {dir:?} to {to}, {file:?}");
        let file = file.map(|owner| stat(owner, 0o644));
        let links = [link(owner, dir)];
        let found = judge_way(Identity { uid: who }, &links, &stat(to, 0o755), file.as_ref());
        let told = found.map(|distrust| (distrust.reason, Hint::from(distrust.remedy).to_string()));
        let told = told.as_ref().map(|(reason, remedy)| (reason.as_str(), remedy.as_str()));
        assert_eq!(told, expected, "{case}");
    }
    assert!(judge_way(Identity { uid: ROOT }, &[], &stat(ROOT, 0o777), None).is_none());
}

#[test]
fn advice_is_a_command_or_a_sentence() {
    let (who, way) = (Identity { uid: ROOT }, stat(ROOT, 0o755));
    let advice = |dir| judge_way(who, &[link(USER, dir)], &way, None).unwrap().remedy.advice();
    assert_eq!(advice((ROOT, 0o755)), "to fix: chown -h root /d/link");
    assert_eq!(advice((USER, 0o755)), "use the path of the target: readlink -f /d/link");
}

#[test]
fn an_open_directory_has_a_path_and_opens_only_regular_files() {
    let world = World::new();
    let dir = world.path("").canonicalize().unwrap();
    std::fs::write(dir.join("file"), "x").unwrap();
    std::fs::create_dir(dir.join("sub")).unwrap();
    std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
    let made = dir.join("a/b");
    let opened = Directory::open_or_make(&made, me()).unwrap();
    assert!(made.is_dir() && opened.path() == made, "{opened:?}");
    let opened = Directory::open(&dir, me()).unwrap().unwrap();
    assert!(opened.file("file".as_ref()).is_some());
    for other in ["sub", "link", "nosuch"] {
        assert!(opened.file(other.as_ref()).is_none(), "{other}");
    }
    let flags = rustix::io::fcntl_getfd(readable(&opened.open).unwrap()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "child processes must not inherit it");
}

#[test]
fn destinations_report_the_type_of_an_existing_file() {
    let world = World::new();
    let dir = world.path("").canonicalize().unwrap();
    std::fs::write(dir.join("file"), "x").unwrap();
    std::fs::create_dir(dir.join("sub")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.join("fifo"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = UnixListener::bind(dir.join("socket")).unwrap();
    for (path, expected) in [
        (dir.join("file"), Some(Found::File)),
        (dir.join("sub"), Some(Found::Directory)),
        (dir.join("fifo"), Some(Found::Other("a FIFO"))),
        (dir.join("socket"), Some(Found::Other("a socket"))),
        ("/dev/null".into(), Some(Found::Other("a device"))),
        (dir.join("nosuch"), None),
    ] {
        assert_eq!(Destination::find(&path, me()).unwrap().found, expected, "{}", path.display());
    }
}

#[test]
fn places_are_compared_by_directory_and_name() {
    let world = World::new();
    let dir = world.path("").canonicalize().unwrap();
    std::fs::create_dir(dir.join("sub")).unwrap();
    std::os::unix::fs::symlink(&dir, dir.join("sub/up")).unwrap();
    let place = |path: &Path| match resolve(path, Last::Look).unwrap() {
        Resolved::Place(place) => place,
        Resolved::Missing(missing) => panic!("{missing:?}"),
    };
    let here: Place = place(&dir.join("a"));
    assert!(here.is(&place(&dir.join("sub/../a"))) && here.is(&place(&dir.join("sub/up/a"))));
    assert!(!here.is(&place(&dir.join("b"))), "another name");
    assert!(!here.is(&place(&dir.join("sub/a"))), "another directory");
    for (path, expected) in [
        (dir.join("sub/../a"), dir.join("a")),
        (dir.join("sub/up/a"), dir.join("a")),
        ("/../etc/x".into(), "/etc/x".into()),
        ("Cargo.toml".into(), "Cargo.toml".into()),
        ("../x".into(), "../x".into()),
    ] {
        assert_eq!(place(&path).path(), expected, "{}", path.display());
    }
}

#[test]
fn a_file_is_opened_right_away_only_without_symlinks() {
    let world = World::new();
    let dir = world.path("").canonicalize().unwrap();
    std::fs::write(dir.join("file"), "x").unwrap();
    std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
    for (name, last, opened) in [
        ("file", Last::Open, true),
        ("file", Last::Look, false),
        ("link", Last::Open, false),
        ("link", Last::Look, false),
    ] {
        let Ok(Resolved::Place(place)) = resolve(&dir.join(name), last) else { panic!("{name}") };
        assert_eq!((place.opened.is_some(), place.found.is_some()), (opened, !opened), "{name} {last:?}");
    }
}
