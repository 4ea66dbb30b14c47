//! The HTTP client. It limits the time and size of every request and is careful with redirects and tokens.

use super::address::{Address, brief, shown, without_userinfo};
use super::error::{HttpError, HttpErrorKind};
use super::limits::Limits;
use super::login::Login;
use super::proxy::{self, Proxies};
use super::resolver::Resolver;
use super::response::{Response, parse_retry_after};
use super::settings::Settings;
use super::{message, tls};
use crate::secret::Secret;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::redirect::Policy;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::Url;

/// A GET request.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    pub to: &'a Address,
    /// Sent only to the origin of `to`. If the secret is empty, no header is sent.
    pub login: Option<Login<'a>>,
    /// The `Accept` header, if any.
    pub accept: Option<&'static str>,
    /// For everything from the name lookup to the last byte, including redirects.
    pub timeout: Duration,
    /// The longest body of a successful response, in bytes.
    pub limit: usize,
}

/// A GET request that is sent again after each redirect.
pub(super) struct Asked<'a> {
    pub to: &'a Address,
    pub login: Option<Login<'a>>,
    /// One more header, in addition to the login.
    pub header: Option<(HeaderName, String)>,
    /// Also follow a redirect from https to http. This is safe if the caller checks the body against a hash that it
    /// received over https.
    pub downgrade: bool,
}

/// The head of the final response.
pub(super) struct Arrived {
    pub response: reqwest::Response,
    pub url: Url,
    pub left_origin: bool,
}

/// The longest `ETag` that is accepted, in bytes. An upload keeps one for each of its parts.
const LONGEST_ETAG: usize = 1024;

/// The HTTP client. Cheap to create and to clone. Certificates are read at the first https request.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    settings: Settings,
    limits: Limits,
    proxies: OnceLock<Result<Proxies, String>>,
    clients: [OnceLock<Result<reqwest::Client, String>>; 3],
}

/// Which certificates a client accepts. The value is an index into [`Inner::clients`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Nobody,
    Verified,
    Anybody,
}

impl Http {
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Self(Arc::new(Inner { settings, limits, proxies: OnceLock::new(), clients: Default::default() }))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Sends the request and follows up to ten redirects, but none from https to http. The token is sent only while
    /// all requests have the origin (scheme, host, port) of the first one. Once a redirect has left that origin, the
    /// token is not sent again.
    ///
    /// # Errors
    ///
    /// No complete response within the limits. An error status is not an error here: see [`Response::ok`].
    pub async fn get(&self, get: Get<'_>) -> Result<Response, HttpError> {
        let header = get.accept.map(|accept| (ACCEPT, accept.to_string()));
        let asked = Asked { to: get.to, login: get.login, header, downgrade: false };
        let whole = async {
            let Arrived { response, url, left_origin } = self.follow(&asked).await?;
            self.receive(response, url, left_origin, get.login, get.limit).await
        };
        match tokio::time::timeout(get.timeout, whole).await {
            Ok(result) => result,
            Err(_) => {
                let proxy = self.proxies(&get.to.url)?.for_url(&get.to.url);
                Err(HttpError::new(&get.to.url, HttpErrorKind::Timeout(get.timeout)).through(proxy))
            }
        }
    }

    /// Follows redirects and returns the head of the final response.
    pub(super) async fn follow(&self, asked: &Asked<'_>) -> Result<Arrived, HttpError> {
        const MOST: usize = 10;
        let mut url = without_userinfo(&asked.to.url);
        let mut seen = Vec::with_capacity(1);
        let mut left_origin = false;
        loop {
            let login = asked.login.filter(|_| !left_origin);
            let mut request = self.request(Method::GET, &url, login, asked.to.allows_insecure())?;
            if let Some((name, value)) = &asked.header {
                request = request.header(name, value);
            }
            let response = self.send(&Method::GET, &url, login, request).await?;
            let Some(next) = redirect_target(&response)? else {
                return Ok(Arrived { response, url, left_origin });
            };
            let wrong = |text: &str| {
                Err(HttpError::new(&url, HttpErrorKind::Redirect(format!("{text} {}", brief(&next)))))
            };
            if asked.login.is_some_and(|login| login.secrets().iter().any(|secret| holds(&next, secret))) {
                // Do not include the URL, because it contains the token.
                let text = "the server redirects to a URL that contains the token";
                return Err(HttpError::new(&url, HttpErrorKind::Redirect(text.to_string())));
            }
            if !matches!(next.scheme(), "http" | "https") {
                return wrong("the server redirects to an unsupported address:");
            }
            if url.scheme() == "https" && next.scheme() != "https" && !asked.downgrade {
                return Err(HttpError::new(&url, HttpErrorKind::Downgrade(shown(&next))));
            }
            seen.push(url.clone());
            if seen.contains(&next) {
                return wrong("the server redirects in a loop, back to");
            }
            if seen.len() > MOST {
                return wrong("the server redirects more than 10 times, now to");
            }
            left_origin |= next.origin() != asked.to.url.origin();
            url = next;
        }
    }

