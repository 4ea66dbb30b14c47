//! Messages of tests that need something that the machine or the user lacks. Shared by all test binaries.
#![allow(dead_code, reason = "not every one needs all of it")]
#![allow(clippy::disallowed_methods, reason = "tests use files and processes directly")]

use std::io::Write;
use std::process::{Command, Stdio};

/// The variable with the file to which `tests/run` has skipped tests written: one line each, with the binary,
/// the test and the reason, separated by tabs.
const FILE: &str = "SKIPPED_TESTS";

/// Prints that this test, or a part of it, is skipped. `reason` is a kind and a detail: `needs root: a quota`.
/// `tests/run` then counts the test as skipped, not as passed.
pub fn skipped(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a thread without a name");
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
    if let Some(file) = std::env::var_os(FILE) {
        // A single write at the end of the file, so that lines of different threads and processes do not mix.
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

/// Whether private mounts are possible. They are not in a plain chroot: its root is not a mount point, so its
/// mounts cannot be made private.
pub fn can_mount(options: &[&str]) -> bool {
    can_unshare_with(&[options, &["--mount", "--propagation", "private"]].concat())
}
