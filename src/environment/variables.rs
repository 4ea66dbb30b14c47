//! Every variable that the program reads, in one table: help, manual pages and docs/environment.md are made from it.

/// A variable of the environment.
pub struct Variable {
    /// Its name; without the prefix if `prefixed`.
    pub name: &'static str,
    /// Whether the persona's prefix comes before the name: `APPTAINER_` (then `SINGULARITY_`) or `SINGULARITY_`.
    pub prefixed: bool,
    /// The options that it stands for, each as the command and the option's id: `pull force`. `*` is every command.
    pub options: &'static [&'static str],
    /// The commands that read it, for their manual pages, in addition to those in `options`; `*` is every command.
    pub commands: &'static [&'static str],
    /// What it does, as a sentence without its full stop.
    pub what: &'static str,
}

impl Variable {
    /// The name with the prefix of the Apptainer persona.
    pub fn full_name(&self) -> String {
        self.name_after("APPTAINER_")
    }

    /// The name as it is typed, where `prefix` is the persona's.
    pub fn name_after(&self, prefix: &str) -> String {
        if self.prefixed { format!("{prefix}{}", self.name) } else { self.name.to_string() }
    }

    /// Whether the command (`pull`, `remote add`) reads it.
    pub fn is_read_by(&self, command: &str) -> bool {
        let of_option = self.options.iter().filter_map(|option| option.rsplit_once(' ')).map(|(of, _)| of);
        of_option.chain(self.commands.iter().copied()).any(|one| {
            one == "*"
                || one == command
                || command.strip_prefix(one).is_some_and(|rest| rest.starts_with(' '))
        })
    }

    /// Whether it stands for the option of the command.
    pub fn is_for(&self, command: &str, option: &str) -> bool {
        self.options
            .iter()
            .filter_map(|one| one.rsplit_once(' '))
            .any(|(of, own)| own == option && (of == "*" || of == command))
    }
}

