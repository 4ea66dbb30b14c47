//! The user of a token, and whether and how long the token is valid.

use super::discovery::service_url;
use crate::http::{Address, Get, HttpError, Login, Response, bounded};
use crate::secret::Secret;
use crate::services::Client;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroize;

/// The result of checking a token with the token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenVerdict {
    Valid,
    /// The service returned 401, 403, 404 or 406.
    Invalid(HttpError),
}

/// Checks a token with the token service at `uri`.
///
/// # Errors
///
/// The result is neither valid nor invalid: no response, another status, or a redirect to another server.
pub async fn token_status(
    http: &Client,
    uri: &str,
    endpoint: &Address,
    token: &Secret,
) -> Result<TokenVerdict, HttpError> {
    let limits = http.limits();
    let to = endpoint.at(service_url(uri, "v1/token-status")?);
    let get = Get {
        to: &to,
        login: Some(Login::Bearer(token)),
        accept: Some("application/json"),
        timeout: limits.token,
        limit: limits.json_bytes,
    };
    let response = http.get(get).await.map_err(|error| error.named_by("endpoint"))?.at_home()?;
    match response.status {
        200 => Ok(TokenVerdict::Valid),
        401 | 403 | 404 | 406 => Ok(TokenVerdict::Invalid(response.refusal())),
        _ => Err(response.failure()),
    }
}

/// The user of a token, as the library describes it. All strings are the library's own; missing ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub username: String,
    pub email: String,
    pub realname: String,
    /// The password for the library's OCI registry.
    pub oci_secret: Option<Secret>,
}

/// The wire format: JSON without an envelope.
#[derive(Deserialize)]
struct Wire {
    #[serde(default, deserialize_with = "bounded::shown")]
    username: Option<String>,
    #[serde(default, deserialize_with = "bounded::shown")]
    email: Option<String>,
    #[serde(default, deserialize_with = "bounded::shown")]
    realname: Option<String>,
    oidc_user_meta: Option<WireMeta>,
}

#[derive(Deserialize)]
struct WireMeta {
    #[serde(default, deserialize_with = "bounded::exact_option")]
    secret: Option<String>,
}

/// Asks the library at `uri` for the user of the token.
///
/// # Errors
///
/// No response, a status other than 200, a redirect to another server, or a response that does not describe a user. No
/// error quotes the response.
pub async fn identity(
    http: &Client,
    uri: &str,
    endpoint: &Address,
    token: Option<&Secret>,
) -> Result<Account, HttpError> {
    let limits = http.limits();
    let to = endpoint.at(service_url(uri, "v1/rbac/users/current")?);
    let get = Get {
        to: &to,
        login: token.map(Login::Bearer),
        accept: Some("application/json"),
        timeout: limits.identity,
        limit: limits.json_bytes,
    };
    let response = http.get(get).await.map_err(|error| error.named_by("endpoint"))?.at_home()?.ok()?;
    read_account(response)
}

fn read_account(mut response: Response) -> Result<Account, HttpError> {
    let account = Account::parse(&response.body);
    // The body contains the secret too.
    response.body.zeroize();
    account.ok_or_else(|| response.unexpected("the response does not describe a user"))
}

impl Account {
    /// Parses the description of a user. Drops the JSON library's error message, because it quotes the input, which may
    /// contain the secret.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        Some(Self {
            username: wire.username.unwrap_or_default(),
            email: wire.email.unwrap_or_default(),
            realname: wire.realname.unwrap_or_default(),
            oci_secret: wire.oidc_user_meta.and_then(|meta| meta.secret).and_then(Secret::non_empty),
        })
    }
}

/// When a token expires, in seconds since 1970, if it is a JWT with an expiry date. The token is not verified: this is
/// only for display.
pub fn jwt_expiry(token: &Secret) -> Option<u64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: serde_json::Number,
    }
    /// The first second of the year 10000. Later dates cannot be displayed.
    const END: u64 = 253_402_300_800;

    let mut parts = token.expose().split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let engine = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let claims: Claims = serde_json::from_slice(&engine.decode(payload).ok()?).ok()?;
    let seconds = claims.exp.as_u64().or_else(|| {
        let seconds = claims.exp.as_f64()?;
        // Treat a date before 1970 as 1970: it has expired either way.
        (seconds < END as f64).then_some(seconds.max(0.0) as u64)
    })?;
    (seconds < END).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(payload: &str) -> Secret {
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload);
        Secret::new(format!("eyJhbGciOiJub25lIn0.{payload}.c2ln"))
    }

    #[test]
    fn the_expiry_of_a_jwt_is_read() {
        let table = [
            (r#"{"exp":1700000000,"sub":"x"}"#, Some(1_700_000_000)),
            (r#"{"exp":1700000000.9}"#, Some(1_700_000_000)),
            (r#"{"exp":1.7e9}"#, Some(1_700_000_000)),
            (r#"{"exp":0}"#, Some(0)),
            (r#"{"exp":-5}"#, Some(0)),
            (r#"{"exp":1e300}"#, None),
            (r#"{"exp":18446744073709551615}"#, None),
            (r#"{"exp":"1700000000"}"#, None),
            (r#"{"exp":null}"#, None),
            (r#"{"sub":"x"}"#, None),
            ("[]", None),
            ("", None),
        ];
        for (payload, expected) in table {
            assert_eq!(jwt_expiry(&jwt(payload)), expected, "{payload}");
        }
        for token in ["", "opaque", "a.b", "a.b.c", "a..c", "....", "a.e30.c.d"] {
            assert_eq!(jwt_expiry(&Secret::new(token.into())), None, "{token}");
        }
        let padded = Secret::new("h.eyJleHAiOjE3MDAwMDAwMDB9Cg==.s".into());
        assert_eq!(jwt_expiry(&padded), Some(1_700_000_000));
    }

    #[test]
    fn a_user_is_parsed() {
        let body = br#"{"username":"ada","email":"a@x","realname":"Ada","id":7,"oidc_user_meta":{"secret":"canary"}}"#;
        let account = Account::parse(body).unwrap();
        assert_eq!((account.username.as_str(), account.email.as_str()), ("ada", "a@x"));
        assert_eq!(account.oci_secret.as_ref().unwrap().expose(), "canary");
        assert!(!format!("{account:?}").contains("canary"));
        assert_eq!(Account::parse(b"{}"), Some(Account::default()));
        assert_eq!(
            Account::parse(br#"{"username":null,"oidc_user_meta":{"secret":""}}"#),
            Some(Account::default())
        );
        for bad in [&b"[]"[..], b"", b"<html>", br#"{"username":7}"#, br#"{"oidc_user_meta":"canary"}"#] {
            assert_eq!(Account::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn no_token_panics(token in "\\PC{0,60}", payload in "\\PC{0,60}", exp: f64) {
            jwt_expiry(&Secret::new(token));
            jwt_expiry(&jwt(&payload));
            jwt_expiry(&jwt(&format!("{{\"exp\":{exp}}}")));
        }

        #[test]
        fn no_user_panics(body: Vec<u8>, name in "\\PC{0,20}") {
            Account::parse(&body);
            Account::parse(format!("{{\"username\":{name:?}}}").as_bytes());
        }
    }
}