    /// A request to `url`, with the `login` if there is one with a secret.
    pub(super) fn request(
        &self,
        method: Method,
        url: &Url,
        login: Option<Login<'_>>,
        insecure: bool,
    ) -> Result<reqwest::RequestBuilder, HttpError> {
        let setup = |text: &str| HttpError::new(url, HttpErrorKind::Setup(text.to_string()));
        let proxy = self.proxies(url)?.for_url(url);
        let request = self.client(url, proxy, insecure)?.request(method, url.clone());
        let Some(login) = login.filter(|login| !login.secret().is_empty()) else { return Ok(request) };
        if url.scheme() == "http" && !insecure {
            return Err(setup("refusing to send the token over plain http"));
        }
        let mut value = HeaderValue::try_from(login.header().expose())
            .map_err(|_| setup("the token contains characters that cannot be sent"))?;
        value.set_sensitive(true);
        Ok(request.header(AUTHORIZATION, value))
    }

    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        &self,
        method: &Method,
        url: &Url,
        login: Option<Login<'_>>,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, HttpError> {
        let proxy = self.proxies(url)?.for_url(url).map(proxy::shown);
        let exchange = self.0.settings.trace.begin(method, url, login, proxy);
        let response = request.send().await;
        if let Some(exchange) = exchange {
            exchange.end(&response);
        }
        response.map_err(|error| self.failed(url, &error))
    }

    /// Reads the body of a response. `limit` is the maximum for a successful one, in bytes.
    pub(super) async fn receive(
        &self,
        mut response: reqwest::Response,
        url: Url,
        left_origin: bool,
        login: Option<Login<'_>>,
        limit: usize,
    ) -> Result<Response, HttpError> {
        let status = response.status();
        let limit = if status.is_success() { limit } else { self.limits().failure };
        let content_type = header(&response, CONTENT_TYPE).unwrap_or_default();
        let etag = header(&response, ETAG);
        if etag.as_ref().is_some_and(|etag| etag.len() > LONGEST_ETAG) {
            let text = format!("the response's ETag is longer than {LONGEST_ETAG} bytes");
            return Err(HttpError::new(&url, HttpErrorKind::Unexpected(text)));
        }
        let date = header(&response, DATE).unwrap_or_default();
        let retry_after = header(&response, RETRY_AFTER).and_then(|text| parse_retry_after(&text, &date));
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = challenges.map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect();
        let mut body = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) if status.is_success() => return Err(self.failed(&url, &error)),
                // A server that refuses a request may close the connection before it has read it all. The status
                // is still valid.
                Err(_) => break,
            };
            let room = limit - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                if status.is_success() {
                    return Err(HttpError::new(&url, HttpErrorKind::TooLarge(limit)));
                }
                break;
            }
        }
        let secrets = || login.as_ref().map(Login::secrets).unwrap_or_default();
        let message = if status.is_success() { None } else { message::from_body(&body, &secrets()) };
        let status = status.as_u16();
        Ok(Response { url, status, left_origin, challenges, content_type, etag, retry_after, body, message })
    }

    pub(super) fn failed(&self, url: &Url, error: &reqwest::Error) -> HttpError {
        let proxy = self.proxies(url).ok().and_then(|proxies| proxies.for_url(url));
        HttpError::from_reqwest(url, error, self.limits().connect).through(proxy)
    }

    fn proxies(&self, url: &Url) -> Result<&Proxies, HttpError> {
        let proxies = self.0.proxies.get_or_init(|| Proxies::new(&self.0.settings));
        proxies.as_ref().map_err(|text| HttpError::new(url, HttpErrorKind::Setup(text.clone())))
    }

    fn client(&self, url: &Url, proxy: Option<&Url>, insecure: bool) -> Result<&reqwest::Client, HttpError> {
        let tls = [Some(url), proxy].into_iter().flatten().any(|url| url.scheme() == "https");
        let trust = match (tls, insecure) {
            (false, _) => Trust::Nobody,
            (true, false) => Trust::Verified,
            (true, true) => Trust::Anybody,
        };
        let proxies = self.proxies(url)?;
        let client = self.0.clients[trust as usize].get_or_init(|| self.build(trust, proxies.clone()));
        client.as_ref().map_err(|text| HttpError::new(url, HttpErrorKind::Setup(text.clone())))
    }

    fn build(&self, trust: Trust, proxies: Proxies) -> Result<reqwest::Client, String> {
        let config = match trust {
            Trust::Nobody => tls::none(),
            Trust::Verified => tls::verified(&self.0.settings)?,
            Trust::Anybody => tls::unverified(),
        };
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .user_agent(user_agent())
            .redirect(Policy::none())
            .referer(false)
            .dns_resolver(Resolver)
            .connect_timeout(self.limits().connect)
            .proxy(reqwest::Proxy::custom(move |url| proxies.for_url(url).cloned()))
            .build()
            .map_err(|error| format!("cannot set up the HTTP client: {}", error.without_url()))
    }
}

/// `Apptainer-Remote/<version> (Linux <arch>)`.
fn user_agent() -> String {
    format!("Apptainer-Remote/{} (Linux {})", env!("CARGO_PKG_VERSION"), crate::arch::go_arch())
}

/// Whether `url` contains the token. Ignores case, because the host of a URL is converted to lower case.
fn holds(url: &Url, token: &Secret) -> bool {
    let token = zeroize::Zeroizing::new(token.expose().to_ascii_lowercase());
    token.len() >= 4 && url.as_str().to_ascii_lowercase().contains(&*token)
}

/// The target of a redirect. `None` if the response is not a redirect or has no `Location`.
fn redirect_target(response: &reqwest::Response) -> Result<Option<Url>, HttpError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let target = location.to_str().ok().and_then(|location| response.url().join(location).ok());
    match target {
        Some(target) => Ok(Some(without_userinfo(&target))),
        None => {
            let text = "the server redirects to an invalid address".to_string();
            Err(HttpError::new(response.url(), HttpErrorKind::Redirect(text)))
        }
    }
}

pub(super) fn header(response: &reqwest::Response, name: HeaderName) -> Option<String> {
    response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
