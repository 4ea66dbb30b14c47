//! Network settings from the environment: proxies and certificate authorities.

use super::trace::Trace;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Proxies and certificate authorities from the environment and the command line.
///
/// By default there is no proxy, and the system's certificates are trusted.
#[derive(Clone, Default)]
pub struct Settings {
    /// For `http://` URLs: a URL, or `host:port`, which means `http://host:port`.
    pub http_proxy: Option<String>,
    /// For `https://` URLs, in the same form.
    pub https_proxy: Option<String>,
    /// The servers to connect to without a proxy, in Go's syntax (see [`crate::http::proxy`]).
    pub no_proxy: Option<String>,
    /// Replaces the system's certificate bundle.
    pub cert_file: Option<PathBuf>,
    /// Replace the system's certificate directories.
    pub cert_dirs: Option<Vec<PathBuf>>,
    /// Trusted in addition to all others (`--ca-file`).
    pub ca_files: Vec<PathBuf>,
    /// Directories whose `*.crt` files are also trusted, if the directories exist (`certs.d/HOST`).
    pub cert_directories: Vec<PathBuf>,
    /// Where the requests are noted.
    pub trace: Trace,
}

impl Settings {
    /// Reads the same variables as Go, by the same rules. Upper-case names take precedence over lower-case ones, and an
    /// empty value counts as unset. `HTTP_PROXY` is ignored in a CGI program, where it comes from a request header.
    /// `ALL_PROXY` is not read.
    pub fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |names: [&str; 2]| {
            names.into_iter().find_map(set).map(|value| value.to_string_lossy().into_owned())
        };
        let cgi = set("REQUEST_METHOD").is_some();
        Self {
            http_proxy: if cgi { None } else { text(["HTTP_PROXY", "http_proxy"]) },
            https_proxy: text(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: text(["NO_PROXY", "no_proxy"]),
            cert_file: set("SSL_CERT_FILE").map(PathBuf::from),
            cert_dirs: set("SSL_CERT_DIR").map(split_paths),
            ca_files: Vec::new(),
            cert_directories: Vec::new(),
            trace: Trace::default(),
        }
    }
}

/// Splits a list at `:` and drops empty entries.
fn split_paths(list: OsString) -> Vec<PathBuf> {
    list.into_vec()
        .split(|byte| *byte == b':')
        .filter(|part| !part.is_empty())
        .map(|part| PathBuf::from(OsString::from_vec(part.to_vec())))
        .collect()
}

/// A proxy's URL may contain a password, so it is not displayed at all.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("http_proxy", &self.http_proxy.as_ref().map(|_| "…"))
            .field("https_proxy", &self.https_proxy.as_ref().map(|_| "…"))
            .field("no_proxy", &self.no_proxy)
            .field("cert_file", &self.cert_file)
            .field("cert_dirs", &self.cert_dirs)
            .field("ca_files", &self.ca_files)
            .field("cert_directories", &self.cert_directories)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(vars: &[(&str, &str)]) -> Settings {
        Settings::from_env(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
    }

    #[test]
    fn upper_case_comes_first_and_empty_is_unset() {
        let read = settings(&[("HTTPS_PROXY", ""), ("https_proxy", "small"), ("ALL_PROXY", "all")]);
        assert_eq!(read.https_proxy.as_deref(), Some("small"));
        assert_eq!(read.http_proxy, None);
        let read =
            settings(&[("HTTP_PROXY", "A"), ("http_proxy", "b"), ("NO_PROXY", "x"), ("no_proxy", "y")]);
        assert_eq!(read.http_proxy.as_deref(), Some("A"));
        assert_eq!(read.no_proxy.as_deref(), Some("x"));
    }

    #[test]
    fn a_cgi_program_ignores_http_proxy() {
        let vars =
            [("HTTP_PROXY", "evil"), ("http_proxy", "evil"), ("HTTPS_PROXY", "p"), ("REQUEST_METHOD", "GET")];
        let read = settings(&vars);
        assert_eq!((read.http_proxy.as_deref(), read.https_proxy.as_deref()), (None, Some("p")));
    }

    #[test]
    fn certificates() {
        let read = settings(&[("SSL_CERT_FILE", "/a"), ("SSL_CERT_DIR", "/b::/c")]);
        assert_eq!(read.cert_file, Some("/a".into()));
        assert_eq!(read.cert_dirs, Some(vec!["/b".into(), "/c".into()]));
        assert_eq!(settings(&[("SSL_CERT_DIR", "")]).cert_dirs, None);
    }

    #[test]
    fn debug_shows_no_password() {
        let read = settings(&[("HTTP_PROXY", "http://u:canary@p"), ("HTTPS_PROXY", "u:canary@p")]);
        assert!(!format!("{read:?}").contains("canary"));
    }
}
