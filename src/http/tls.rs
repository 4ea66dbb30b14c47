//! TLS 1.2 or later, and which server certificates are accepted: those verified with the system's certificates or with
//! the configured ones.

use super::certificates;
use super::settings::Settings;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// A configuration that verifies the server. Reads the certificates, which takes some milliseconds.
///
/// # Errors
///
/// Those of [`certificates::trusted`].
pub(super) fn verified(settings: &Settings) -> Result<ClientConfig, String> {
    let trusted = certificates::trusted(settings)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    if roots.is_empty() {
        // Without trusted certificates every server is rejected. This gives a clearer error than an empty store.
        return Ok(finish(Judge::Nobody));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| format!("cannot set up certificate verification: {error}"))?;
    Ok(finish(Judge::Webpki { verifier, trusted }))
}

/// A configuration that accepts any certificate, for `--insecure`.
pub(super) fn unverified() -> ClientConfig {
    finish(Judge::Anybody)
}

/// A configuration that rejects every server, for requests without TLS. It reads no certificates.
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

/// Which certificates are accepted.
#[derive(Debug)]
enum Judge {
    /// Those that webpki accepts, and one case that webpki rejects but Go and OpenSSL accept: a server certificate
    /// that is itself trusted and is marked as an authority, like the self-signed ones of `openssl req -x509`.
    Webpki { verifier: Arc<WebPkiServerVerifier>, trusted: Vec<CertificateDer<'static>> },
    /// Any certificate, even one in an old format that cannot be parsed, whose signatures cannot be checked.
    Anybody,
    /// None, because there is nothing to verify them with.
    Nobody,
}

#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Checks a signature with webpki. The other judges check nothing.
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
            // webpki checks this after the dates and before the name, so the name must still be checked.
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

/// Whether a certificate was rejected because it is marked as an authority. rustls has no error variant for this and
/// passes on webpki's error as `Other`.
pub(super) fn is_authority(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(other))
        if format!("{other:?}").contains("CaUsedAsEndEntity"))
}
