//! The servers of the test and the model's knowledge of them: a few endpoints for all sequences.

use super::layers::{built_in_remote, server};
use super::step::NAMED;
use crate::peers::endpoint::{Behaviour, DISCOVERY, Endpoint, Request, USER};
use apptainer_remote::persona::Persona;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;

/// Nothing listens at this address. It is used for remotes, and as the proxy for every name other than
/// loopback, so that a wrong prediction of the model never leaves this machine.
pub const NOBODY: &str = "127.0.0.1:1";

/// Tokens, and the endpoints that accept them. The one with a space is not a valid token; all others start with
/// `tok-`.
pub const TOKENS: [(&str, &[usize]); 5] =
    [("tok-zero", &[0]), ("tok-one", &[1]), ("tok-all", &[0, 1, 2, 3]), ("tok-none", &[]), ("no token", &[])];

/// The secret of the keyserver.
const KEY: &str = "tok-all";
/// The index of the keyserver among the servers.
const LOCKED: usize = 4;

/// The server at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The index of the endpoint.
    pub endpoint: usize,
    /// Whether it is the one below `/sub`, which accepts every token.
    pub sub: bool,
    /// Whether it has a token service.
    pub token: bool,
    /// Its keyserver.
    pub keyserver: Option<String>,
}

/// A login that reached a server: its index, whether below `/sub`, and the header with the login.
pub type Sent = (usize, bool, String);

/// 0 and 1 are complete (0 has another endpoint below `/sub`), 2 has no token service, 3 no keyserver. 4 is a
/// keyserver that requires [`KEY`] as a token or a password.
pub struct Net {
    endpoints: Vec<Endpoint>,
}

impl Net {
    pub fn new() -> Self {
        let mut endpoints: Vec<Endpoint> = (0..LOCKED).map(|_| Endpoint::http()).collect();
        for (token, takers) in TOKENS {
            takers.iter().for_each(|at| endpoints[*at].accept_token(token));
        }
        for (at, left_out) in [(2, "tokenAPI"), (3, "keystoreAPI")] {
            let url = endpoints[at].url();
            let services: Vec<(&str, String)> =
                [("libraryAPI", "library"), ("keystoreAPI", "keystore"), ("tokenAPI", "token")]
                    .into_iter()
                    .filter(|(key, _)| *key != left_out)
                    .map(|(key, path)| (key, format!("{url}/{path}")))
                    .collect();
            let services: Vec<(&str, &str)> =
                services.iter().map(|(key, uri)| (*key, uri.as_str())).collect();
            endpoints[at].set_services(&services);
        }
        let headers = [None, Some(NAMED)].map(|name| authorization(name, KEY));
        let locked = move |request: &Request| {
            let lets_in =
                request.header("authorization").is_some_and(|value| headers.iter().any(|own| own == value));
            (if lets_in { 200 } else { 401 }, "{}".to_string())
        };
        endpoints.push(Endpoint::answering(locked));
        let (sub, url) = (&endpoints[0], format!("{}/sub", endpoints[0].url()));
        let document = format!(
            r#"{{"libraryAPI":{{"uri":"{url}/library"}},"keystoreAPI":{{"uri":"{url}/keystore"}},"tokenAPI":{{"uri":"{url}/token"}}}}"#
        );
        sub.set(&format!("/sub{DISCOVERY}"), Behaviour::Json(200, document));
        sub.set("/sub/token/v1/token-status", Behaviour::Json(200, "{}".into()));
        sub.set("/sub/library/v1/rbac/users/current", Behaviour::Json(200, USER.into()));
        for service in ["library", "keystore", "token"] {
            let version = r#"{"data":{"version":"v1"}}"#;
            sub.set(&format!("/sub/{service}/version"), Behaviour::Json(200, version.into()));
        }
        Self { endpoints }
    }

    /// Replaces `E0` … `E4` and `NOBODY` in a text with addresses.
    pub fn addresses(&self, text: &str) -> String {
        let text = text.replace("NOBODY", NOBODY);
        let each = self.endpoints.iter().enumerate();
        each.fold(text, |text, (at, endpoint)| text.replace(&format!("E{at}"), &endpoint.host()))
    }

    /// The reverse, for people.
    pub fn names(&self, text: &str) -> String {
        let text = text.replace(NOBODY, "NOBODY");
        let each = self.endpoints.iter().enumerate();
        each.fold(text, |text, (at, endpoint)| text.replace(&endpoint.host(), &format!("E{at}")))
    }

    /// The server at a stored address; `None` if a request fails.
    pub fn site(&self, stored: &str, insecure: bool) -> Option<Site> {
        let (http, host, port, path) = server(stored, insecure)?;
        let endpoint =
            self.endpoints.iter().position(|endpoint| endpoint.host() == format!("{host}:{port}"))?;
        let sub = path == "/sub";
        if !http || endpoint == LOCKED || !(sub && endpoint == 0 || path.is_empty()) {
            return None;
        }
        let base = if sub { "/sub" } else { "" };
        let keyserver = format!("{}{base}/keystore", self.endpoints[endpoint].url());
        Some(Site { endpoint, sub, token: endpoint != 2, keyserver: (endpoint != 3).then_some(keyserver) })
    }

    /// Whether this server accepts this token.
    pub fn takes(&self, site: &Site, token: &str) -> bool {
        site.sub || TOKENS.iter().any(|(name, at)| *name == token && at.contains(&site.endpoint))
    }

    /// The server that a login to the keyserver at this address reaches, if any, and whether it accepts the
    /// secret. Keyservers without authentication accept all.
    pub fn lets_in(&self, uri: &str, secret: &str) -> Option<(usize, bool)> {
        let host = uri.strip_prefix("http://")?.split('/').next()?;
        let at = self.endpoints.iter().position(|endpoint| endpoint.host() == host)?;
        Some((at, at != LOCKED || secret == KEY))
    }

    /// The tokens that were sent since the last call, and the endpoints that got any request.
    pub fn heard(&self) -> (BTreeSet<Sent>, BTreeSet<usize>) {
        let (mut sent, mut asked) = (BTreeSet::new(), BTreeSet::new());
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let requests = endpoint.requests();
            if requests.is_empty() {
                continue;
            }
            endpoint.forget();
            asked.insert(at);
            for request in requests {
                if let Some(value) = request.header("authorization") {
                    sent.insert((at, request.path.starts_with("/sub/"), value.to_string()));
                }
            }
        }
        (sent, asked)
    }
}

/// The header with a login.
pub fn authorization(name: Option<&str>, secret: &str) -> String {
    match name {
        None => format!("Bearer {secret}"),
        Some(name) => format!("Basic {}", STANDARD.encode(format!("{name}:{secret}"))),
    }
}

/// Whether this is the address of a built-in remote, to which tests must not send requests. Apptainer's has no
/// services except a fixed keyserver, and only `status` would send a request to that.
pub fn out_of_bounds(persona: Persona, stored: &str) -> bool {
    let host = server(stored, false).map(|(_, host, ..)| host);
    let other = match persona {
        Persona::Apptainer => Persona::Singularity,
        Persona::Singularity => Persona::Apptainer,
    };
    host.is_some_and(|host| host == built_in_remote(persona).1 || host == built_in_remote(other).1)
}
