//! What a test says where a machine or a user cannot give it what it needs. Shared by all test binaries.
#![allow(dead_code, reason = "not every one needs all of it")]
#![allow(clippy::disallowed_methods, reason = "a test looks at the world itself")]

use std::io::Write;
use std::process::{Command, Stdio};

/// Names the file to which `tests/run` has skipped tests written: one line for each, with the binary, the test
/// and the reason between tabs.
const FILE: &str = "SKIPPED_TESTS";

/// Says that this test, or a part of it, is skipped. `reason` is a kind and a detail: `needs root: a quota`.
/// `tests/run` counts the test as skipped then, and not as passed.
pub fn skipped(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a thread without a name");
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
    if let Some(file) = std::env::var_os(FILE) {
        // One write at the end of the file, so that lines of threads and processes never mix.
        let line = format!("{}\t{test}\t{reason}\n", env!("CARGO_CRATE_NAME"));
        let mut file =
            std::fs::File::options().append(true).open(file).expect("the file of skipped tests opens");
        file.write_all(line.as_bytes()).expect("a skipped test is written down");
    }
}

/// Whether `unshare` with these options works here.
pub fn can_unshare_with(options: &[&str]) -> bool {
    let mut command = Command::new("/usr/bin/unshare");
    command.args(options).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether mounts can be made that only this process sees. Not in a plain chroot: its root is no mount, so
/// its mounts cannot be made private.
pub fn can_mount(options: &[&str]) -> bool {
    can_unshare_with(&[options, &["--mount", "--propagation", "private"]].concat())
}
