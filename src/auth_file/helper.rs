//! Docker's credential helpers: programs called `docker-credential-SUFFIX` that keep logins elsewhere.
//!
//! The protocol: one word as the argument (`get`, `store`, `erase`, `list`), the server or a JSON document
//! on standard input, a JSON document or a word of failure on standard output.

use crate::child::{self, Bounds, Output, Trouble};
use crate::error::{Failure, Result};
use crate::executable::{path_entries, runnable};
use crate::message::escape;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use zeroize::Zeroizing;

/// No answer of a helper is longer than this, in bytes: a list of some thousand servers.
const LONGEST: usize = 1 << 20;
/// How much of a helper's words is shown, in characters.
const SHOWN: usize = 200;
/// What helpers answer when they have no login for a server; docker compares the text as well.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// Where helpers are looked for, and what they are run with.
#[derive(Clone)]
pub struct Helpers {
    /// The environment that they get, PATH included.
    pub env: Vec<(OsString, OsString)>,
    /// Who runs them: root runs only what nobody else could have put there.
    pub uid: u32,
    /// How long one may take.
    pub patience: Duration,
}

/// One helper, found.
pub struct Helper {
    /// Behind `docker-credential-`.
    pub suffix: String,
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    patience: Duration,
}

impl Helpers {
    /// Finds `docker-credential-SUFFIX` in PATH.
    ///
    /// # Errors
    /// The suffix could name another place than a directory of PATH; nothing is there, or nothing that this
    /// user may run.
    pub fn find(&self, suffix: &str) -> Result<Helper> {
        let name = format!("docker-credential-{suffix}");
        if !is_suffix(suffix) {
            return Err(Failure::new(format!("{suffix:?} is no name of a credential helper")));
        }
        let path = self.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let files: Vec<PathBuf> =
            path.into_iter().flat_map(path_entries).map(|entry| entry.join(&name)).collect();
        if let Some(program) = files.iter().find_map(|file| runnable(file, self.uid)) {
            let suffix = suffix.to_string();
            return Ok(Helper { suffix, program, env: self.env.clone(), patience: self.patience });
        }
        Err(match files.iter().find(|file| file.exists()) {
            Some(file) if self.uid == 0 && runnable(file, u32::MAX).is_some() => Failure::new(format!(
                "the credential helper {} is not run as root: it, or a directory on the way to it, belongs to somebody else or can be written by others",
                file.display()
            )),
            Some(file) => Failure::new(format!("the credential helper {} cannot be run", file.display())),
            None => Failure::new(format!("there is no credential helper {name} in PATH")),
        })
    }
}

