//! Whether an OCI registry takes a login: the question that the registry itself asks is answered, and only
//! its yes counts.

use super::challenge::{self, Challenge};
use crate::http::error::Tls;
use crate::http::{Address, Get, HttpError, HttpErrorKind, Login, Response, is_loopback};
use crate::message::cut;
use crate::secret::Secret;
use crate::services::Client;
use crate::uri::ServiceUri;
use serde::Deserialize;
use std::time::Duration;
use url::{Host, Url};
use zeroize::Zeroize;

/// What a registry said about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It takes it.
    Accepted,
    /// It asks nobody for a login, so that nothing was sent and nothing is known.
    Open,
    /// It, or its token server, says no.
    Rejected(HttpError),
}

/// Asks the registry whether it takes this login: one request to learn how it wants to be asked, one with
/// the password (Basic), or two, to its token server and back (Bearer).
///
/// # Errors
/// It says neither yes nor no, asks in a way that is not known, or sends the password where it must not go.
pub async fn check(
    http: &Client,
    uri: &ServiceUri,
    insecure: bool,
    username: &str,
    password: &Secret,
) -> Result<Verdict, HttpError> {
    let registry = Registry { http, insecure };
    let greeting = no_page(registry.greet(uri).await?)?;
    if is_success(&greeting) {
        return Ok(Verdict::Open);
    }
    if greeting.status != 401 {
        return Err(greeting.failure());
    }
    let challenge = known_challenge(&greeting)?;
    let login = Login::Basic(username, password);
    if challenge.scheme == "basic" {
        return registry.ask(&greeting.url, login).await;
    }
    let url = token_url(&challenge, &greeting.url, insecure, username)
        .map_err(|why| greeting.unexpected(format!("the registry cannot be logged in to: {why}")))?;
    let answer = registry.get(&url, Some(login)).await?;
    if matches!(answer.status, 401 | 403) {
        return Ok(Verdict::Rejected(answer.failure()));
    }
    let token = read_token(answer)?;
    registry.ask(&greeting.url, Login::Bearer(&token)).await
}

/// How long https has before http is tried besides.
const HEAD_START: Duration = Duration::from_millis(300);

struct Registry<'a> {
    http: &'a Client,
    insecure: bool,
}

