//! Uploads that end early, and the requests that the library then gets.

use super::*;

#[test]
fn a_signal_aborts_the_upload_on_the_server_too() {
    for signal in [Signal::INT, Signal::TERM] {
        let (world, library) = lab(Some(TAGS));
        large(&world, &library);
        library.fault(When::put("/data").nth(2), Fault::StallUpload(1000));
        let Some(mut command) = world.command(As::User) else { return };
        let child = command.arg("push").arg(image(&world)).arg(REFERENCE).spawn().unwrap();
        let begun = Instant::now();
        while library.faults_hit() == 0 {
            assert!(begun.elapsed() < PATIENT, "the upload did not get that far");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        assert_eq!(library.uploads()[0].progress, Progress::Aborted);
    }
}

/// Waits until a condition holds in the library.
fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the upload did not get that far: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn aborts(library: &Library) -> Vec<Option<u16>> {
    let all = library.requests().into_iter();
    all.filter(|seen| seen.request.path.ends_with("/_multipart_abort")).map(|seen| seen.status).collect()
}

#[test]
fn a_part_that_arrives_after_the_abort_is_not_kept() {
    use std::os::unix::process::ExitStatusExt;
    for signal in [Signal::INT, Signal::TERM] {
        let (world, library) = lab(Some(TAGS));
        large(&world, &library);
        library.set(|settings| settings.late_parts = true);
        let Some(mut command) = world.command(As::User) else { return };
        let child = command.arg("push").arg(image(&world)).arg(REFERENCE).spawn().unwrap();
        until("a part in flight", || library.uploads().first().is_some_and(|upload| upload.late() > 0));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal.as_raw()));
        let upload = &library.uploads()[0];
        assert_eq!((upload.progress, upload.kept()), (Progress::Aborted, 0), "{:?}", aborts(&library));
        assert_eq!(aborts(&library), [Some(200), Some(200), Some(404)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("INFO:    Stopped: ") && !said.contains("may remain"), "{said}");
    }
    // The same if the library does not respond to the parts.
    let (world, library) = lab(Some(TAGS));
    large(&world, &library);
    library.set(|settings| settings.late_parts = true);
    world.patience.set(SHORT);
    push(&world, &["IMAGE", REFERENCE]).exits(255).says("after 1.5 s").never_shows("may remain");
    assert_eq!((library.uploads()[0].kept(), aborts(&library).len()), (0, 3));
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_may_remain() {
    use std::os::unix::process::ExitStatusExt;
    let (world, library) = lab(Some(TAGS));
    large(&world, &library);
    library.fault(When::put("/data").nth(1), Fault::StallUpload(1000));
    let Some(mut command) = world.command(As::User) else { return };
    let mut child = command.arg("push").arg(image(&world)).arg(REFERENCE).spawn().unwrap();
    until("a part in flight", || library.faults_hit() > 0);
    let id = &library.images()[0].id;
    library.fault(When::put(&format!("/library/v2/imagefile/{id}/_multipart_abort")), Fault::Mute);
    // Repeated signals, as impatient users send.
    while child.try_wait().unwrap().is_none() {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.signal(), Some(Signal::INT.as_raw()), "{said}");
    let text =
        "WARNING: uploaded parts may remain in the library and count against your quota: interrupted again\n";
    assert!(said.contains(text), "{said}");
}

#[test]
fn an_abort_that_fails_is_repeated_a_few_times() {
    for (status, says) in [(500, true), (200, false)] {
        let (world, library) = lab(Some(TAGS));
        large(&world, &library);
        let stall = Fault::StallUpload(1000);
        world.waits_for(&stall);
        library.fault(When::put("/data").nth(1), stall);
        library.fault(When::put("/data"), Fault::status(400));
        library.fault(When::put("/library/v2/imagefile").nth(3).times(99), Fault::json(status, "{}"));
        let shown = push(&world, &["IMAGE", REFERENCE]).exits(255);
        let found =
            shown.stderr.contains("uploaded parts may remain in the library and count against your quota: ");
        assert_eq!((aborts(&library).len(), found), (5, says), "{shown:#?}");
    }
}

#[test]
fn repeated_success_of_an_abort_is_accepted() {
    let (world, library) = lab(Some(TAGS));
    large(&world, &library);
    library.fault(When::put("/data").nth(1), Fault::StallUpload(1000));
    let Some(mut command) = world.command(As::User) else { return };
    let child = command.arg("push").arg(image(&world)).arg(REFERENCE).spawn().unwrap();
    until("a part in flight", || library.faults_hit() > 0);
    let id = &library.images()[0].id;
    let abort = When::put(&format!("/library/v2/imagefile/{id}/_multipart_abort")).times(99);
    library.fault(abort, Fault::json(200, "{}"));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("INFO:    Stopped: ") && !said.contains("may remain"), "{said}");
    assert_eq!(aborts(&library).len(), 5);
}

#[test]
fn a_file_changed_during_the_upload_gets_no_tag() {
    let (world, library) = lab(Some(TAGS));
    let gate = Gate::closed();
    library.fault(When::put("/data").nth(1), Fault::Held(gate.clone()));
    library.add(NewImage::new("lab/tools/other:v1", Sif::new("amd64").bytes()));
    let Some(mut command) = world.command(As::User) else { return };
    let child = command.arg("push").arg(image(&world)).arg(REFERENCE).spawn().unwrap();
    while library.faults_hit() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::OpenOptions::new().append(true).open(image(&world)).unwrap().set_len(5).unwrap();
    gate.open();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("changed during the upload"), "{said}");
    assert!(library.tags("lab/tools/blast").is_empty());
}