/// Whether this can end the name of a helper: letters, digits, `.`, `_` and `-`, a letter or digit first, and
/// so no path.
pub fn is_suffix(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Login<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

impl Helper {
    /// Gives a login to the helper. One that keeps the login of another user beside it, as `pass` does, and
    /// would give that one out, is made to forget it; only then, so that a failure loses nothing.
    ///
    /// # Errors
    /// The helper fails, hangs or cannot be run.
    pub fn store(&self, server: &str, username: &str, secret: &Secret) -> Result<()> {
        let login = Login { server_url: server, username, secret: secret.expose() };
        let text = Zeroizing::new(serde_json::to_string(&login).expect("texts are JSON"));
        let store = || self.ask("store", &text)?.success(self, "store").map(drop);
        store()?;
        if self.listed(server).is_some_and(|other| other != username) {
            self.erase(server)?;
            store()?;
        }
        Ok(())
    }

    /// Makes the helper forget a login; that it has none is no failure.
    ///
    /// # Errors
    /// As `store`.
    pub fn erase(&self, server: &str) -> Result<()> {
        let answer = self.ask("erase", server)?;
        if answer.is_not_found() { Ok(()) } else { answer.success(self, "erase").map(drop) }
    }

    /// Whether the helper has a login for the server. Its list is looked at first, which opens no secret
    /// and so asks nobody for a passphrase; not every helper has one.
    ///
    /// # Errors
    /// As `store`, and an answer that is none.
    pub fn has(&self, server: &str) -> Result<bool> {
        if self.listed(server).is_some() { Ok(true) } else { self.answers(server) }
    }

    /// The user whose login to the server is in the helper's list; a helper need not have one.
    fn listed(&self, server: &str) -> Option<String> {
        let text = self.ask("list", "").ok()?.success(self, "list").ok()?;
        user_in(&text, server)
    }

    /// Whether the helper gives out a login for the server when it is asked for it.
    ///
    /// # Errors
    /// As `has`.
    pub fn answers(&self, server: &str) -> Result<bool> {
        let answer = self.ask("get", server)?;
        if answer.is_not_found() {
            return Ok(false);
        }
        let text = answer.success(self, "get")?;
        // Nothing of the answer is repeated: it may be a secret all the same.
        is_login(&text).ok_or_else(|| self.failed("get", "its answer is no login"))
    }

    fn failed(&self, word: &str, why: impl std::fmt::Display) -> Failure {
        Failure::new(format!(
            "the credential helper docker-credential-{} failed at \"{word}\": {why}",
            self.suffix
        ))
    }

    /// Runs the helper with one word and gives it `input`.
    fn ask(&self, word: &str, input: &str) -> Result<Answer> {
        let mut command = Command::new(&self.program);
        command.arg(word).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        let bounds = Bounds { patience: self.patience, longest: LONGEST };
        let output = child::run(command, input, bounds).map_err(|trouble| match trouble {
            Trouble::Start(error) => {
                Failure::from(error).context(format!("cannot run {}", self.program.display()))
            }
            Trouble::Slow => self.failed(word, format!("no answer within {} s", self.patience.as_secs_f32())),
            Trouble::Endless => self.failed(word, "its answer has no end"),
        })?;
        Ok(Answer(output))
    }
}

/// The user of a server in what a helper prints for `list`: `{"SERVER":"USER",…}` or `null`.
pub fn user_in(list: &[u8], server: &str) -> Option<String> {
    let servers: Option<BTreeMap<String, String>> = serde_json::from_slice(list).ok()?;
    servers?.remove(server)
}

/// Whether what a helper prints for `get` is a login: some answer for everybody, with nothing. `None` where it is
/// no answer at all.
pub fn is_login(answer: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        username: String,
        secret: String,
    }
    let Found { username, secret } = serde_json::from_slice(answer).ok()?;
    Some(!(Zeroizing::new(secret).is_empty() && username.is_empty()))
}

/// What a helper left behind.
struct Answer(Output);

impl Answer {
    fn is_not_found(&self) -> bool {
        !self.0.status.success() && String::from_utf8_lossy(&self.0.stdout).contains(NOT_FOUND)
    }

    /// The answer of a helper that did what it was asked.
    fn success(self, helper: &Helper, word: &str) -> Result<Zeroizing<Vec<u8>>> {
        let Output { status, stdout, stderr } = self.0;
        if status.success() {
            return Ok(stdout);
        }
        // Failures are told on standard output by the protocol, and on standard error by habit.
        let said = [&stdout, &stderr].into_iter().find_map(|bytes| first_line(bytes));
        Err(helper.failed(word, said.unwrap_or_else(|| status.to_string())))
    }
}