impl Registry<'_> {
    /// The answer at `/v2/` without a login: over https, and over http where https is not there.
    async fn greet(&self, uri: &ServiceUri) -> Result<Response, HttpError> {
        let at = |http: bool| uri.url(http).join("v2/").expect("a path below the root");
        let (secure, plain) = (at(false), at(true));
        if !(self.insecure || is_loopback(&plain)) {
            return self.get(&secure, None).await;
        }
        let mut first = std::pin::pin!(self.get(&secure, None));
        let mut second = std::pin::pin!(self.get(&plain, None));
        // Where both are one port, a server without TLS may say nothing at all to its greeting: it is asked
        // besides after a moment, and what a registry says in the clear shows that there is no TLS. What a
        // TLS server says to that is an error, and its own slow answer is waited for.
        let mut pause = std::pin::pin!(tokio::time::sleep(HEAD_START));
        let (mut besides, mut in_the_clear) = (false, None);
        let answer = loop {
            tokio::select! {
                answer = &mut first => break answer,
                () = &mut pause, if uri.has_port() && !besides => besides = true,
                answer = &mut second, if besides && in_the_clear.is_none() => match answer {
                    Ok(answer) if is_registrys(&answer) => return Ok(answer),
                    answer => in_the_clear = Some(answer),
                },
            }
        };
        match answer {
            Err(error) if may_try_http(&error) => {
                let plain = match in_the_clear {
                    Some(answer) => answer,
                    None => second.await,
                };
                match plain {
                    Ok(answer) if answer.status == 400 => Err(error),
                    Err(other)
                        if other.kind == HttpErrorKind::Refused && error.kind == HttpErrorKind::Refused =>
                    {
                        Err(error)
                    }
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    /// The registry's word about a login that it asked for.
    async fn ask(&self, url: &Url, login: Login<'_>) -> Result<Verdict, HttpError> {
        let answer = no_page(self.get(url, Some(login)).await?)?;
        match answer.status {
            401 | 403 => Ok(Verdict::Rejected(answer.failure())),
            _ if is_success(&answer) => Ok(Verdict::Accepted),
            _ => Err(answer.failure()),
        }
    }

    async fn get(&self, url: &Url, login: Option<Login<'_>>) -> Result<Response, HttpError> {
        let limits = self.http.limits();
        // Only addresses over http that may get a login come here with one.
        let to = Address::new(url.clone(), self.insecure || url.scheme() == "http");
        let get = Get { to: &to, login, accept: None, timeout: limits.token, limit: limits.json_bytes };
        self.http.get(get).await?.at_home()
    }
}

/// A page for people says yes to everybody: it is no registry's word.
fn no_page(answer: Response) -> Result<Response, HttpError> {
    match is_success(&answer) && answer.content_type.starts_with("text/html") {
        true => Err(answer.unexpected("the answer is a web page and no registry's")),
        false => Ok(answer),
    }
}

/// What only a registry says at `/v2/` to somebody without a login.
fn is_registrys(answer: &Response) -> bool {
    let asks = answer.status == 401 && !answer.challenges.is_empty();
    asks || is_success(answer) && !answer.content_type.starts_with("text/html")
}

/// Nobody there, or somebody who does not talk TLS. A certificate that does not pass is no reason, and
/// neither is what went wrong once TLS was there.
fn may_try_http(error: &HttpError) -> bool {
    !error.connected
        && matches!(
            &error.kind,
            HttpErrorKind::Refused
                | HttpErrorKind::Network(_)
                | HttpErrorKind::ConnectTimeout(_)
                | HttpErrorKind::Tls(Tls::Other(_))
        )
}

fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status)
}

/// The first challenge of a form that we can answer.
fn known_challenge(response: &Response) -> Result<Challenge, HttpError> {
    let read: Vec<_> = response.challenges.iter().map(|header| challenge::parse(header)).collect();
    let all = read.iter().flatten().flatten();
    if let Some(known) = all.clone().find(|one| matches!(one.scheme.as_str(), "basic" | "bearer")) {
        return Ok(known.clone());
    }
    let schemes: Vec<&str> = all.map(|one| one.scheme.as_str()).collect();
    let why = match read.iter().find_map(|one| one.as_ref().err()) {
        Some(malformed) => format!("its WWW-Authenticate is malformed: {malformed}"),
        None if schemes.is_empty() => "it does not say how (there is no WWW-Authenticate)".to_string(),
        None => format!("it wants {}, and only Basic and Bearer are known here", cut(&schemes.join(", "))),
    };
    Err(response.unexpected(format!("the registry asks for a login, but {why}")))
}

/// The address of the token server that a `Bearer` challenge of `registry` names, with what it is to be asked.
///
/// # Errors
///
/// The challenge names none, or one that a password must not go to.
pub fn token_url(
    challenge: &Challenge,
    registry: &Url,
    insecure: bool,
    username: &str,
) -> Result<Url, String> {
    let realm = challenge.param("realm").ok_or("its challenge names no realm")?;
    let mut url =
        Url::parse(realm).ok().filter(Url::has_host).ok_or("the realm of its challenge is no address")?;
    let named = |why: &str| Err(format!("its realm {} {why}", crate::http::brief(&url)));
    let same_place =
        url.host() == registry.host() && url.port_or_known_default() == registry.port_or_known_default();
    let both_here = is_loopback(&url) && is_loopback(registry);
    match url.scheme() {
        _ if is_inner(&url) && !same_place && !(both_here && is_name(&url)) => {
            return named(
                "is an address of this machine or of a private network, and not the registry's own",
            );
        }
        "https" => {}
        "http" if insecure || both_here => {}
        "http" => return named("is not https: others could read the password on its way there"),
        _ => return named("is neither an http nor an https address"),
    }
    url.set_fragment(None);
    let asked = ["service", "scope"].iter().filter_map(|name| Some((*name, challenge.param(name)?)));
    url.query_pairs_mut().append_pair("account", username).extend_pairs(asked);
    Ok(url)
}

/// An IP address that means something else, or somebody else, on every machine and network; `localhost` too.
fn is_inner(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Host::Ipv6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
            None => {
                ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local() || ip.is_unspecified()
            }
        },
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

fn is_name(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(_)))
}

/// The token of a token server's answer. No error holds anything of it.
fn read_token(answer: Response) -> Result<Secret, HttpError> {
    let mut answer = if is_success(&answer) { answer } else { return Err(answer.failure()) };
    let token = parse_token(&answer.body);
    answer.body.zeroize();
    token.ok_or_else(|| answer.unexpected("the token server's answer holds no token"))
}

