//! Pulls that end early: a full disk, a signal, a kill, a file created by another program.

use super::*;

#[test]
fn a_full_disk_is_reported_before_and_during_the_download() {
    let (world, library) = lab();
    library.add({
        let mut image = NewImage::new("lab/tools/lying:v1", sif());
        // The library does not give the length, so it is not known in advance.
        image.wrong_size = Some(0);
        image
    });
    library.add({
        let mut image = NewImage::new("lab/tools/endless:v1", Sif::new("amd64").filled(9).bytes());
        image.wrong_size = Some(0);
        image
    });
    // Any path that ignores ranges will do.
    let page = crate::peers::library::DISCOVERY;
    let endless = Fault::redirect(302, &format!("{}{page}", library.url()));
    library.fault(When::get("/library/v1/imagefile/lab/tools/endless"), endless);
    library.fault(When::get(page).header("range", "bytes="), Fault::Endless);
    let script = "mount -t tmpfs -o size=256k,mode=777 none $W/home/images
        user pull --disable-cache --dir $W/home/images library://lab/tools/blast:v1
        user pull --disable-cache --dir $W/home/images library://lab/tools/lying:v1
        user pull --disable-cache --dir $W/home/images library://lab/tools/endless:v1
        ls -A $W/home/images | sed 's/^/left /'";
    let Some(shown) = with_mounts(&world, script) else { return };
    let ends: Vec<&str> = shown.stdout.lines().filter_map(|line| line.strip_prefix("exit ")).collect();
    assert_eq!(ends, ["255", "255", "255"], "{shown:#?}");
    assert!(!shown.stdout.contains("left "), "{shown:#?}");
    shown
        .says("not enough space: the image has ")
        .says("lying_v1.sif: not enough space: the image has 7")
        .says("endless_v1.sif: the server does not give the length of the image, and the disk is almost full")
        .never_shows("canary");
}

/// A pull that hangs in the middle, in its own process.
fn hanging(world: &World, library: &Library) -> Option<Child> {
    library.fault(When::get("/data").nth(4), Fault::Silence(10));
    let mut command = world.command(As::User)?;
    let dir = out(world);
    command.args(["pull", "-F", "--dir"]).arg(&dir).arg(REFERENCE);
    let child = command.spawn().unwrap();
    let begun = Instant::now();
    while library.faults_hit() == 0 || names_in(world).len() < 2 {
        assert!(begun.elapsed() < PATIENT, "the transfer did not get that far");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(child)
}

#[test]
fn a_signal_leaves_nothing_behind_and_keeps_the_old_file() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (world, library) = lab();
        let target = out(&world).join("blast_v1.sif");
        fs::write(&target, OLD).unwrap();
        let Some(child) = hanging(&world, &library) else { return };
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        assert_eq!(
            (names_in(&world), fs::read(&target).unwrap()),
            (vec!["blast_v1.sif".into()], OLD.to_vec())
        );
    }
}

#[test]
fn the_next_pull_removes_the_files_of_a_killed_one_but_not_of_a_live_one() {
    let (world, library) = lab();
    fs::write(out(&world).join("blast_v1.sif"), OLD).unwrap();
    let Some(mut child) = hanging(&world, &library) else { return };
    let left = || names_in(&world).into_iter().find(|name| name.starts_with('.'));
    let temporary = out(&world).join(left().expect("it writes beside the file"));
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let set_back =
        |path: &Path| fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    set_back(&temporary);
    library.clear_faults();
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert!(temporary.exists(), "the other pull is still running");
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    let _ = child.wait();
    set_back(&temporary);
    pull(&world, &["-F", REFERENCE]).exits(0);
    assert_eq!(names_in(&world), ["blast_v1.sif"]);
}

#[test]
fn a_file_created_meanwhile_is_not_overwritten() {
    let (world, library) = lab();
    let Some(mut command) = world.command(As::User) else { return };
    let gate = Gate::closed();
    library.fault(When::get("/data").nth(4), Fault::Held(gate.clone()));
    let dir = out(&world);
    let child = command.args(["pull", "--dir"]).arg(&dir).arg(REFERENCE).spawn().unwrap();
    while names_in(&world).is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(dir.join("blast_v1.sif"), OLD).unwrap();
    gate.open();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("already exists"), "{said}");
    assert_eq!(
        (names_in(&world), fs::read(dir.join("blast_v1.sif")).unwrap()),
        (vec!["blast_v1.sif".into()], OLD.to_vec())
    );
}

#[test]
fn an_unwritable_directory_is_an_error() {
    let (world, _library) = lab();
    let Some(mut command) = world.command(As::User) else { return };
    if is_root() {
        assert!(give(&out(&world), 0));
        chmod(&out(&world), 0o755);
    } else {
        chmod(&out(&world), 0o555);
    }
    let output = command.args(["pull", "--dir"]).arg(out(&world)).arg(REFERENCE).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("Permission denied"), "{said}");
}
