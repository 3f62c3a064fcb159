//! Why files of `tls` cannot be used.

use std::path::PathBuf;

/// Why the files of `tls` cannot be used. Messages name the file and never its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {} ({key}): {why}", path.display())]
    Read {
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file does not hold what it should.
    #[error("{} ({key}) {why}", path.display())]
    Content {
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate cannot be used now.
    #[error("the certificate in {} (tls.cert) {why}", path.display())]
    Validity {
        /// The file.
        path: PathBuf,
        /// When it can be used.
        why: String,
    },
    /// The files do not fit together.
    #[error("the files of tls do not fit together: {0}")]
    Mismatch(String),
}
