//! One step: a user and a command.

use std::fmt;

/// The users: root, and two ordinary ones.
pub const PEOPLE: [&str; 3] = ["root", "ada", "bob"];
pub const ROOT: usize = 0;
/// The username for keyserver logins.
pub const NAMED: &str = "ada";

/// A token or a password for a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub text: String,
    /// On standard input; otherwise in a file.
    pub piped: bool,
}

/// How `add` logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// `--no-login`.
    No,
    /// Without an option and without input.
    Unasked,
    With(Secret),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Add {
    pub global: bool,
    pub insecure: bool,
    pub no_default: bool,
    pub if_absent: bool,
    pub replace: bool,
    pub login: Login,
    pub name: String,
    pub uri: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Add(Add),
    Remove {
        global: bool,
        name: String,
    },
    Rename {
        global: bool,
        old: String,
        new: String,
    },
    Use {
        global: bool,
        exclusive: bool,
        name: String,
    },
    Login {
        name: Option<String>,
        secret: Secret,
    },
    Logout {
        name: Option<String>,
    },
    LogoutAll,
    /// To a keyserver, as `ada` or with a token.
    ServiceLogin {
        uri: String,
        named: bool,
        secret: Secret,
    },
    ServiceLogout {
        uri: String,
    },
    AddKeyserver {
        name: Option<String>,
        uri: String,
        order: Option<u32>,
        insecure: bool,
    },
    RemoveKeyserver {
        name: Option<String>,
        uri: String,
    },
    List,
    Keyservers {
        name: Option<String>,
    },
    Status {
        name: Option<String>,
        strict: bool,
    },
    Password,
    Check {
        global: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub who: usize,
    /// Requests `changed`; no effect if the command has no `--json` of this kind.
    pub json: bool,
    /// Uses the other spelling, or options after the arguments.
    pub odd: bool,
    pub command: Command,
}

impl Step {
    /// The kind of command, for statistics.
    pub fn verb(&self) -> &'static str {
        match self.command {
            Command::Add(_) => "add",
            Command::Remove { .. } => "remove",
            Command::Rename { .. } => "rename",
            Command::Use { .. } => "use",
            Command::Login { .. } => "login",
            Command::Logout { .. } => "logout",
            Command::LogoutAll => "logout --all",
            Command::ServiceLogin { .. } => "keyserver login",
            Command::ServiceLogout { .. } => "keyserver logout",
            Command::AddKeyserver { .. } => "keyserver add",
            Command::RemoveKeyserver { .. } => "keyserver remove",
            Command::List => "list",
            Command::Keyservers { .. } => "keyserver list",
            Command::Status { .. } => "status",
            Command::Password => "get-login-password",
            Command::Check { .. } => "check",
        }
    }

    /// Whether the command only reads.
    pub fn reads(&self) -> bool {
        use Command::{Check, Keyservers, List, Password, Status};
        matches!(self.command, List | Keyservers { .. } | Status { .. } | Password | Check { .. })
    }

    fn secret(&self) -> Option<&Secret> {
        match &self.command {
            Command::Add(Add { login: Login::With(secret), .. })
            | Command::Login { secret, .. }
            | Command::ServiceLogin { secret, .. } => Some(secret),
            _ => None,
        }
    }

    /// The standard input.
    pub fn input(&self) -> Option<&str> {
        self.secret().filter(|secret| secret.piped).map(|secret| secret.text.as_str())
    }

    /// The command line; `file` returns the path of the file with a secret.
    pub fn args(&self, file: impl Fn(&str) -> String) -> Vec<String> {
        let mut line = self.line();
        if let Some(secret) = self.secret().filter(|secret| !secret.piped) {
            line = line.option("--tokenfile", Some(file(&secret.text)));
        }
        let Line { mut words, options, arguments } = line.switch(self.json, "--json");
        let (first, last) = if self.odd { (arguments, options) } else { (options, arguments) };
        words.extend(first);
        words.extend(last);
        words
    }

    fn line(&self) -> Line {
        // Both spellings are the same command.
        let either =
            |group, one, odd: [&str; 2]| if self.odd { Line::new(odd) } else { Line::new([group, one]) };
        let remote = |command| Line::new(["remote", command]);
        let switch = |long, short| if self.odd { short } else { long };
        match &self.command {
            Command::Add(add) => remote("add")
                .switch(add.global, switch("--global", "-g"))
                .switch(add.insecure, switch("--insecure", "-i"))
                .switch(add.no_default, switch("--no-default", "-n"))
                .switch(add.if_absent, "--if-absent")
                .switch(add.replace, "--replace")
                .switch(add.login == Login::No, "--no-login")
                .arguments([&add.name, &add.uri]),
            Command::Remove { global, name } => {
                remote("remove").switch(*global, switch("--global", "-g")).arguments([name])
            }
            Command::Rename { global, old, new } => {
                remote("rename").switch(*global, switch("--global", "-g")).arguments([old, new])
            }
            Command::Use { global, exclusive, name } => remote("use")
                .switch(*global, switch("--global", "-g"))
                .switch(*exclusive, switch("--exclusive", "-e"))
                .arguments([name]),
            Command::Login { name, .. } => remote("login").arguments(name),
            Command::Logout { name } => remote("logout").arguments(name),
            Command::LogoutAll => remote("logout").switch(true, "--all"),
            Command::ServiceLogin { uri, named, .. } => either("keyserver", "login", ["remote", "login"])
                .option(switch("--username", "-u"), named.then(|| NAMED.to_string()))
                .arguments([uri]),
            Command::ServiceLogout { uri } => {
                either("keyserver", "logout", ["remote", "logout"]).arguments([uri])
            }
            Command::AddKeyserver { name, uri, order, insecure } => {
                either("keyserver", "add", ["remote", "add-keyserver"])
                    .switch(*insecure, switch("--insecure", "-i"))
                    .option(switch("--order", "-o"), order.map(|order| order.to_string()))
                    .arguments(name)
                    .arguments([uri])
            }
            Command::RemoveKeyserver { name, uri } => {
                either("keyserver", "remove", ["remote", "remove-keyserver"]).arguments(name).arguments([uri])
            }
            Command::List => remote("list").switch(true, "--json"),
            Command::Keyservers { name } => {
                Line::new(["keyserver", "list"]).switch(true, switch("--json", "-j")).arguments(name)
            }
            Command::Status { name, strict } => {
                remote("status").switch(true, "--json").switch(*strict, "--strict").arguments(name)
            }
            Command::Password => remote("get-login-password"),
            Command::Check { global } => remote("check").switch(*global, switch("--global", "-g")),
        }
    }
}

