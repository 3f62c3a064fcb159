//! From the contents of the files to rustls' configurations; pure.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::parse_x509_certificate;

use super::client_names::NamedClients;
use super::error::TlsError;
use super::files::Contents;
use crate::config::Tls;

/// The protocols of the signal port, by preference.
const SIGNALS_ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// That of the metrics port, which serves one request per connection.
const METRICS_ALPN: [&[u8]; 1] = [b"http/1.1"];

/// What is served, built from one version of the files.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) signals: Arc<ServerConfig>,
    /// As `signals`, but asks clients for no certificate.
    pub(super) metrics: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since 1970.
    pub(super) expires: i64,
}

/// Builds the configurations for certificates that are valid at `now`.
pub(super) fn build(tls: &Tls, contents: &Contents, now: Timestamp) -> Result<Built, TlsError> {
    let chain = certificates("tls.cert", &tls.cert, &contents.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key)
        .map_err(|error| content("tls.key", &tls.key, format!("holds no private key in PEM: {error}")))?;
    let expires = check_validity(&tls.cert, &chain, now.as_second())?;
    let provider = Arc::new(ring::default_provider());
    let clients = match (&tls.client_ca, &contents.client_ca) {
        (Some(path), Some(pem)) => Some(clients(tls, path, pem, &provider)?),
        _ => None,
    };
    let signals = server(&provider, clients, chain.clone(), key.clone_key(), &SIGNALS_ALPN)?;
    let metrics = server(&provider, None, chain, key, &METRICS_ALPN)?;
    Ok(Built { signals, metrics, expires })
}

fn server(
    provider: &Arc<CryptoProvider>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let mismatch = |error: rustls::Error| TlsError::Mismatch(error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(mismatch)?;
    let builder = match clients {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    // Fails if the key is not the certificate's.
    let mut server = builder.with_single_cert(chain, key).map_err(mismatch)?;
    server.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // A resumed session would skip the check of the client's certificate.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Arc::new(server))
}

fn clients(
    tls: &Tls,
    path: &Path,
    pem: &[u8],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    const KEY: &str = "tls.clientCa";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(KEY, path, pem)? {
        roots
            .add(certificate)
            .map_err(|error| content(KEY, path, format!("holds a certificate that is not valid: {error}")))?;
    }
    let signed = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| content(KEY, path, format!("cannot be used: {error}")))?;
    Ok(NamedClients::over(signed, &tls.client_sans))
}

/// When the first certificate expires, if it is valid at `now`.
fn check_validity(path: &Path, chain: &[CertificateDer<'_>], now: i64) -> Result<i64, TlsError> {
    let leaf = chain.first().and_then(|leaf| parse_x509_certificate(leaf).ok());
    let Some((_, leaf)) = leaf else { return Err(content("tls.cert", path, "holds a broken certificate".into())) };
    let (from, until) = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    let invalid = |why| Err(TlsError::Validity { path: path.to_owned(), why });
    if now < from {
        return invalid(format!("is not valid before {}", shown(from)));
    }
    if now > until {
        return invalid(format!("expired at {}", shown(until)));
    }
    Ok(until)
}

fn certificates(key: &'static str, path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(content(key, path, "holds no certificate in PEM".into())),
        Err(error) => Err(content(key, path, format!("is not PEM: {error}"))),
    }
}

/// A time in seconds since 1970, as logs and errors show it.
pub(super) fn shown(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn content(key: &'static str, path: &Path, why: String) -> TlsError {
    TlsError::Content { key, path: path.to_owned(), why }
}
