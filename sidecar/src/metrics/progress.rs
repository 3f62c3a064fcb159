//! When something last worked.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// See the module documentation. Times are in seconds since 1970; 0 before the first.
#[derive(Debug)]
pub struct ProgressMetrics {
    index_event: Gauge<f64, AtomicU64>,
    write: Gauge<f64, AtomicU64>,
    claims_collected: Gauge<f64, AtomicU64>,
}

impl ProgressMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        let claims_collected: Gauge<f64, AtomicU64> = registry.add(
            "claims_collected_timestamp_seconds",
            "When this replica last went through the Leases of claims to delete those of deleted RemediationRequests, in seconds \
             since 1970; before the first time, when it began.",
        );
        // A replica that never gets there must not look like one that has just begun.
        claims_collected.set(now());
        Self {
            claims_collected,
            index_event: registry.add(
                "index_last_event_timestamp_seconds",
                "When the watch of the RemediationRequests last brought anything (a list, an event, a bookmark, the start of \
                 the next watch), in seconds since 1970; 0 before the first.",
            ),
            write: registry.add(
                "last_write_timestamp_seconds",
                "When the API server last acknowledged a create, an update or a patch of an object, in seconds since 1970; 0 \
                 before the first.",
            ),
        }
    }

    /// The watch of the RRs has brought something.
    pub fn index_heard(&self) {
        self.index_event.set(now());
    }

    /// A pass over the claims has ended, and not with nothing but failed calls.
    pub fn claims_collected(&self) {
        self.claims_collected.set(now());
    }

    /// The API server has acknowledged a write.
    pub(super) fn written(&self) {
        self.write.set(now());
    }
}

/// Whether a call writes an object. A review is created, too, and nothing of it is stored.
pub(super) fn is_write(verb: &str, resource: &str) -> bool {
    matches!(verb, "create" | "update" | "patch") && !resource.ends_with("reviews")
}

fn now() -> f64 {
    Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::is_write;

    #[test]
    fn reads_deletes_and_reviews_are_no_writes() {
        for (verb, resource) in [("create", "leases"), ("patch", "remediationrequests/status"), ("create", "events")] {
            assert!(is_write(verb, resource), "{verb} {resource}");
        }
        for (verb, resource) in [("get", "leases"), ("delete", "leases"), ("create", "tokenreviews")] {
            assert!(!is_write(verb, resource), "{verb} {resource}");
        }
    }
}
