//! Docker's credential helpers: programs named `docker-credential-SUFFIX` that store logins elsewhere.
//!
//! The protocol: one argument (`get`, `store`, `erase`, `list`), the server or a JSON document on standard input, and a
//! JSON document or an error message on standard output.

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

/// Maximum length of a helper's output, in bytes. Enough for a list of several thousand servers.
const LONGEST: usize = 1 << 20;
/// Maximum length of a helper's error message that is shown, in characters.
const SHOWN: usize = 200;
/// The error message of helpers that have no login for a server. Docker compares this text as well.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// How helpers are found and run.
#[derive(Clone)]
pub struct Helpers {
    /// The environment of the helpers, including the PATH in which they are searched.
    pub env: Vec<(OsString, OsString)>,
    /// The user who runs them. Root runs only programs that no other user can change.
    pub uid: u32,
    /// The timeout of one run.
    pub patience: Duration,
}

/// A helper that was found in PATH.
pub struct Helper {
    /// The part of the name after `docker-credential-`.
    pub suffix: String,
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
    patience: Duration,
}

impl Helpers {
    /// Finds `docker-credential-SUFFIX` in PATH.
    ///
    /// # Errors
    /// The suffix is invalid, the helper does not exist, or this user cannot or must not run it.
    pub fn find(&self, suffix: &str) -> Result<Helper> {
        let name = format!("docker-credential-{suffix}");
        if !is_suffix(suffix) {
            return Err(Failure::new(format!("invalid credential helper name {suffix:?}")));
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
                "refusing to run the credential helper {} as root: \
                 it or a parent directory is owned or writable by another user",
                file.display()
            )),
            Some(file) => Failure::new(format!("cannot run the credential helper {}", file.display())),
            None => Failure::new(format!("credential helper {name} not found in PATH")),
        })
    }
}

/// Whether this is a valid suffix of a helper's name: letters, digits, `.`, `_` and `-`, starting with a letter or
/// digit. So it cannot be a path.
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
    /// Stores a login with the helper. Some helpers, such as `pass`, also keep an older login of another user, and then
    /// return that one. In this case the old login is erased and the new one stored again. The new one is stored before
    /// the erasure too, so that nothing is lost if storing fails.
    ///
    /// # Errors
    /// The helper fails, times out or cannot be run.
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

    /// Removes a login from the helper. Succeeds if the helper has none.
    ///
    /// # Errors
    /// Those of `store`.
    pub fn erase(&self, server: &str) -> Result<()> {
        let answer = self.ask("erase", server)?;
        if answer.is_not_found() { Ok(()) } else { answer.success(self, "erase").map(drop) }
    }

    /// Whether the helper has a login for the server. Tries `list` first, which reads no secret and so does not prompt
    /// for a passphrase. Not every helper supports `list`.
    ///
    /// # Errors
    /// Those of `store`, and an invalid response.
    pub fn has(&self, server: &str) -> Result<bool> {
        if self.listed(server).is_some() { Ok(true) } else { self.answers(server) }
    }

    /// The user for this server in the output of `list`. `None` also if the helper does not support `list`.
    fn listed(&self, server: &str) -> Option<String> {
        let text = self.ask("list", "").ok()?.success(self, "list").ok()?;
        user_in(&text, server)
    }

    /// Whether `get` returns a login for the server.
    ///
    /// # Errors
    /// Those of `has`.
    pub fn answers(&self, server: &str) -> Result<bool> {
        let answer = self.ask("get", server)?;
        if answer.is_not_found() {
            return Ok(false);
        }
        let text = answer.success(self, "get")?;
        // The message contains no part of the response, because it may still be a secret.
        is_login(&text).ok_or_else(|| self.failed("get", "invalid response"))
    }

    fn failed(&self, word: &str, why: impl std::fmt::Display) -> Failure {
        Failure::new(format!("docker-credential-{} {word} failed: {why}", self.suffix))
    }

    /// Runs the helper with one argument and writes `input` to its standard input.
    fn ask(&self, word: &str, input: &str) -> Result<Answer> {
        let mut command = Command::new(&self.program);
        command.arg(word).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        let bounds = Bounds { patience: self.patience, longest: LONGEST };
        let output = child::run(command, input, bounds).map_err(|trouble| match trouble {
            Trouble::Start(error) => {
                Failure::from(error).context(format!("cannot run {}", self.program.display()))
            }
            Trouble::Slow => self.failed(word, format!("timed out after {} s", self.patience.as_secs_f32())),
            Trouble::Endless => self.failed(word, "the response is longer than 1 MiB"),
        })?;
        Ok(Answer(output))
    }
}

