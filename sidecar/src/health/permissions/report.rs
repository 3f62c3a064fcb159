//! Shows which permissions are missing: in the metrics, and by one line of the log for each change.

use tracing::{error, info};

use super::Right;
use crate::metrics::HealthMetrics;

/// The permissions that the last check found missing.
pub(super) struct MissingRights {
    metrics: Option<HealthMetrics>,
    missing: Vec<Right>,
}

impl MissingRights {
    /// None is known to be missing.
    pub(super) fn new(metrics: Option<HealthMetrics>) -> Self {
        Self { metrics, missing: Vec::new() }
    }

    /// Of the permissions `checked` in `place`, these are `missing`.
    pub(super) fn set(&mut self, place: &str, checked: &[Right], missing: &[Right]) {
        if let Some(metrics) = &self.metrics {
            for right in checked {
                metrics.right_missing(right.to_string(), missing.contains(right));
            }
        }
        // In one line: lines of one kind are limited.
        let lost: Vec<Right> = missing.iter().filter(|right| !self.missing.contains(right)).copied().collect();
        let granted: Vec<Right> =
            self.missing.extract_if(.., |right| checked.contains(right) && !missing.contains(right)).collect();
        if !lost.is_empty() {
            error!(
                event = "right_missing",
                rights = list(&lost),
                place,
                "permissions that the replica needs are missing"
            );
        }
        if !granted.is_empty() {
            info!(event = "right_granted", rights = list(&granted), place, "permissions that were missing are granted");
        }
        self.missing.extend(lost);
    }
}

/// The permissions, for people.
pub(super) fn list(rights: &[Right]) -> String {
    rights.iter().map(Right::to_string).collect::<Vec<_>>().join(", ")
}
