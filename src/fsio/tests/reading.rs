//! Reading: results, refused files, and that no files are created.

use super::super::{FileState, Role, read, read_cache, write_cache};
use super::*;
use std::os::unix::fs::symlink;

const GLOBAL: Role = Role::Global { trusted: Trusted { owner: None, group: None } };

fn look(path: &Path) -> Result<FileState> {
    read(path, Role::User, me(), LIMIT)
}

fn bytes(path: &Path) -> Option<String> {
    look(path).unwrap().bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn a_missing_file_is_not_created() {
    let world = World::new();
    assert_eq!(look(&world.path("remote.yaml")).unwrap(), FileState::default());
    assert_eq!(look(&world.path("a/b/remote.yaml")).unwrap(), FileState::default());
    assert!(world.names("").is_empty());
}

#[test]
fn the_whole_content_is_read() {
    let world = World::new();
    for content in ["", "x", &"long ".repeat(40_000)] {
        assert_eq!(bytes(&world.put("remote.yaml", content, 0o600)).as_deref(), Some(content));
    }
    assert_eq!(world.names(""), ["remote.yaml"]);
}

#[test]
fn other_file_types_are_refused_by_name_without_blocking() {
    let world = World::new();
    fs::create_dir(world.path("dir")).unwrap();
    run("mkfifo", &[str(&world.path("fifo"))]);
    let _socket = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    for (name, kind) in [("dir", "a directory"), ("fifo", "a named pipe"), ("socket", "a socket")] {
        let path = world.path(name);
        let told = told(look(&path));
        assert!(told.starts_with(&format!("{} is {kind}, not a regular file", path.display())), "{told}");
        assert!(super::told(set(&path, "x")).contains(kind));
    }
    assert!(told(look(Path::new("/dev/null"))).contains("is a device"));
    assert!(told(look(Path::new("/"))).contains("Is a directory"));
    assert_eq!(world.names(""), ["dir", "fifo", "socket"]);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let world = World::new();
    let path = world.put("remote.yaml", "12345", 0o600);
    assert_eq!(*read(&path, Role::User, me(), 5).unwrap().bytes.unwrap(), b"12345");
    assert!(told(read(&path, Role::User, me(), 4)).contains("is larger than 4 bytes"));
    // Files in /proc report a size of 0.
    let unsized_file = Path::new("/proc/self/status");
    assert!(told(read(unsized_file, Role::User, me(), 4)).contains("is larger than 4 bytes"));
    assert!(read(unsized_file, Role::User, me(), LIMIT).unwrap().bytes.unwrap().len() > 100);
}

#[test]
fn relative_symlinks_start_at_their_own_directory() {
    let world = World::new();
    world.put("dots/apptainer/remote.yaml", "x", 0o600);
    symlink("dots/./apptainer", world.path(".apptainer")).unwrap();
    symlink("../dots/../dots/apptainer/remote.yaml", world.path("dots/link")).unwrap();
    assert_eq!(bytes(&world.path(".apptainer/remote.yaml")).as_deref(), Some("x"));
    assert_eq!(bytes(&world.path("dots/link")).as_deref(), Some("x"));
    symlink("nowhere/at/all", world.path("dangling")).unwrap();
    assert_eq!(bytes(&world.path("dangling")), None);
}

#[test]
fn symlink_loops_are_an_error() {
    let world = World::new();
    symlink("b", world.path("a")).unwrap();
    symlink("a", world.path("b")).unwrap();
    assert!(told(look(&world.path("a"))).contains("Too many levels of symbolic links"));
    assert!(told(set(&world.path("a/remote.yaml"), "x")).contains("Too many levels of symbolic links"));
}

#[test]
fn a_proc_magic_link_is_read_but_not_replaced() {
    let world = World::new();
    let path = world.put("remote.yaml", "x", 0o600);
    let file = fs::File::open(&path).unwrap();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    assert_eq!(bytes(Path::new(&link)).as_deref(), Some("x"));
    assert!(set(Path::new(&link), "y").is_err());
    assert_eq!(text(&path), "x");
}

#[test]
fn an_inaccessible_path_is_reported_for_a_user_and_fatal_for_the_global_file() {
    let world = World::new();
    world.put("file", "", 0o600);
    let path = world.path("file/.apptainer/remote.yaml");
    let state = look(&path).unwrap();
    assert_eq!(state.bytes, None);
    assert!(state.unreachable.unwrap().ends_with("/file: Not a directory (os error 20)"));
    assert!(told(read(&path, GLOBAL, me(), LIMIT)).contains("Not a directory"));
    let mut target = Target::user(&path, LIMIT);
    target.elsewhere = Some("export APPTAINER_CONFIGDIR=DIR".into());
    assert!(told(apply(&target, me(), &mut to("x"))).ends_with("\nexport APPTAINER_CONFIGDIR=DIR"));
}

#[test]
fn an_unreadable_home_counts_as_missing_but_an_unreadable_file_is_an_error() {
    if !root() {
        return;
    }
    let world = World::of(SOMEBODY);
    let path = world.put("home/remote.yaml", "x", 0o000);
    std::os::unix::fs::chown(&path, Some(SOMEBODY), None).unwrap();
    as_uid(SOMEBODY, |who| {
        let told = told(read(&path, Role::User, who, LIMIT));
        let name = path.display();
        assert_eq!(told, format!("reading {name}: Permission denied (os error 13)\nchmod u+rw {name}"));
        assert!(
            super::told(read(&path, GLOBAL, who, LIMIT))
                .ends_with(&format!("\nask your administrator to run: chmod a+r {name}"))
        );
    });
    chmod(&world.path("home"), 0o700);
    let state = as_uid(SOMEBODY, |who| read(&path, Role::User, who, LIMIT)).unwrap();
    assert!(state.unreachable.unwrap().ends_with("Permission denied (os error 13)"));
    assert!(as_uid(SOMEBODY, |who| read(&path, GLOBAL, who, LIMIT)).is_err());
}

#[test]
fn the_cache_stores_documents_but_does_not_create_the_user_directory() {
    let world = World::new();
    let user = world.path("user");
    assert!(write_cache(&user, "a.services.json", b"{}", me(), true).is_err());
    assert!(world.names("").is_empty());
    fs::create_dir(&user).unwrap();
    assert!(write_cache(&user, "a.services.json", b"{}", me(), false).is_err());
    assert!(world.names("user").is_empty());
    with_umask(0o077, || write_cache(&user, "a.services.json", b"{}", me(), true)).unwrap();
    with_umask(0, || write_cache(&user, "a.services.json", b"{\"a\":1}", me(), false)).unwrap();
    assert_eq!(mode(&world.path("user/remote-cache")), 0o700);
    assert_eq!(mode(&world.path("user/remote-cache/a.services.json")), 0o600);
    assert_eq!(world.names("user/remote-cache"), ["a.services.json"]);
    let cached = read_cache(&user, "a.services.json", me(), LIMIT).unwrap();
    assert_eq!(cached, b"{\"a\":1}");
    assert!(read_cache(&user, "a.services.json", me(), 6).is_none());
    for bad in ["", "../a", ".hidden", "a/b"] {
        assert!(write_cache(&user, bad, b"", me(), true).is_err());
        assert!(read_cache(&user, bad, me(), LIMIT).is_none());
    }
}

#[test]
fn cached_documents_owned_or_writable_by_others_are_ignored() {
    let world = World::new();
    let user = world.path("");
    write_cache(&user, "a", b"x", me(), true).unwrap();
    let (dir, path) = (world.path("remote-cache"), world.path("remote-cache/a"));
    let found = || read_cache(&user, "a", me(), LIMIT);
    assert_eq!(found().unwrap(), b"x");
    for bad in [0o622, 0o660] {
        chmod(&path, bad);
        assert_eq!(found(), None);
        chmod(&path, 0o600);
        chmod(&dir, bad | 0o111);
        assert_eq!(found(), None);
        assert!(write_cache(&user, "a", b"y", me(), true).is_err());
        chmod(&dir, 0o700);
    }
    symlink("a", world.path("remote-cache/b")).unwrap();
    assert!(read_cache(&user, "b", me(), LIMIT).is_none());
    run("mkfifo", &[str(&world.path("remote-cache/c"))]);
    assert!(read_cache(&user, "c", me(), LIMIT).is_none());
    fs::rename(&dir, world.path("real")).unwrap();
    symlink("real", &dir).unwrap();
    assert_eq!(found(), None);
    assert!(write_cache(&user, "a", b"y", me(), true).is_err());
    if root() {
        let stranger = Identity { uid: STRANGER };
        assert!(read_cache(&user, "a", stranger, LIMIT).is_none());
    }
}

#[test]
fn old_temporary_files_in_the_cache_are_removed() {
    let world = World::new();
    write_cache(&world.path(""), "a", b"x", me(), true).unwrap();
    let old = world.put("remote-cache/.tmp-0123456789abcdef", "", 0o600);
    world.put("remote-cache/.tmp-fedcba9876543210", "", 0o600);
    run("touch", &["-d", "2 hours ago", str(&old)]);
    write_cache(&world.path(""), "a", b"y", me(), true).unwrap();
    assert_eq!(world.names("remote-cache"), [".tmp-fedcba9876543210", "a"]);
}

#[test]
fn cache_files_that_root_writes_belong_to_the_directorys_owner() {
    if !root() {
        return;
    }
    let world = World::of(SOMEBODY);
    write_cache(&world.path(""), "a", b"x", me(), true).unwrap();
    for name in ["remote-cache", "remote-cache/a"] {
        assert_eq!(owner(&world.path(name)), (SOMEBODY, SOMEBODY));
    }
    let cached = as_uid(SOMEBODY, |who| read_cache(&world.path(""), "a", who, LIMIT));
    assert_eq!(cached.unwrap(), b"x");
}

#[test]
fn reading_returns_what_was_written() {
    let world = World::new();
    let path = world.path("remote.yaml");
    set(&path, "x").unwrap();
    let state = read(&path, Role::User, me(), LIMIT).unwrap();
    assert_eq!((state.bytes.unwrap().as_slice(), state.distrust), (&b"x"[..], None));
}

#[test]
fn debug_output_omits_the_content() {
    let world = World::new();
    let path = world.put("remote.yaml", "canary", 0o600);
    let shown = format!("{:?}", read(&path, Role::User, me(), LIMIT).unwrap());
    assert_eq!(shown, "FileState { length: Some(6), distrust: None, unreachable: None, readable: None }");
}
