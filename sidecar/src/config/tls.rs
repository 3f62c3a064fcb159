//! TLS of the signal port, and of the metrics port if asked.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files of TLS, in PEM. They are read again when their content changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Tls {
    /// The certificate and its chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates that sign those of clients. null: clients need none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// The names of the clients that may connect: DNS names, or URIs such as SPIFFE IDs, one of which must be a subject
    /// alternative name of the client's certificate. Empty: any client with a certificate that clientCa signed.
    #[serde(default)]
    pub client_sans: Vec<String>,
    /// Whether the metrics port has TLS, too, with the same certificate. It asks clients for none.
    #[serde(default)]
    pub metrics: bool,
}
