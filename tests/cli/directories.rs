//! Root works in another user's directories, where that user creates links. Nothing is created, replaced, read
//! or removed where the links lead, even if the directories change while a server responds.

use crate::disk::{behind, chmod, give, names};
use crate::machine::{can_unshare, is_root, skipped};
use crate::peers::library::{Fault, Library, NewImage, When};
use crate::peers::sif::Sif;
use crate::pull;
use crate::world::{As, Shown, USER, World, finish};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

const REFERENCE: &str = "library://lab/tools/blast:v1";
const STRANGER: u32 = 54_322;
/// The content of root's file.
const OLD: &str = "root's own";

/// A home of an ordinary user, and next to it a directory of root with a file that an image could replace.
/// `None` if only root could create these.
fn lab() -> Option<(World, Library)> {
    if !is_root() {
        skipped("needs root: directories of two users");
        return None;
    }
    let (world, library) = pull::lab();
    fs::create_dir(roots(&world)).unwrap();
    fs::write(roots(&world).join("x.sif"), OLD).unwrap();
    world.give_home_to_user();
    Some((world, library))
}

fn roots(world: &World) -> PathBuf {
    world.path("roots")
}

/// A link created by this user.
fn plant(to: &Path, link: &Path, uid: u32) {
    symlink(to, link).unwrap();
    assert!(give(link, uid));
}

/// Creates a directory of this user.
fn make(path: &Path, uid: u32) {
    fs::create_dir_all(path).unwrap();
    assert!(give(path, uid));
}

#[track_caller]
fn is_untouched(world: &World) {
    assert_eq!(names(&roots(world)), ["x.sif"]);
    let file = roots(world).join("x.sif");
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), fs::metadata(&file).unwrap().uid()), (OLD, 0));
}

fn owner(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().uid()
}

fn pull_as(world: &World, who: As, output: &Path) -> Shown {
    world.run(who, &["pull", "--force", output.to_str().unwrap(), REFERENCE])
}

#[test]
fn roots_cache_does_not_follow_a_users_link() {
    type Plant = fn(&World);
    let rows: [(&str, Option<&str>, Plant); 6] = [
        ("cache", None, |world| plant(&roots(world), &world.user_dir().join("cache"), USER)),
        ("cache/library", None, |world| {
            make(&world.user_dir().join("cache"), USER);
            plant(&roots(world), &world.user_dir().join("cache/library"), USER);
        }),
        ("CACHEDIR", Some("home/scratch"), |world| {
            plant(&roots(world), &world.home().join("scratch"), USER);
        }),
        ("above CACHEDIR", Some("home/scratch/deep/deeper"), |world| {
            plant(&roots(world), &world.home().join("scratch"), USER);
        }),
        ("a link of root's that the user moved", Some("home/scratch"), |world| {
            plant(&roots(world), &world.home().join("scratch"), 0);
        }),
        ("the user's directory", None, |world| {
            fs::rename(world.user_dir(), world.home().join("away")).unwrap();
            fs::copy(world.home().join("away/remote.yaml"), world.global_file()).unwrap();
            plant(&roots(world), &world.user_dir(), USER);
        }),
    ];
    for (name, cache, plant) in rows {
        let Some((mut world, _library)) = lab() else { return };
        if let Some(cache) = cache {
            world.set_env("APPTAINER_CACHEDIR", world.path(cache));
        }
        plant(&world);
        let image = world.path("image.sif");
        let shown = world.run(As::Root, &["-v", "pull", image.to_str().unwrap(), REFERENCE]).exits(0);
        let (told, link) =
            (&shown.stderr, if name.contains("root's") { "could have created" } else { "a symlink of" });
        assert!(told.contains("the image was not cached: ") && told.contains(link), "{name}: {shown:#?}");
        assert!(image.is_file(), "{name}");
        is_untouched(&world);
    }
}

#[test]
fn root_follows_a_users_link_to_their_own_directory() {
    let Some((mut world, _library)) = lab() else { return };
    make(&world.path("data"), USER);
    plant(&world.path("data"), &world.home().join("scratch"), USER);
    world.set_env("APPTAINER_CACHEDIR", world.home().join("scratch/mine"));
    let image = world.home().join("scratch/image.sif");
    pull_as(&world, As::Root, &image).exits(0).never_shows("WARNING: the image");
    let entry = world.path("data/mine/cache/library");
    let entry = entry.join(&names(&entry)[0]);
    for made in [&image, &entry, &world.path("data/mine"), &world.path("data/mine/cache")] {
        assert_eq!(owner(made), USER, "{}", made.display());
    }
    let again = world.path("again.sif");
    pull_as(&world, As::Root, &again).exits(0).says("Using cached image");
    assert_eq!(owner(&again), 0);
}

#[test]
fn an_output_stays_in_its_directory_if_the_path_is_swapped_meanwhile() {
    for (at, path) in [("the image is described", "/library/v1/images/"), ("its bytes come", "/data")] {
        let Some((world, library)) = lab() else { return };
        let (out, moved, roots) = (world.home().join("out"), world.home().join("moved"), roots(&world));
        make(&out, USER);
        let image = out.join("x.sif");
        library.fault(
            When::get(path).nth(1),
            Fault::meanwhile(move || {
                fs::rename(&out, &moved).unwrap();
                plant(&roots, &out, USER);
            }),
        );
        pull_as(&world, As::Root, &image).exits(0);
        assert_eq!(library.faults_hit(), 1, "{at}");
        is_untouched(&world);
        assert_eq!(owner(&world.home().join("moved/x.sif")), USER);
        assert_eq!(names(&world.home().join("moved")), ["x.sif"]);
    }
}

