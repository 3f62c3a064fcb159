//! What the API server is started with: its certificate, its tokens, and the key of service accounts.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Result;
use rcgen::{CertificateParams, KeyPair, SanType};

/// The token of the user `admin` in `system:masters`. It is valid for a server on loopback while a test runs.
pub const ADMIN_TOKEN: &str = "admin";

pub(super) const CERTIFICATE: &str = "apiserver.crt";
pub(super) const KEY: &str = "apiserver.key";
pub(super) const SERVICE_ACCOUNT_KEY: &str = "service-account.key";
pub(super) const SERVICE_ACCOUNT_PUBLIC_KEY: &str = "service-account.pub";
pub(super) const TOKENS: &str = "tokens.csv";

/// What clients must know of the files that [`Credentials::create`] writes.
pub(super) struct Credentials {
    pub(super) certificate_pem: String,
    pub(super) certificate_der: Vec<u8>,
}

impl Credentials {
    /// Writes certificate, keys and tokens into `dir`.
    pub(super) fn create(dir: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let certificate = params.self_signed(&key)?;
        fs::write(dir.join(CERTIFICATE), certificate.pem())?;
        fs::write(dir.join(KEY), key.serialize_pem())?;
        let service_accounts = KeyPair::generate()?;
        fs::write(dir.join(SERVICE_ACCOUNT_KEY), service_accounts.serialize_pem())?;
        fs::write(dir.join(SERVICE_ACCOUNT_PUBLIC_KEY), service_accounts.public_key_pem())?;
        fs::write(dir.join(TOKENS), format!("{ADMIN_TOKEN},admin,admin,system:masters\n"))?;
        Ok(Self { certificate_pem: certificate.pem(), certificate_der: certificate.der().to_vec() })
    }
}