/// The first line of a helper's words that says something, bounded and fit for a terminal.
pub fn first_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(escape(&line.chars().take(SHOWN).collect::<String>()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command as Process;

    /// A directory of helpers, each a shell script.
    struct Scripts(tempfile::TempDir);

    impl Scripts {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            Self(dir)
        }

        fn add(&self, suffix: &str, script: &str) -> &Self {
            let file = self.0.path().join(format!("docker-credential-{suffix}"));
            // By another process: a script that this one has open for writing cannot be run by a child
            // that another thread makes meanwhile.
            let text = format!("#!/bin/sh\n{script}\n");
            let make = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"";
            let made = Process::new("/bin/sh").args(["-c", make, "sh", &text]).arg(&file).status();
            assert!(made.unwrap().success());
            self
        }

        fn helpers(&self) -> Helpers {
            let path = format!("{}:/usr/bin:/bin", self.0.path().display());
            let uid = rustix::process::geteuid().as_raw();
            Helpers { env: vec![("PATH".into(), path.into())], uid, patience: Duration::from_secs(2) }
        }

        fn helper(&self, suffix: &str) -> Helper {
            self.helpers().find(suffix).unwrap()
        }
    }

    fn message<T>(result: Result<T>) -> String {
        result.err().expect("this must fail").message()
    }

    #[test]
    fn a_suffix_is_no_path() {
        for good in ["pass", "ecr-login", "a.b_c", "1password"] {
            assert!(is_suffix(good));
        }
        for bad in ["", "x/../evil", "-x", ".x", "a b", "ä", "a\0b"] {
            assert!(!is_suffix(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_a_helper_is_told() {
        let scripts = Scripts::new();
        let log = scripts.0.path().join("log");
        scripts.add("log", &format!("printf '%s ' \"$@\" >> {0}; cat >> {0}; echo >> {0}", log.display()));
        let helper = scripts.helper("log");
        helper.store("h:5000", "ada", &Secret::new("p\"w".into())).unwrap();
        helper.erase("h:5000").unwrap();
        assert_eq!(
            fs::read_to_string(log).unwrap(),
            "store {\"ServerURL\":\"h:5000\",\"Username\":\"ada\",\"Secret\":\"p\\\"w\"}\nlist \nerase h:5000\n"
        );
    }

    #[test]
    fn what_a_helper_answers() {
        let scripts = Scripts::new();
        let login = r#"echo '{"ServerURL":"h","Username":"ada","Secret":"canary"}'"#;
        let none = "echo 'credentials not found in native keychain'; exit 1";
        for (suffix, script, expected) in [
            ("get", format!("[ $1 = get ] && {login} || exit 1"), true),
            ("list", r#"[ $1 = list ] && echo '{"h":"ada"}' || exit 1"#.to_string(), true),
            ("other", format!("[ $1 = list ] && echo '{{\"x\":\"ada\"}}' && exit 0; {none}"), false),
            ("none", none.to_string(), false),
            ("null", format!("[ $1 = list ] && echo null && exit 0; {none}"), false),
            ("nobody", r#"echo '{"Username":"","Secret":""}'"#.to_string(), false),
        ] {
            scripts.add(suffix, &script);
            assert_eq!(scripts.helper(suffix).has("h").unwrap(), expected, "{suffix}");
        }
    }

    #[test]
    fn every_way_to_fail_is_named_and_ends() {
        let scripts = Scripts::new();
        for (suffix, script, expected) in [
            ("words", "echo 'the vault\tis closed'; exit 1", "the vault\\tis closed"),
            ("stderr", "echo 'no display' >&2; exit 3", "no display"),
            ("silent", "exit 7", "exit status: 7"),
            ("killed", "kill -9 $$", "signal: 9"),
            ("hangs", "exec sleep 60", "no answer within 2 s"),
            ("family", "sleep 60; exit 0", "no answer within 2 s"),
            ("garbage", "echo canary", "its answer is no login"),
            ("endless", "exec yes canary", "its answer has no end"),
            ("deaf", "exec 0<&-; echo gone; exit 1", "gone"),
        ] {
            scripts.add(suffix, script);
            let text = message(scripts.helper(suffix).answers("h"));
            assert!(text.contains(expected) && !text.contains("canary"), "{suffix}: {text}");
            assert!(text.contains(&format!("docker-credential-{suffix} failed at \"get\"")), "{text}");
        }
        // What it leaves behind holds its streams open, and is its own affair.
        scripts.add("leaves", &format!("sleep 9 & {}", r#"echo '{"Username":"ada","Secret":"x"}'"#));
        assert!(scripts.helper("leaves").answers("h").unwrap());
        let long = Secret::new("x".repeat(200_000));
        scripts.helper("silent").store("h", "ada", &long).unwrap_err();
    }

    #[test]
    fn what_is_not_there_or_not_to_be_trusted() {
        let scripts = Scripts::new();
        scripts.add("mine", "exit 0").add("loose", "exit 0").add("plain", "exit 0");
        let mode = |suffix: &str, mode| {
            let file = scripts.0.path().join(format!("docker-credential-{suffix}"));
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        };
        mode("loose", 0o777);
        mode("plain", 0o644);
        let find = |suffix: &str, uid| Helpers { uid, ..scripts.helpers() }.find(suffix);
        assert!(message(find("absent", 1)).contains("no credential helper docker-credential-absent in PATH"));
        assert!(message(find("x/../evil", 1)).contains("no name of a credential helper"));
        assert!(message(find("plain", 1)).contains("cannot be run"));
        assert!(find("loose", 1).is_ok());
        // Below a directory of /tmp, which is not only root's to write in, but the helper's own is.
        assert!(message(find("loose", 0)).contains("is not run as root"));
    }
}
