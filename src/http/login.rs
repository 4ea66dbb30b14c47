//! A login in the form in which it is sent.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The credentials of an `Authorization` header.
#[derive(Clone, Copy, Debug)]
pub enum Login<'a> {
    /// `Bearer TOKEN`.
    Bearer(&'a Secret),
    /// `Basic`, with the username, which must not contain a colon, and the password.
    Basic(&'a str, &'a Secret),
}

impl Login<'_> {
    /// The token or password.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Bearer(secret) | Self::Basic(_, secret) => secret,
        }
    }

    /// Every form of the secret that a server could repeat in a message.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Bearer(token) => vec![Secret::clone(token)],
            Self::Basic(username, password) => vec![basic(username, password), Secret::clone(password)],
        }
    }

    /// The value of the header: `Basic …` or `Bearer …`. `remote.yaml` stores it in this form for keyservers.
    pub fn header(&self) -> Secret {
        match self {
            Self::Bearer(token) => Secret::new(format!("Bearer {}", token.expose())),
            Self::Basic(username, password) => {
                Secret::new(format!("Basic {}", basic(username, password).expose()))
            }
        }
    }
}

/// `USERNAME:PASSWORD` in base64, as in the header and in `auth` in the auth file.
pub fn basic(username: &str, password: &Secret) -> Secret {
    let plain = Zeroizing::new(format!("{username}:{}", password.expose()));
    Secret::new(STANDARD.encode(plain.as_bytes()))
}