/// The user of a server in the output of `list`: `{"SERVER":"USER",…}` or `null`.
pub fn user_in(list: &[u8], server: &str) -> Option<String> {
    let servers: Option<BTreeMap<String, String>> = serde_json::from_slice(list).ok()?;
    servers?.remove(server)
}

/// Whether the output of `get` is a login. Some helpers return empty fields for an unknown server, which is not one.
/// `None` if the output is invalid.
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

/// The result of running a helper.
struct Answer(Output);

impl Answer {
    fn is_not_found(&self) -> bool {
        !self.0.status.success() && String::from_utf8_lossy(&self.0.stdout).contains(NOT_FOUND)
    }

    /// The standard output if the helper succeeded.
    fn success(self, helper: &Helper, word: &str) -> Result<Zeroizing<Vec<u8>>> {
        let Output { status, stdout, stderr } = self.0;
        if status.success() {
            return Ok(stdout);
        }
        // The protocol has error messages on standard output, but many helpers print them on standard error.
        let said = [&stdout, &stderr].into_iter().find_map(|bytes| first_line(bytes));
        Err(helper.failed(word, said.unwrap_or_else(|| status.to_string())))
    }
}

/// The first line of a helper's error message that is not blank, shortened and escaped for a terminal.
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

    /// A directory with helpers that are shell scripts.
    struct Scripts(tempfile::TempDir);

    impl Scripts {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
            Self(dir)
        }

        fn add(&self, suffix: &str, script: &str) -> &Self {
            let file = self.0.path().join(format!("docker-credential-{suffix}"));
            // Another process writes the script. If this process had it open for writing, a child that another thread
            // starts at that moment would inherit the open file, and running the script would fail.
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
    fn a_suffix_cannot_be_a_path() {
        for good in ["pass", "ecr-login", "a.b_c", "1password"] {
            assert!(is_suffix(good));
        }
        for bad in ["", "x/../evil", "-x", ".x", "a b", "ä", "a\0b"] {
            assert!(!is_suffix(bad), "{bad:?}");
        }
    }

    #[test]
    fn helpers_get_the_documented_input() {
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
    fn a_login_is_found_by_list_or_get() {
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
    fn every_failure_is_reported_and_ends() {
        let scripts = Scripts::new();
        for (suffix, script, expected) in [
            ("words", "echo 'the vault\tis closed'; exit 1", "the vault\\tis closed"),
            ("stderr", "echo 'no display' >&2; exit 3", "no display"),
            ("silent", "exit 7", "exit status: 7"),
            ("killed", "kill -9 $$", "signal: 9"),
            ("hangs", "exec sleep 60", "timed out after 2 s"),
            ("family", "sleep 60; exit 0", "timed out after 2 s"),
            ("garbage", "echo canary", "invalid response"),
            ("endless", "exec yes canary", "the response is longer than 1 MiB"),
            ("deaf", "exec 0<&-; echo gone; exit 1", "gone"),
        ] {
            scripts.add(suffix, script);
            let text = message(scripts.helper(suffix).answers("h"));
            assert!(text.contains(expected) && !text.contains("canary"), "{suffix}: {text}");
            assert!(text.contains(&format!("docker-credential-{suffix} get failed: ")), "{text}");
        }
        // A background process of the helper keeps its output open. That does not matter.
        scripts.add("leaves", &format!("sleep 9 & {}", r#"echo '{"Username":"ada","Secret":"x"}'"#));
        assert!(scripts.helper("leaves").answers("h").unwrap());
        let long = Secret::new("x".repeat(200_000));
        scripts.helper("silent").store("h", "ada", &long).unwrap_err();
    }

    #[test]
    fn missing_and_untrusted_helpers_are_refused() {
        let scripts = Scripts::new();
        scripts.add("mine", "exit 0").add("loose", "exit 0").add("plain", "exit 0");
        let mode = |suffix: &str, mode| {
            let file = scripts.0.path().join(format!("docker-credential-{suffix}"));
            fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
        };
        mode("loose", 0o777);
        mode("plain", 0o644);
        let find = |suffix: &str, uid| Helpers { uid, ..scripts.helpers() }.find(suffix);
        assert!(
            message(find("absent", 1))
                .contains("credential helper docker-credential-absent not found in PATH")
        );
        assert!(message(find("x/../evil", 1)).contains("invalid credential helper name"));
        assert!(message(find("plain", 1)).contains("cannot run"));
        assert!(find("loose", 1).is_ok());
        // The helper itself is writable by others, so root must not run it.
        assert!(message(find("loose", 0)).contains("refusing to run the credential helper"));
    }
}
