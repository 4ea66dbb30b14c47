//! Debian's `sks`, a real keyserver, and `nginx` before it for password authentication.

use super::daemon::{Daemon, free_port, installed, program, run};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// The keyserver; it stops when dropped.
pub struct Sks {
    port: u16,
    _daemon: Daemon,
    _dir: TempDir,
}

impl Sks {
    /// A keyserver without keys.
    pub fn start() -> Option<Self> {
        if !installed(&["sks"]) {
            return None;
        }
        loop {
            let dir = tempfile::Builder::new().prefix("sks-test-").tempdir().unwrap();
            let base = dir.path();
            for below in ["etc/sks", "var/lib/sks", "var/log/sks", "var/run/sks", "dump"] {
                fs::create_dir_all(base.join(below)).unwrap();
            }
            let (port, recon) = (free_port(), free_port());
            let config = format!(
                "hostname: localhost\nhkp_address: 127.0.0.1\nhkp_port: {port}\nrecon_address: 127.0.0.1\nrecon_port: {recon}\n"
            );
            fs::write(base.join("etc/sks/sksconf"), config).unwrap();
            fs::write(base.join("dump/none.pgp"), "").unwrap();
            let sks = program("sks").unwrap();
            let mut build = Command::new(&sks);
            build.args(["build", "dump/none.pgp", "-n", "1", "-cache", "1", "-basedir"]).arg(base);
            run(build.current_dir(base));
            let mut command = Command::new(&sks);
            command.args(["db", "-basedir"]).arg(base).current_dir(base);
            if let Some(daemon) = Daemon::start(command, port, &base.join("log")) {
                return Some(Self { port, _daemon: daemon, _dir: dir });
            }
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Nginx as a reverse proxy; it stops when dropped.
pub struct Nginx {
    port: u16,
    _daemon: Daemon,
    _dir: TempDir,
}

impl Nginx {
    /// Requires this user and password for every path.
    pub fn asking(upstream: &str, username: &str, password: &str) -> Option<Self> {
        if !installed(&["nginx", "openssl"]) {
            return None;
        }
        let hash = run(Command::new("/usr/bin/openssl").args(["passwd", "-apr1", password]));
        loop {
            let dir = tempfile::Builder::new().prefix("nginx-test-").tempdir().unwrap();
            let (base, port) = (dir.path(), free_port());
            let shown = base.display();
            fs::write(base.join("users"), format!("{username}:{}\n", hash.trim())).unwrap();
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|what| format!("{what}_temp_path {shown}/{what};"))
                .join("\n");
            let config = format!(
                "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log;\nevents {{}}\nhttp {{ access_log off; {paths}\nserver {{ listen 127.0.0.1:{port}; auth_basic lab; auth_basic_user_file {shown}/users; location / {{ proxy_pass http://{upstream}; }} }} }}\n"
            );
            let file = base.join("nginx.conf");
            fs::write(&file, config).unwrap();
            let mut command = Command::new(program("nginx").unwrap());
            command.arg("-p").arg(base).arg("-c").arg(file).args(["-e", "stderr"]);
            if let Some(daemon) = Daemon::start(command, port, &base.join("log")) {
                return Some(Self { port, _daemon: daemon, _dir: dir });
            }
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
