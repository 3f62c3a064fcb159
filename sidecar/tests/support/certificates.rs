//! Certificates of a test's own authority, their files, and a TLS client.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Tls;

/// The name of every server here.
pub(crate) const SERVER: &str = "onceway.test";

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate with this DNS name, or URI, valid until the first day of `until`.
    pub(crate) fn issue(&self, name: &str, until: i32) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(match name.contains("://") {
            true => SanType::URI(name.try_into().unwrap()),
            false => SanType::DnsName(name.try_into().unwrap()),
        });
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Issued { cert, key: key.serialize_pem() }
    }
}

impl Issued {
    /// Writes both where [`tls_in`] expects them.
    pub(crate) fn write(&self, dir: &Path) {
        fs::write(dir.join("tls.crt"), &self.cert).unwrap();
        fs::write(dir.join("tls.key"), &self.key).unwrap();
    }
}

/// A configuration with the files in `dir`.
pub(crate) fn tls_in(dir: &Path) -> Tls {
    let (cert, key) = (dir.join("tls.crt"), dir.join("tls.key"));
    Tls { cert, key, client_ca: None, client_sans: Vec::new(), metrics: false }
}

/// A client that trusts an authority.
pub(crate) struct TlsClient<'a> {
    pub(crate) trusted: &'a Authority,
    pub(crate) version: &'static SupportedProtocolVersion,
    pub(crate) identity: Option<&'a Issued>,
    pub(crate) alpn: &'static [&'static [u8]],
}

impl<'a> TlsClient<'a> {
    /// A client of TLS 1.3 without a certificate.
    pub(crate) fn new(trusted: &'a Authority) -> Self {
        Self { trusted, version: &TLS13, identity: None, alpn: &[] }
    }

    pub(crate) fn tls12(self) -> Self {
        Self { version: &TLS12, ..self }
    }

    pub(crate) fn with_alpn(self, alpn: &'static [&'static [u8]]) -> Self {
        Self { alpn, ..self }
    }

    /// A handshake on `stream`.
    pub(crate) async fn connect(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.trusted.pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = self.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(SERVER).unwrap(), stream).await
    }
}
