//! Whose certificates are believed: the system's, those that the surroundings name, and no less than
//! TLS 1.2.

use super::certificates;
use super::settings::Settings;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// A configuration that verifies the server. Reads the certificates: some milliseconds.
///
/// # Errors
///
/// One line when a file that `settings` name cannot be read or holds no certificate, or when no directory
/// of theirs can be read. What is broken in the system's own store is passed over.
pub(super) fn verified(settings: &Settings) -> Result<ClientConfig, String> {
    let trusted = certificates::trusted(settings)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    if roots.is_empty() {
        // Without any root every server is refused, with a better word than for an empty store.
        return Ok(finish(Judge::Nobody));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| format!("no certificate can be verified: {error}"))?;
    Ok(finish(Judge::Webpki { verifier, trusted }))
}

/// A configuration that takes any certificate, for `--insecure`.
pub(super) fn unverified() -> ClientConfig {
    finish(Judge::Anybody)
}

/// A configuration that refuses every server, for requests that use no TLS at all: it reads nothing.
pub(super) fn none() -> ClientConfig {
    finish(Judge::Nobody)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn finish(judge: Judge) -> ClientConfig {
    let verifier = Arc::new(Verifier { judge, provider: provider() });
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has the suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Whose certificates are taken.
#[derive(Debug)]
enum Judge {
    /// The verification of webpki, and one case that it refuses and Go and OpenSSL accept: a server whose
    /// certificate is itself among the trusted ones and is marked as an authority, as the self-signed ones
    /// of `openssl req -x509` are.
    Webpki { verifier: Arc<WebPkiServerVerifier>, trusted: Vec<CertificateDer<'static>> },
    /// Everybody's, also one too old in form to be parsed, whose signatures could not be checked.
    Anybody,
    /// Nobody's, since nothing is there to verify it with.
    Nobody,
}

#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// The word of webpki about a signature; without it there is nothing to check.
    fn signature(
        &self,
        check: impl FnOnce(&WebPkiServerVerifier) -> Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match &self.judge {
            Judge::Webpki { verifier, .. } => check(verifier),
            Judge::Anybody | Judge::Nobody => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (verifier, trusted) = match &self.judge {
            Judge::Webpki { verifier, trusted } => (verifier, trusted),
            Judge::Anybody => return Ok(ServerCertVerified::assertion()),
            Judge::Nobody => return Err(CertificateError::UnknownIssuer.into()),
        };
        match verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            // webpki looks at this after the dates and before the name.
            Err(error) if is_authority(&error) && trusted.iter().any(|trusted| trusted == end_entity) => {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(|verifier| verifier.verify_tls12_signature(message, cert, dss))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signature(|verifier| verifier.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate was refused because it is marked as an authority. rustls passes webpki's word on
/// as a value without a name of its own.
pub(super) fn is_authority(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
        if format!("{other:?}").contains("CaUsedAsEndEntity"))
}
