//! The password store `pass`, in which Debian's `docker-credential-pass` keeps logins.

use super::daemon::{installed, run};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A separate store, with a key that has no passphrase.
pub struct Pass(TempDir);

impl Pass {
    /// Creates the key and the store.
    pub fn new() -> Option<Self> {
        if !installed(&["docker-credential-pass", "pass", "gpg", "gpgconf"]) {
            return None;
        }
        // A short path, because gpg's agent has a socket in it.
        let store = Self(tempfile::Builder::new().prefix("pass-").tempdir().unwrap());
        let gnupg = store.0.path().join("gnupg");
        std::fs::create_dir(&gnupg).unwrap();
        std::fs::set_permissions(&gnupg, std::fs::Permissions::from_mode(0o700)).unwrap();
        let key = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "lab@example.com"];
        run(store.command("gpg").args(key).args(["default", "default", "never"]));
        run(store.command("pass").args(["init", "lab@example.com"]));
        Some(store)
    }

    /// The environment variables that a program needs to find the store.
    pub fn env(&self) -> [(&'static str, PathBuf); 3] {
        let below = |name: &str| self.0.path().join(name);
        [("GNUPGHOME", below("gnupg")), ("PASSWORD_STORE_DIR", below("store")), ("HOME", below(""))]
    }

    /// The logins in the store, as listed by the helper itself: JSON of server and user.
    pub fn list(&self) -> String {
        run(self.command("docker-credential-pass").arg("list")).trim().to_string()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/bin/{program}"));
        command.env_clear().env("PATH", "/usr/bin:/bin").envs(self.env());
        command
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let _ = self.command("gpgconf").args(["--kill", "all"]).status();
    }
}
