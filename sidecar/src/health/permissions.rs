//! Asks the API server, once at the start, whether the sidecar may do what it must.
//!
//! A replica that lacks a right would take signals and fail each of them, so it is not ready, and says which right is
//! missing. Once all are there nobody asks again: a later outage of the API server is no lack of rights.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::Pending;

/// The first wait after a question without an answer, or with a bad one; it doubles up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest wait before asking again.
const RETRY_MOST: Duration = Duration::from_secs(10);

/// One thing that the sidecar must be allowed to do; `deploy/base/role.yaml` grants exactly these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// The verb, for example "create".
    pub verb: &'static str,
    /// The API group.
    pub group: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    /// The subresource; empty for the object itself.
    pub subresource: &'static str,
}

/// All that the sidecar must be allowed to do, in the namespace of the RRs.
pub const RIGHTS: [Right; 7] = [
    rr("create", ""),
    rr("get", ""),
    rr("delete", ""),
    rr("patch", "status"),
    lease("get"),
    lease("create"),
    lease("patch"),
];

const fn rr(verb: &'static str, subresource: &'static str) -> Right {
    Right { verb, group: "kubernaut.ai", resource: "remediationrequests", subresource }
}

const fn lease(verb: &'static str) -> Right {
    Right { verb, group: "coordination.k8s.io", resource: "leases", subresource: "" }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {}.{}{slash}{}", self.verb, self.resource, self.group, self.subresource)
    }
}

/// Asks until every right of [`RIGHTS`] is known to be there, and then lets `pending` end. Each question is given up
/// after `patience`.
pub async fn confirm(client: Client, namespace: String, patience: Duration, pending: Pending) {
    let mut wait = RETRY_FIRST;
    loop {
        match missing(&client, &namespace, patience).await {
            Ok(missing) if missing.is_empty() => {
                info!(namespace, "all rights are there");
                return;
            }
            Ok(missing) => {
                let list = missing.iter().map(Right::to_string).collect::<Vec<_>>().join(", ");
                error!(namespace, missing = list, "not ready: apply deploy/base/role.yaml and rolebinding.yaml");
                pending.because(format!("missing in namespace {namespace}: {list}"));
            }
            Err(reason) => {
                warn!(namespace, reason, "not ready: cannot learn which rights are there; asking again");
                pending.because(format!("cannot ask the API server: {reason}"));
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

async fn missing(client: &Client, namespace: &str, patience: Duration) -> Result<Vec<Right>, String> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for right in RIGHTS {
        let question = review(right, namespace);
        let answer = timeout(patience, reviews.create(&PostParams::default(), &question))
            .await
            .map_err(|_| format!("no answer within {patience:?}"))?
            .map_err(|error| error.to_string())?;
        if !answer.status.is_some_and(|status| status.allowed) {
            missing.push(right);
        }
    }
    Ok(missing)
}

fn review(right: Right, namespace: &str) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(right.group.into()),
        namespace: Some(namespace.into()),
        resource: Some(right.resource.into()),
        subresource: (!right.subresource.is_empty()).then(|| right.subresource.into()),
        verb: Some(right.verb.into()),
        ..Default::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    SelfSubjectAccessReview { spec, ..Default::default() }
}

#[cfg(test)]
mod tests;
