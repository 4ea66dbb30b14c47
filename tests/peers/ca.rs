//! A private certificate authority, and valid and invalid server certificates.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// The names of this machine in a certificate, and one that only a proxy can reach.
const NAMES: [&str; 4] = ["127.0.0.1", "::1", "localhost", "endpoint.test"];

/// A private certificate authority.
pub struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    /// Creates a new authority, which nobody trusts yet.
    pub fn generate() -> Self {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, "Private test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).unwrap())
    }

    /// The certificate of the authority, for `--ca-file`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes the certificate of the authority to a file.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.pem()).unwrap();
    }

    /// A valid certificate for `127.0.0.1`, `::1`, `localhost` and `endpoint.test`.
    pub fn identity(&self) -> Identity {
        self.sign(params(&NAMES))
    }

    /// A certificate for another name.
    pub fn identity_for(&self, name: &str) -> Identity {
        self.sign(params(&[name]))
    }

    /// An expired certificate.
    pub fn expired(&self) -> Identity {
        let mut params = params(&NAMES);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(params)
    }

    /// A certificate that is not valid yet.
    pub fn not_yet_valid(&self) -> Identity {
        let mut params = params(&NAMES);
        params.not_before = date_time_ymd(3001, 1, 1);
        params.not_after = date_time_ymd(3002, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { pem: certificate.pem(), certificate: certificate.into(), key, clients: None }
    }
}

/// A server certificate with its key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
    /// The authority whose certificates the clients must present.
    clients: Option<CertificateDer<'static>>,
}

impl Identity {
    /// A self-signed certificate; `authority`: marked as an authority, as `openssl req -x509` does.
    pub fn self_signed(authority: bool) -> Self {
        let (mut params, key) = (params(&NAMES), key());
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        Self::signed_by_itself(&params, key)
    }

    /// An expired self-signed certificate that is marked as an authority.
    pub fn expired_authority() -> Self {
        let (mut params, key) = (params(&NAMES), key());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        Self::signed_by_itself(&params, key)
    }

    fn signed_by_itself(params: &CertificateParams, key: KeyPair) -> Self {
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), certificate: certificate.into(), key, clients: None }
    }

    /// Accepts only clients with a certificate of this authority.
    pub fn for_clients_of(self, ca: &Ca) -> Self {
        Self { clients: Some(ca.0.der().clone()), ..self }
    }

    /// The certificate, for `--ca-file`.
    pub fn write(&self, path: &Path) {
        std::fs::write(path, &self.pem).unwrap();
    }

    /// Certificate and key, for a server in another program.
    pub fn write_with_key(&self, certificate: &Path, key: &Path) {
        self.write(certificate);
        std::fs::write(key, self.key.serialize_pem()).unwrap();
    }

    /// The TLS settings of a server with this identity.
    pub(super) fn server_config(self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match self.clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = config.with_single_cert(vec![self.certificate], key).unwrap();
        Arc::new(config)
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}