/// Reads `{"access_token":…}` or `{"token":…}`, in this order where both are there and not empty.
pub fn parse_token(body: &[u8]) -> Option<Secret> {
    #[derive(Deserialize)]
    struct Wire {
        access_token: Option<String>,
        token: Option<String>,
    }
    let wire: Wire = serde_json::from_slice(body).ok()?;
    [wire.access_token, wire.token].into_iter().flatten().find_map(Secret::non_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(realm: &str, registry: &str, insecure: bool) -> Result<String, String> {
        let header = format!("Bearer realm=\"{realm}\",service=\"s&t\"");
        let challenge = challenge::parse(&header).unwrap().remove(0);
        token_url(&challenge, &Url::parse(registry).unwrap(), insecure, "ada").map(String::from)
    }

    #[test]
    fn where_a_password_may_go() {
        for (realm, registry, insecure, good) in [
            ("https://auth.example.com/token", "https://r.example.com/v2/", false, true),
            ("https://auth.example.com:8443/token", "https://r.example.com/v2/", false, true),
            ("http://r.example.com/token", "https://r.example.com/v2/", false, false),
            ("http://auth.example.com/token", "http://r.example.com/v2/", true, true),
            ("http://auth.example.com/token", "http://localhost:5000/v2/", false, false),
            ("https://10.0.0.1/token", "https://r.example.com/v2/", false, false),
            ("https://127.0.0.1/token", "https://r.example.com/v2/", true, false),
            ("https://169.254.169.254/token", "https://r.example.com/v2/", false, false),
            ("http://169.254.169.254/token", "http://r.example.com/v2/", true, false),
            ("https://[::ffff:169.254.169.254]/token", "https://r.example.com/v2/", false, false),
            ("https://172.16.0.1/token", "https://r.example.com/v2/", false, false),
            ("https://0.0.0.0/token", "https://r.example.com/v2/", false, false),
            ("https://[::]/token", "https://r.example.com/v2/", false, false),
            ("https://[::ffff:0.0.0.0]/token", "https://r.example.com/v2/", false, false),
            ("https://[::ffff:127.0.0.1]/token", "https://r.example.com/v2/", false, false),
            ("https://[fe80::1]/token", "https://r.example.com/v2/", false, false),
            ("https://[fd00::1]/token", "https://r.example.com/v2/", false, false),
            ("https://[2001:db8::1]/token", "https://r.example.com/v2/", false, true),
            ("https://8.8.8.8/token", "https://r.example.com/v2/", false, true),
            ("http://evil-localhost/token", "http://127.0.0.1:5000/v2/", false, false),
            ("https://[::1]/token", "https://r.example.com/v2/", false, false),
            ("https://[::ffff:192.168.1.1]/token", "https://r.example.com/v2/", false, false),
            ("https://localhost/token", "https://r.example.com/v2/", false, false),
            ("https://localhost./token", "https://r.example.com/v2/", true, false),
            ("https://x.LOCALHOST/token", "https://r.example.com/v2/", false, false),
            ("https://10.0.0.1/token", "https://10.0.0.1/v2/", false, true),
            ("https://10.0.0.1:444/token", "https://10.0.0.1/v2/", false, false),
            ("http://127.0.0.1:5000/token", "http://127.0.0.1:5000/v2/", false, true),
            ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000/v2/", false, false),
            ("http://localhost:5001/token", "http://127.0.0.1:5000/v2/", false, true),
            ("ftp://auth.example.com/token", "https://r.example.com/v2/", true, false),
            ("/token", "https://r.example.com/v2/", false, false),
            ("", "https://r.example.com/v2/", false, false),
        ] {
            let answer = asked(realm, registry, insecure);
            assert_eq!(answer.is_ok(), good, "{realm} {registry} {insecure} {answer:?}");
        }
        assert_eq!(
            asked("https://a.example/t?x=1#f", "https://r.example/v2/", false).unwrap(),
            "https://a.example/t?x=1&account=ada&service=s%26t"
        );
    }

    #[test]
    fn the_reason_shows_no_password() {
        let why = asked("http://u:canary@a.example/t?canary", "https://r.example/v2/", false).unwrap_err();
        assert!(why.contains("http://a.example/t ") && !why.contains("canary"), "{why}");
    }
}
