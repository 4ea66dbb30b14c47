//! A login as it goes over the network.

use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What is sent as `Authorization`.
#[derive(Clone, Copy, Debug)]
pub enum Login<'a> {
    /// `Bearer TOKEN`.
    Bearer(&'a Secret),
    /// `Basic`, with the user's name, which holds no colon, and the password.
    Basic(&'a str, &'a Secret),
}

impl Login<'_> {
    /// What a person keeps secret of it.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Bearer(secret) | Self::Basic(_, secret) => secret,
        }
    }

    /// Every form in which a server could repeat it.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Bearer(token) => vec![Secret::clone(token)],
            Self::Basic(username, password) => vec![basic(username, password), Secret::clone(password)],
        }
    }

    /// The value of the header: `Basic …` or `Bearer …`, as `remote.yaml` keeps it for keyservers.
    pub fn header(&self) -> Secret {
        match self {
            Self::Bearer(token) => Secret::new(format!("Bearer {}", token.expose())),
            Self::Basic(username, password) => {
                Secret::new(format!("Basic {}", basic(username, password).expose()))
            }
        }
    }
}

/// `USERNAME:PASSWORD` in base64: the text of the header and of `auth` in the auth file.
pub fn basic(username: &str, password: &Secret) -> Secret {
    let plain = Zeroizing::new(format!("{username}:{}", password.expose()));
    Secret::new(STANDARD.encode(plain.as_bytes()))
}
