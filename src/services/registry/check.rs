//! Checks whether an OCI registry accepts a login. Follows the registry's own challenge; the login counts as accepted
//! only if the registry itself accepts it.

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

/// The result of checking a login with a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The registry requires no login, so the login was not sent and could not be checked.
    Open,
    /// By the registry or by its token server.
    Rejected(HttpError),
}

/// Checks a login with the registry. The first request, without the login, gets the challenge. Then one request sends
/// the password (Basic), or two requests get a token from the token server and use it (Bearer).
///
/// # Errors
/// The registry neither accepts nor rejects the login, its challenge is not supported, or its challenge would send the
/// password to a server that must not get it.
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
        .map_err(|why| greeting.unexpected(format!("cannot log in to the registry: {why}")))?;
    let answer = registry.get(&url, Some(login)).await?;
    if matches!(answer.status, 401 | 403) {
        return Ok(Verdict::Rejected(answer.failure()));
    }
    let token = read_token(answer)?;
    registry.ask(&greeting.url, Login::Bearer(&token)).await
}

/// How long to wait for https before also trying http.
const HEAD_START: Duration = Duration::from_millis(300);

struct Registry<'a> {
    http: &'a Client,
    insecure: bool,
}

impl Registry<'_> {
    /// The response from `/v2/` without a login: over https, or over http if https is not available and http is
    /// allowed.
    async fn greet(&self, uri: &ServiceUri) -> Result<Response, HttpError> {
        let at = |http: bool| uri.url(http).join("v2/").expect("a path below the root");
        let (secure, plain) = (at(false), at(true));
        if !(self.insecure || is_loopback(&plain)) {
            return self.get(&secure, None).await;
        }
        let mut first = std::pin::pin!(self.get(&secure, None));
        let mut second = std::pin::pin!(self.get(&plain, None));
        // With an explicit port, https and http use the same port. A plain http server may hang on a TLS ClientHello,
        // so after HEAD_START we also try http. A response from a registry proves that the port speaks plain http.
        // Any other response may be the error of a TLS server, so we keep waiting for the https request.
        let mut pause = std::pin::pin!(tokio::time::sleep(HEAD_START));
        let (mut trying_http, mut http_answer) = (false, None);
        let answer = loop {
            tokio::select! {
                answer = &mut first => break answer,
                () = &mut pause, if uri.has_port() && !trying_http => trying_http = true,
                answer = &mut second, if trying_http && http_answer.is_none() => match answer {
                    Ok(answer) if is_registrys(&answer) => return Ok(answer),
                    answer => http_answer = Some(answer),
                },
            }
        };
        match answer {
            Err(error) if may_try_http(&error) => {
                let plain = match http_answer {
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

    /// Sends a login that the registry asked for.
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
        // If `url` is http and there is a login, the caller has checked that it may be sent.
        let to = Address::new(url.clone(), self.insecure || url.scheme() == "http");
        let get = Get { to: &to, login, accept: None, timeout: limits.token, limit: limits.json_bytes };
        self.http.get(get).await?.at_home()
    }
}

/// Rejects a successful HTML page: it returns 200 for any login, so it does not come from a registry.
fn no_page(answer: Response) -> Result<Response, HttpError> {
    match is_success(&answer) && answer.content_type.starts_with("text/html") {
        true => Err(answer.unexpected("the response is a web page, not a registry's")),
        false => Ok(answer),
    }
}

/// Whether the response from `/v2/` without a login can only come from a registry.
fn is_registrys(answer: &Response) -> bool {
    let asks = answer.status == 401 && !answer.challenges.is_empty();
    asks || is_success(answer) && !answer.content_type.starts_with("text/html")
}

/// Whether https is not available: nothing listens there, or the server does not speak TLS. A rejected certificate or
/// an error after the TLS handshake is not a reason to try http.
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

/// The first challenge with a supported scheme.
fn known_challenge(response: &Response) -> Result<Challenge, HttpError> {
    let read: Vec<_> = response.challenges.iter().map(|header| challenge::parse(header)).collect();
    let all = read.iter().flatten().flatten();
    if let Some(known) = all.clone().find(|one| matches!(one.scheme.as_str(), "basic" | "bearer")) {
        return Ok(known.clone());
    }
    let schemes: Vec<&str> = all.map(|one| one.scheme.as_str()).collect();
    let why = match read.iter().find_map(|one| one.as_ref().err()) {
        Some(malformed) => format!("its WWW-Authenticate header is malformed: {malformed}"),
        None if schemes.is_empty() => "it does not say how (no WWW-Authenticate header)".to_string(),
        None => format!("it requires {}, and only Basic and Bearer are supported", cut(&schemes.join(", "))),
    };
    Err(response.unexpected(format!("the registry asks for a login, but {why}")))
}

/// The URL of the token request for a `Bearer` challenge of `registry`, including the query.
///
/// # Errors
///
/// The challenge has no valid realm, or its realm must not get a password.
pub fn token_url(
    challenge: &Challenge,
    registry: &Url,
    insecure: bool,
    username: &str,
) -> Result<Url, String> {
    let realm = challenge.param("realm").ok_or("its challenge has no realm")?;
    let mut url = Url::parse(realm)
        .ok()
        .filter(Url::has_host)
        .ok_or("the realm in its challenge is not a valid address")?;
    let named = |why: &str| Err(format!("its realm {} {why}", crate::http::brief(&url)));
    let same_place =
        url.host() == registry.host() && url.port_or_known_default() == registry.port_or_known_default();
    let both_here = is_loopback(&url) && is_loopback(registry);
    match url.scheme() {
        _ if is_inner(&url) && !same_place && !(both_here && is_name(&url)) => {
            return named(
                "is on this machine or in a private network, and is not the registry's own address",
            );
        }
        "https" => {}
        "http" if insecure || both_here => {}
        "http" => return named("is not https: others could read the password"),
        _ => return named("is neither an http nor an https URL"),
    }
    url.set_fragment(None);
    let asked = ["service", "scope"].iter().filter_map(|name| Some((*name, challenge.param(name)?)));
    url.query_pairs_mut().append_pair("account", username).extend_pairs(asked);
    Ok(url)
}

/// Whether the host is a loopback, private, link-local or unspecified IP address, or `localhost`. Such an address means
/// a different server on every machine or network.
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

/// The token in a token server's response. No error quotes the response.
fn read_token(answer: Response) -> Result<Secret, HttpError> {
    let mut answer = if is_success(&answer) { answer } else { return Err(answer.failure()) };
    let token = parse_token(&answer.body);
    answer.body.zeroize();
    token.ok_or_else(|| answer.unexpected("the token server's response contains no token"))
}

/// Parses `{"access_token":…}` or `{"token":…}`. Prefers `access_token` if both are set. Ignores empty tokens.
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
    fn passwords_are_sent_only_to_safe_token_servers() {
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
    fn errors_contain_no_password() {
        let why = asked("http://u:canary@a.example/t?canary", "https://r.example/v2/", false).unwrap_err();
        assert!(why.contains("http://a.example/t ") && !why.contains("canary"), "{why}");
    }
}
