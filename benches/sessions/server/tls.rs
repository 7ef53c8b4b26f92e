//! A certificate authority of this run's own, and a certificate for the loopback interface.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{self, ServerConfig};

/// Takes TLS connections; what clients must trust is written to `ca_file`.
pub fn acceptor(ca_file: &Path) -> io::Result<TlsAcceptor> {
    let (chain, key) = certificate(ca_file).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

type Chain = Vec<rustls::pki_types::CertificateDer<'static>>;

fn certificate(
    ca_file: &Path,
) -> Result<(Chain, rustls::pki_types::PrivateKeyDer<'static>), Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "voicelane benchmark");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    std::fs::write(ca_file, authority.self_signed(&authority_key)?.pem())?;
    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server.use_authority_key_identifier_extension = true; // Python 3.13 asks for it
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let server_key = KeyPair::generate()?;
    let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?;
    let key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
    Ok((vec![certificate.der().clone()], key.into()))
}
