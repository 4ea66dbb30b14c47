//! Debian's `docker-registry`: open, with passwords, with passwords over https, with a token server.

use super::daemon::{Daemon, free_port, installed, program, run};
use super::token_server::TokenServer;
use crate::peers::ca::Ca;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The registry; it stops when dropped.
pub struct Registry {
    port: u16,
    log: PathBuf,
    _daemon: Daemon,
    _dir: TempDir,
}

impl Registry {
    /// A registry without authentication.
    pub fn open() -> Option<Self> {
        Self::start(|_| String::new(), None)
    }

    /// A registry with Basic authentication for these users and passwords.
    pub fn basic(users: &[(&str, &str)]) -> Option<Self> {
        Self::with_passwords(users, None)
    }

    /// The same over https, with a certificate of `ca`.
    pub fn basic_tls(users: &[(&str, &str)], ca: &Ca) -> Option<Self> {
        Self::with_passwords(users, Some(ca))
    }

    fn with_passwords(users: &[(&str, &str)], ca: Option<&Ca>) -> Option<Self> {
        if !installed(&["htpasswd"]) {
            return None;
        }
        let lines = users.iter().map(|(name, password)| {
            run(Command::new("/usr/bin/htpasswd").args(["-nbB", "-C", "4", name, password]))
        });
        let passwords: String = lines.map(|line| format!("{}\n", line.trim())).collect();
        Self::start(
            move |dir| {
                let file = dir.path().join("htpasswd");
                fs::write(&file, &passwords).unwrap();
                format!("auth: {{htpasswd: {{realm: lab-realm, path: {}}}}}\n", file.display())
            },
            ca,
        )
    }

    /// A registry with Bearer authentication, which verifies the tokens of this server.
    pub fn token(server: &TokenServer) -> Option<Self> {
        let (realm, bundle) = (server.realm(), server.certificate());
        Self::start(
            |_| {
                format!(
                    "auth: {{token: {{realm: {realm:?}, service: lab-service, issuer: lab-issuer, rootcertbundle: {}}}}}\n",
                    bundle.display()
                )
            },
            None,
        )
    }

    fn start(auth: impl Fn(&TempDir) -> String, ca: Option<&Ca>) -> Option<Self> {
        if !installed(&["docker-registry"]) {
            return None;
        }
        loop {
            let dir = tempfile::Builder::new().prefix("registry-test-").tempdir().unwrap();
            let (port, log) = (free_port(), dir.path().join("log"));
            let mut config = format!(
                "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: 127.0.0.1:{port}\n",
                dir.path().join("data").display()
            );
            if let Some(ca) = ca {
                let (certificate, key) = (dir.path().join("crt"), dir.path().join("key"));
                ca.identity().write_with_key(&certificate, &key);
                let _ = writeln!(
                    config,
                    "  tls: {{certificate: {}, key: {}}}",
                    certificate.display(),
                    key.display()
                );
            }
            config += &auth(&dir);
            let file = dir.path().join("config.yml");
            fs::write(&file, config).unwrap();
            let mut command = Command::new(program("docker-registry").unwrap());
            command.arg("serve").arg(file).env_clear();
            if let Some(daemon) = Daemon::start(command, port, &log) {
                return Some(Self { port, log, _daemon: daemon, _dir: dir });
            }
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests so far from its own log, such as `GET /v2/ 401`.
    pub fn requests(&self) -> Vec<String> {
        // It writes the log line after it started to respond.
        std::thread::sleep(Duration::from_millis(100));
        let log = fs::read_to_string(&self.log).unwrap();
        let request = |line: &str| {
            let (_, rest) = line.split_once("] \"")?;
            let (request, rest) = rest.split_once(" HTTP/1.1\" ")?;
            Some(format!("{request} {}", rest.split(' ').next()?))
        };
        log.lines().filter_map(request).collect()
    }
}