const fn prefixed(name: &'static str, options: &'static [&'static str], what: &'static str) -> Variable {
    Variable { name, prefixed: true, options, commands: &[], what }
}

const fn of_commands(name: &'static str, commands: &'static [&'static str], what: &'static str) -> Variable {
    Variable { name, prefixed: true, options: &[], commands, what }
}

const fn plain(name: &'static str, commands: &'static [&'static str], what: &'static str) -> Variable {
    Variable { name, prefixed: false, options: &[], commands, what }
}

const NETWORK: &[&str] = &["delete", "keyserver", "pull", "push", "registry", "remote", "search"];

/// All of them, those with a prefix first, each group by name.
pub const VARIABLES: &[Variable] = &[
    prefixed(
        "ADD_INSECURE",
        &["remote add insecure"],
        "Allow plain http and unverified https for the remote",
    ),
    prefixed("ALLOW_UNAUTHENTICATED", &["pull allow_unauthenticated"], "The older name for `ALLOW_UNSIGNED`"),
    prefixed(
        "ALLOW_UNSIGNED",
        &["pull allow_unsigned", "push allow_unsigned"],
        "Do not warn about an unsigned image, or allow pushing one",
    ),
    prefixed("ARCH", &["delete arch"], "Architecture of the image to delete"),
    of_commands("AUTHFILE", &["registry", "remote"], "Another name for `AUTH_FILE`, which takes precedence"),
    prefixed(
        "AUTH_FILE",
        &[
            "registry login authfile",
            "registry logout authfile",
            "remote login authfile",
            "remote logout authfile",
        ],
        "Registry auth file",
    ),
    of_commands(
        "CACHEDIR",
        &["pull"],
        "Directory whose `cache/library` is the image cache, instead of `~/.apptainer`. A relative path starts at the \
         working directory",
    ),
    of_commands("CONFIGDIR", &["*"], "Directory of remote.yaml and of the cache, instead of `~/.apptainer`"),
    prefixed("DEBUG", &["* debug"], "Print debugging information"),
    prefixed("DISABLE_CACHE", &["pull disable_cache"], "Do not use the image cache"),
    of_commands(
        "DOWNLOAD_CONCURRENCY",
        &["pull"],
        "Parts downloaded at the same time, from 1 to 64; 3 by default",
    ),
    of_commands(
        "DOWNLOAD_MIN_RATE",
        &["pull", "push"],
        "Minimum speed of a transfer in bytes per second, over one minute; 1024 by default, 0 for no limit",
    ),
    of_commands("DOWNLOAD_PART_SIZE", &["pull"], "Bytes in each downloaded part; 5242880 by default"),
    prefixed(
        "FORCE",
        &["delete force", "pull force"],
        "Overwrite an existing file, or delete without asking for confirmation",
    ),
    prefixed(
        "LIBRARY",
        &["delete library", "pull library", "push library", "search library"],
        "Library to use instead of the default remote's",
    ),
    prefixed(
        "LOGIN_INSECURE",
        &["keyserver login insecure", "registry login insecure", "remote login insecure"],
        "Allow plain http and unverified https for a registry login",
    ),
    of_commands(
        "LOGIN_PASSWORD",
        &["keyserver login", "registry login", "remote login"],
        "Password or token of a registry or keyserver login",
    ),
    prefixed(
        "LOGIN_USERNAME",
        &["keyserver login username", "registry login username", "remote login username"],
        "Username of a registry or keyserver login",
    ),
    of_commands(
        "MESSAGELEVEL",
        &["*"],
        "Number from -3 (only errors) to 5 (everything) that sets which messages are shown; 1 by default",
    ),
    prefixed("NOCOLOR", &["* nocolor"], "Disable colours"),
    of_commands("NOHTTPS", &["delete", "pull"], "Another name for `NO_HTTPS`, which takes precedence"),
    prefixed("NO_HTTPS", &["delete no_https", "pull no_https"], "Use http for a host given in the URI"),
    prefixed("PULLDIR", &["pull dir"], "Directory for the output file"),
    of_commands("PULLFOLDER", &["pull"], "Another name for `PULLDIR`, which takes precedence"),
    prefixed("PULL_ARCH", &["pull arch"], "Architecture to pull"),
    prefixed("PULL_NAME", &["pull name"], "Name of the output file"),
    prefixed("QUIET", &["* quiet"], "Suppress informational messages"),
    prefixed("SEARCH_ARCH", &["search arch"], "Architecture of the images to search for"),
    prefixed("SEARCH_SIGNED", &["search signed"], "Only list signed images"),
    prefixed("SILENT", &["* silent"], "Print only errors"),
    of_commands(
        "TOKEN",
        &["delete", "pull", "push", "remote get-login-password", "remote status", "search"],
        "Access token to use instead of the stored one. It is only sent to the host in `TOKEN_HOST`",
    ),
    of_commands(
        "TOKEN_HOST",
        &["delete", "pull", "push", "remote get-login-password", "remote status", "search"],
        "Host, or HOST:PORT, of the endpoint that `TOKEN` is for",
    ),
    prefixed("VERBOSE", &["* verbose"], "Print additional information"),
    plain(
        "APPTAINER_REMOTE_PASSTHROUGH",
        &["*"],
        "0 stops this program from passing other commands to the next apptainer in PATH",
    ),
    plain(
        "COLUMNS",
        &["*"],
        "Width of help texts if neither standard output nor standard error is a terminal",
    ),
    plain(
        "DOCKER_AUTH_CONFIG",
        &["registry"],
        "Text of a registry auth file. Its logins override those of every file",
    ),
    plain(
        "HOME",
        &["*"],
        "Home directory of the Apptainer persona; SingularityCE uses the password database",
    ),
    plain("HTTPS_PROXY", NETWORK, "Proxy for https requests; also `https_proxy`"),
    plain("HTTP_PROXY", NETWORK, "Proxy for http requests; also `http_proxy`"),
    plain("NO_COLOR", &["*"], "Disable colours, whatever the value"),
    plain(
        "NO_PROXY",
        NETWORK,
        "Hosts that are reached without a proxy, separated by commas; also `no_proxy`",
    ),
    plain("PATH", &["*"], "Where the next apptainer is looked up, and the credential helpers"),
    plain(
        "REQUEST_METHOD",
        NETWORK,
        "If it is set, `HTTP_PROXY` is ignored, because a CGI request could have set it",
    ),
    plain("SSL_CERT_DIR", NETWORK, "Directories with trusted certificates, separated by colons"),
    plain("SSL_CERT_FILE", NETWORK, "File with the trusted certificates (PEM), at most 16 MiB"),
    plain("TERM", &["*"], "If it is `dumb`, colours are disabled"),
];

/// Whether the table has the variable, by its whole name. `http_proxy` and the like are other spellings.
pub(super) fn is_listed(name: &str) -> bool {
    let suffix = ["APPTAINER_", "SINGULARITY_"].iter().find_map(|prefix| name.strip_prefix(prefix));
    VARIABLES.iter().any(|variable| match variable.prefixed {
        true => suffix == Some(variable.name),
        false => variable.name == name.to_uppercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_commands_once() {
        let names: Vec<_> = VARIABLES.iter().map(|variable| (!variable.prefixed, variable.name)).collect();
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(
            VARIABLES.iter().all(|variable| !variable.options.is_empty() || !variable.commands.is_empty())
        );
    }

    #[test]
    fn a_group_stands_for_its_commands() {
        let of = |name: &str| VARIABLES.iter().find(|variable| variable.name == name).expect("it is listed");
        assert!(of("SSL_CERT_FILE").is_read_by("remote status"));
        assert!(of("FORCE").is_read_by("pull") && !of("FORCE").is_read_by("push"));
        assert!(of("DEBUG").is_for("remote list", "debug") && !of("DEBUG").is_for("remote list", "json"));
        assert!(!of("TOKEN").is_read_by("remote statusx"));
    }
}
