//! A token server for docker-registry: users with passwords, and tokens signed with RS256 that the registry
//! itself verifies.

use super::daemon::{installed, run};
use crate::peers::endpoint::{Behaviour, Endpoint, Request};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The path of the token service.
pub const PATH: &str = "/token";

/// The server; it stops when dropped.
pub struct TokenServer {
    endpoint: Endpoint,
    dir: TempDir,
}

impl TokenServer {
    /// A server for one user.
    pub fn start(username: &str, password: &str) -> Option<Self> {
        if !installed(&["openssl"]) {
            return None;
        }
        let dir = tempfile::Builder::new().prefix("token-test-").tempdir().unwrap();
        let signer = Signer::new(&dir);
        let login = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        let subject = username.to_string();
        let endpoint = Endpoint::answering(move |request| {
            if request.header("authorization") != Some(&login) {
                return (401, r#"{"details":"incorrect username or password"}"#.to_string());
            }
            let token = signer.token(&subject);
            (200, format!(r#"{{"token":"{token}","access_token":"{token}","expires_in":300}}"#))
        });
        Some(Self { endpoint, dir })
    }

    /// The address, which a registry gives as its realm.
    pub fn realm(&self) -> String {
        format!("http://localhost:{}{PATH}", self.endpoint.address().port())
    }

    /// The certificate that verifies the tokens.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("crt")
    }

    /// Makes the server misbehave.
    pub fn set(&self, behaviour: Behaviour) {
        self.endpoint.set(PATH, behaviour);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.endpoint.requests()
    }

    /// A token as this server issues it, for a registry that trusts another server.
    pub fn token(&self, subject: &str) -> String {
        Signer::of(&self.dir).token(subject)
    }
}

struct Signer {
    key: RsaKeyPair,
    certificate: String,
}

impl Signer {
    /// Creates an RSA key and a certificate in `dir`, with openssl.
    fn new(dir: &TempDir) -> Self {
        let mut command = Command::new("/usr/bin/openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=token"]);
        run(command.arg("-keyout").arg(dir.path().join("key")).arg("-out").arg(dir.path().join("crt")));
        Self::of(dir)
    }

    fn of(dir: &TempDir) -> Self {
        let key = PrivatePkcs8KeyDer::from_pem_file(dir.path().join("key")).unwrap();
        let certificate = CertificateDer::from_pem_file(dir.path().join("crt")).unwrap();
        Self {
            key: RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap(),
            certificate: STANDARD.encode(&certificate),
        }
    }

    fn token(&self, subject: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{}"]}}"#, self.certificate);
        let claims = format!(
            r#"{{"iss":"lab-issuer","sub":"{subject}","aud":"lab-service","exp":{},"nbf":{},"iat":{now},"jti":"1","access":[]}}"#,
            now + 300,
            now - 10
        );
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
