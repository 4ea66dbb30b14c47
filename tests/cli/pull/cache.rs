//! The image cache.

use super::*;

fn entry(world: &World) -> PathBuf {
    let cache = world.user_dir().join("cache/library");
    let hash = ring::digest::digest(&ring::digest::SHA256, &sif());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    cache.join(format!("sha256.{hex}"))
}

#[test]
fn the_cache_is_used_and_verified() {
    let (world, library) = lab();
    pull(&world, &[REFERENCE]).exits(0);
    let entry = entry(&world);
    assert_eq!(fs::read(&entry).unwrap(), sif(), "in Apptainer's cache");
    assert_eq!((crate::world::mode(&entry), crate::world::mode(entry.parent().unwrap())), (0o700, 0o700));
    library.forget();
    pull(&world, &["second.sif", REFERENCE]).exits(0).says("INFO:    Using cached image\n");
    assert_eq!((pieces(&library), fs::read(out(&world).join("second.sif")).unwrap()), (0, sif()));
    // A corrupt file is replaced, and so is one that is longer than the image.
    for lie in [b"no image".to_vec(), vec![0; 2_000_000], sif()[..1000].to_vec()] {
        fs::write(&entry, &lie).unwrap();
        pull(&world, &["-F", "second.sif", REFERENCE])
            .exits(0)
            .says("is corrupt; replacing it\n")
            .says("Downloaded ");
        assert_eq!(
            (fs::read(out(&world).join("second.sif")).unwrap(), fs::read(&entry).unwrap()),
            (sif(), sif())
        );
    }
    // A file larger than the disk is not copied for the check, even if the library gives no size.
    fs::File::options().write(true).open(&entry).unwrap().set_len(8 << 40).unwrap();
    let hash = entry.file_name().unwrap().to_str().unwrap();
    let image = format!(r#"{{"data":{{"id":"1","hash":"{hash}"}}}}"#);
    library.fault(When::get("/library/v1/images/").nth(1), Fault::json(200, &image));
    pull(&world, &["-F", "second.sif", REFERENCE]).exits(0).says("is corrupt").says("Downloaded ");
    assert_eq!((library.faults_hit(), fs::metadata(&entry).unwrap().len()), (1, sif().len() as u64));
    // Symlinks are not followed, and FIFOs do not block.
    fs::rename(&entry, world.home().join("moved")).unwrap();
    symlink(world.home().join("moved"), &entry).unwrap();
    library.forget();
    pull(&world, &["-F", "second.sif", REFERENCE]).exits(0);
    assert!(
        pieces(&library) > 0 && !entry.is_symlink() && fs::read(world.home().join("moved")).unwrap() == sif()
    );
    fs::remove_file(&entry).unwrap();
    tool("mkfifo", &[entry.to_str().unwrap()]);
    pull(&world, &["-F", "second.sif", REFERENCE]).exits(0).says("Downloaded ");
}

#[test]
fn the_cache_is_used_if_the_library_gives_no_size() {
    let (world, library) = lab();
    let image = NewImage::new("lab/tools/nameless:v1", sif()).signed(KEY);
    library.add(NewImage { wrong_size: Some(0), ..image });
    pull(&world, &["first.sif", "library://lab/tools/nameless:v1"]).exits(0).says("Downloaded ");
    pull(&world, &["second.sif", "library://lab/tools/nameless:v1"]).exits(0).says("Using cached image");
}

#[test]
fn the_cache_can_be_moved_or_disabled() {
    let (mut world, library) = lab();
    pull(&world, &["--disable-cache", REFERENCE]).exits(0);
    assert!(!world.user_dir().join("cache").exists());
    world.set_env("APPTAINER_CACHEDIR", world.home().join("scratch"));
    pull(&world, &["two.sif", REFERENCE]).exits(0);
    assert_eq!(crate::disk::names(&world.home().join("scratch/cache/library")).len(), 1);
    world.set_env("APPTAINER_CACHEDIR", "/proc/nothing");
    pull(&world, &["three.sif", REFERENCE]).exits(0).never_shows("cache");
    world.set_env("APPTAINER_DISABLE_CACHE", "true");
    world.set_env("APPTAINER_CACHEDIR", world.home().join("scratch"));
    library.forget();
    pull(&world, &["four.sif", REFERENCE]).exits(0);
    assert!(pieces(&library) > 0);
}

#[test]
fn a_singularity_directory_in_use_is_not_hidden() {
    if apptainer_alone("~/.singularity is only used instead of ~/.apptainer") {
        return;
    }
    let (world, library) = lab();
    fs::rename(world.user_dir(), world.home().join(".singularity")).unwrap();
    pull(&world, &[REFERENCE]).exits(0);
    assert!(!world.user_dir().exists(), "it would hide ~/.singularity");
    drop(library);
}