/// A command line under construction.
struct Line {
    words: Vec<String>,
    options: Vec<String>,
    arguments: Vec<String>,
}

impl Line {
    fn new(words: [&str; 2]) -> Self {
        Self { words: words.map(String::from).into(), options: vec![], arguments: vec![] }
    }

    fn switch(mut self, set: bool, name: &str) -> Self {
        self.options.extend(set.then(|| name.to_string()));
        self
    }

    fn option(mut self, name: &str, value: Option<String>) -> Self {
        self.options.extend(value.into_iter().flat_map(|value| [name.to_string(), value]));
        self
    }

    fn arguments<'a>(mut self, words: impl IntoIterator<Item = &'a String>) -> Self {
        self.arguments.extend(words.into_iter().cloned());
        self
    }
}

/// Formatted for a shell.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args(|text| format!("<(echo '{text}')"));
        let quoted = args.iter().map(|arg| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:[]".contains(c);
            let is_plain = !arg.is_empty() && arg.chars().all(plain);
            if is_plain || arg.starts_with("<(") {
                arg.clone()
            } else {
                format!("$'{}'", arg.escape_default())
            }
        });
        write!(f, "[{}] {}", PEOPLE[self.who], quoted.collect::<Vec<_>>().join(" "))?;
        self.input().map_or(Ok(()), |input| write!(f, " <<< '{input}'"))
    }
}
