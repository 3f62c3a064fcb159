//! Reads the files.

use std::path::Path;

use tokio::fs;

use super::error::TlsError;
use crate::config::Tls;

/// How often the files are read, at most, until two reads agree.
const READS: usize = 3;

/// The contents of the files. It has no `Debug`: it holds the private key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) client_ca: Option<Vec<u8>>,
}

impl Contents {
    /// Reads all files, again if they change meanwhile: a certificate and a key of two versions do not match.
    pub(super) async fn read(tls: &Tls) -> Result<Self, TlsError> {
        let mut last = Self::read_once(tls).await;
        for _ in 1..READS {
            let again = Self::read_once(tls).await;
            if again == last {
                break;
            }
            last = again;
        }
        last
    }

    async fn read_once(tls: &Tls) -> Result<Self, TlsError> {
        let client_ca = match &tls.client_ca {
            Some(path) => Some(read("tls.clientCa", path).await?),
            None => None,
        };
        Ok(Self { cert: read("tls.cert", &tls.cert).await?, key: read("tls.key", &tls.key).await?, client_ca })
    }
}

async fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error: std::io::Error| TlsError::Read { key, path: path.to_owned(), why: error.to_string() };
    fs::read(path).await.map_err(failed)
}
