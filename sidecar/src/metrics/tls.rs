//! Metrics of TLS.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// How the files of `tls` are.
#[derive(Debug)]
pub struct TlsMetrics {
    reload_errors: Counter,
    reload_failing: Gauge,
    expiry: Gauge,
}

impl TlsMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            reload_errors: registry.add(
                "tls_reload_errors",
                "Changes of the files of tls that were not taken over, because they are missing, broken, mismatching or \
                 expired; the previous ones stay in use, and the log has the reason.",
            ),
            reload_failing: registry.add(
                "tls_reload_failing",
                "1 while the files of tls have changed and cannot be used, so that the previous ones stay in use.",
            ),
            expiry: registry.add(
                "tls_certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970; 0 without TLS.",
            ),
        }
    }

    /// Changed files were not taken over.
    pub fn reload_failed(&self) {
        self.reload_errors.inc();
        self.reload_failing.set(1);
    }

    /// The certificate of the files is in use, and expires then.
    pub fn in_use(&self, expires: i64) {
        self.reload_failing.set(0);
        self.expiry.set(expires);
    }
}
