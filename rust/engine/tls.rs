//! TLS as it should be: certificates are always checked, against the platform's roots and perhaps some more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use tokio::sync::OnceCell;

use super::fault::ConnectFault;

/// The settings for TLS 1.2 and 1.3. The platform's roots are those of `SSL_CERT_FILE` where it is set.
///
/// # Errors
/// `Tls`: `ca_file` cannot be read or holds no certificate, or there are no roots at all.
fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, ConnectFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        Verifier::new_with_extra_roots(roots_in(ca_file)?, Arc::clone(&provider)).map_err(fault)?;
    with_verifier(provider, verifier).map_err(fault)
}

fn with_verifier(provider: Arc<CryptoProvider>, verifier: Verifier) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // "Dangerous" is what rustls calls any verifier that is not its own: this one is the platform's.
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn roots_in(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, ConnectFault> {
    let Some(path) = ca_file else { return Ok(Vec::new()) };
    let unreadable = |why: &dyn std::fmt::Display| {
        ConnectFault::Tls(format!("ca_file: expected PEM certificates in {}, got {why}", path.display()))
    };
    let roots: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&error))?;
    // Here, where the file can be named.
    for root in &roots {
        RootCertStore::empty().add(root.clone()).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() { Err(unreadable(&"none")) } else { Ok(roots) }
}

fn fault(error: rustls::Error) -> ConnectFault {
    ConnectFault::Tls(error.to_string())
}

type Config = Arc<OnceCell<Arc<ClientConfig>>>;

/// Reading the platform's roots takes milliseconds: once, and by one of those who need them.
#[derive(Debug, Default)]
pub struct TlsConfigs(Mutex<HashMap<Option<PathBuf>, Config>>);

impl TlsConfigs {
    /// The settings for TLS with those roots.
    ///
    /// # Errors
    /// As `client_config`.
    pub async fn get(&self, ca_file: Option<PathBuf>) -> Result<Arc<ClientConfig>, ConnectFault> {
        let config = {
            let mut configs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(configs.entry(ca_file.clone()).or_default())
        };
        let read = || async {
            let read = tokio::task::spawn_blocking(move || client_config(ca_file.as_deref())).await;
            read.map_err(|error| ConnectFault::Tls(error.to_string()))?.map(Arc::new)
        };
        config.get_or_try_init(read).await.cloned()
    }
}