#[test]
fn an_output_does_not_follow_a_strangers_link() {
    let Some((world, library)) = lab() else { return };
    plant(&roots(&world), &world.home().join("out"), USER);
    plant(&roots(&world), &world.home().join("moved"), 0);
    make(&world.home().join("own"), USER);
    plant(&roots(&world).join("x.sif"), &world.home().join("own/x.sif"), USER);
    // Anybody can create a link here.
    make(&world.path("shared"), 0);
    chmod(&world.path("shared"), 0o1777);
    make(&world.path("theirs"), STRANGER);
    chmod(&world.path("theirs"), 0o777);
    plant(&world.path("theirs"), &world.path("shared/out"), STRANGER);
    plant(&world.home(), &world.path("shared/home"), STRANGER);
    make(&world.path("open"), 0);
    chmod(&world.path("open"), 0o777);
    plant(&roots(&world), &world.path("open/out"), 0);
    library.forget();
    for (who, output, reason) in [
        (As::Root, "open/out/x.sif", "is a symlink that anybody could have created"),
        (As::Root, "home/out/x.sif", "is a symlink of uid 54321, but its target belongs to another user"),
        (As::Root, "home/out/new.sif", "is a symlink of uid 54321, but its target belongs to another user"),
        (
            As::Root,
            "home/moved/x.sif",
            "uid 54321 could have created, but its target belongs to another user",
        ),
        (As::Root, "home/own/x.sif", "is a symlink of uid 54321, but its target belongs to another user"),
        (As::Root, "shared/home/x.sif", "is a symlink of uid 54322, but its target belongs to another user"),
        (As::Root, "shared/out/x.sif", "is a symlink of uid 54322 in a world-writable directory"),
        (As::User, "shared/out/x.sif", "is a symlink of uid 54322 in a world-writable directory"),
        (As::User, "shared/home/x.sif", "is a symlink of uid 54322 in a world-writable directory"),
    ] {
        // Giving the link to root would not help if a user could still move it.
        pull_as(&world, who, &world.path(output))
            .exits(255)
            .says(reason)
            .says("hint:    use the path of the target");
    }
    assert!(library.requests().is_empty(), "the library got a request");
    is_untouched(&world);
    assert_eq!(names(&world.path("theirs")), Vec::<String>::new());
}

#[test]
fn no_token_is_sent_while_the_users_directory_is_untrusted() {
    let Some((mut world, library)) = lab() else { return };
    let token = world.path("token");
    fs::write(&token, "canary-t0ken\n").unwrap();
    fs::copy(world.user_file(), world.global_file()).unwrap();
    world.set_env("APPTAINER_TOKEN", "canary-t0ken");
    world.set_env("APPTAINER_TOKEN_HOST", library.host());
    fs::remove_dir_all(world.user_dir()).unwrap();
    fs::create_dir(roots(&world).join("remote-cache")).unwrap();
    let uncached = || assert_eq!(names(&roots(&world).join("remote-cache")), Vec::<String>::new());
    let login = ["remote", "login", "--tokenfile", token.to_str().unwrap()];
    let no_token = |library: &Library| {
        let sent = library.requests().iter().any(|seen| seen.request.header("authorization").is_some());
        assert!(!sent, "{:?}", library.requests());
    };
    // The directory is another user's link, and there is no file in it.
    plant(&roots(&world), &world.user_dir(), USER);
    world
        .run(As::Root, &login)
        .exits(255)
        .says("but its target belongs to another user")
        .never_shows("canary");
    assert!(library.requests().is_empty());
    world.run(As::Root, &["remote", "status"]).never_shows("canary").says("is not sent: ");
    no_token(&library);
    uncached();
    // The directory belongs to the user, and others can write it.
    fs::remove_file(world.user_dir()).unwrap();
    make(&world.user_dir(), USER);
    chmod(&world.user_dir(), 0o777);
    library.forget();
    world.run(As::User, &login).exits(255).says("is writable by others").never_shows("canary");
    assert!(library.requests().is_empty());
    world.run(As::User, &["remote", "status"]).says("is not sent: ");
    no_token(&library);
    // The directory is trusted again.
    chmod(&world.user_dir(), 0o700);
    world.run(As::User, &login).exits(0);
}

#[test]
fn a_relative_cache_directory_is_relative_to_the_working_directory() {
    let (mut world, _library) = pull::lab();
    world.set_env("APPTAINER_CACHEDIR", "scratch");
    world.give_home_to_user();
    for words in [["pull", "one.sif", REFERENCE], ["pull", "two.sif", REFERENCE]] {
        let Some(mut command) = behind(&world, As::User, &[]) else { return };
        let shown = finish(command.current_dir(world.home()).args(words)).exits(0);
        assert_eq!(shown.stderr.contains("Using cached image"), words[1] == "two.sif", "{shown:#?}");
    }
    assert_eq!(names(&world.home().join("scratch/cache/library")).len(), 1);
}

/// In a user namespace, root's directories outside have a uid that no file can be given to.
#[test]
fn root_in_a_user_namespace_can_pull_into_a_shared_directory() {
    let (world, library) = pull::lab();
    if !can_unshare() {
        return skipped("needs a user namespace: root in it");
    }
    library.add(NewImage::new("lab/tools/small:v1", Sif::new("amd64").filled(1000).bytes()));
    fs::create_dir(world.path("shared")).unwrap();
    chmod(&world.path("shared"), 0o1777);
    world.give_home_to_user();
    let Some(mut command) = behind(&world, As::User, &["unshare", "-r"]) else { return };
    let image = world.path("shared/small.sif");
    finish(command.args(["pull", image.to_str().unwrap(), "library://lab/tools/small:v1"])).exits(0);
    assert!(image.is_file());
}
