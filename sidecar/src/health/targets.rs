//! Reviews the rights to read targets (`targets.resolve: verify`). A replica without them is ready, since it needs them for
//! nothing but more exact targets; `/readyz` and a metric say so.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::permissions::{PermissionRecheck, Permissions, Right, missing, target_rights};
use super::readiness::Readiness;
use crate::metrics::Metrics;
use crate::workload::ReadRights;

/// How often missing rights are reviewed again: they may be granted later.
const REVIEW_AGAIN: Duration = Duration::from_secs(60);
/// The pause after a review: a storm of 403s must not be one of reviews.
const PAUSE: Duration = Duration::from_secs(5);
/// What `/readyz` calls it.
const DETAIL: &str = "targets";

/// What follows from the rights.
pub struct TargetRights {
    /// What may be read.
    pub rights: Arc<ReadRights>,
    /// Shows what may not.
    pub readiness: Readiness,
    /// Notified on a 403.
    pub recheck: PermissionRecheck,
    /// Counts what may not.
    pub metrics: Arc<Metrics>,
}

impl TargetRights {
    /// Keeps them up to date; never returns.
    pub async fn monitor(self, permissions: Permissions) {
        let rights: Vec<Right> = target_rights().collect();
        loop {
            let is_settled = match missing(&permissions.client, None, &rights, permissions.call_timeout).await {
                Ok(missing) => {
                    self.set(&missing);
                    missing.is_empty()
                }
                // An outage is no missing right.
                Err(_) => false,
            };
            sleep(PAUSE).await;
            if is_settled {
                self.recheck.requested().await;
            } else {
                let _ = timeout(REVIEW_AGAIN, self.recheck.requested()).await;
            }
        }
    }

    fn set(&self, missing: &[Right]) {
        self.metrics.targets.rights_missing(missing.len());
        let is_new = self.rights.set_missing(missing.iter().map(|right| right.resource).collect::<BTreeSet<_>>());
        if missing.is_empty() {
            self.readiness.detail(DETAIL, None);
            if is_new {
                info!(event = "target_rights_granted", "targets can be verified");
            }
            return;
        }
        let list = missing.iter().map(Right::to_string).collect::<Vec<_>>().join(", ");
        if is_new {
            warn!(
                event = "target_rights_missing",
                rights = list,
                "targets are told by names alone; set workloadReads.enabled in the chart, or targets.resolve: derive"
            );
        }
        self.readiness.detail(DETAIL, Some(format!("told by names alone: missing in the whole cluster: {list}")));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use http::{Request, Response};
    use http_body_util::BodyExt;
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::time::sleep;
    use tower::service_fn;

    use super::{PAUSE, REVIEW_AGAIN, TargetRights};
    use crate::health::Readiness;
    use crate::health::permissions::{PermissionRecheck, Permissions, target_rights};
    use crate::metrics::Metrics;
    use crate::workload::{ObjectRef, ReadRights};

    /// A client that grants every right but those that `is_denied` names, by resource and the number of reviews before.
    fn client(reviews: Arc<AtomicUsize>, is_denied: fn(&str, usize) -> bool) -> Client {
        let service = service_fn(move |request: Request<Body>| {
            let reviews = Arc::clone(&reviews);
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let mut review: Value = serde_json::from_slice(&body).unwrap();
                let attributes = &review["spec"]["resourceAttributes"];
                assert_eq!((&attributes["verb"], attributes.get("namespace")), (&json!("get"), None));
                let resource = attributes["resource"].as_str().unwrap().to_owned();
                let allowed = !is_denied(&resource, reviews.fetch_add(1, Ordering::SeqCst));
                review["status"] = json!({ "allowed": allowed });
                let body = Body::from(review.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(201).body(body).unwrap())
            }
        });
        Client::new(service, "default")
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_right_is_shown_and_not_tried_until_it_is_granted_and_the_replica_stays_ready() {
        let (reviews, rights) = (Arc::new(AtomicUsize::new(0)), Arc::new(ReadRights::default()));
        let (readiness, metrics) = (Readiness::default(), Arc::new(Metrics::new()));
        let client = client(Arc::clone(&reviews), |resource, before| resource == "pods" && before < 17);
        let permissions = Permissions::new(client, "incidents", Duration::from_secs(1));
        let monitor = TargetRights {
            rights: Arc::clone(&rights),
            readiness: readiness.clone(),
            recheck: PermissionRecheck::default(),
            metrics: Arc::clone(&metrics),
        };
        let monitor = tokio::spawn(monitor.monitor(permissions));
        sleep(PAUSE / 2).await;
        let may_read = |kind| rights.may_read(ObjectRef::new(kind, None, Some("prod"), "a").unwrap().kind);
        assert!(!may_read("Pod") && may_read("Deployment"));
        assert!(readiness.reasons().is_empty());
        let shown = "told by names alone: missing in the whole cluster: get pods".to_owned();
        assert_eq!(readiness.details(), [("targets", shown)]);
        assert!(metrics.render().unwrap().contains("gateway_target_rights_missing 1\n"));
        sleep(PAUSE + REVIEW_AGAIN).await;
        assert!(may_read("Pod") && readiness.details().is_empty());
        assert_eq!(reviews.load(Ordering::SeqCst), 2 * target_rights().count());
        monitor.abort();
    }
}
