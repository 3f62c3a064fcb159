//! Asks the API server whether the sidecar may do what it must: at the start, and again where a call was refused.
//!
//! A replica that lacks a right would take signals and fail each of them, so it is not ready, and says which right is
//! missing. An outage of the API server is no lack of rights, and changes nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::{Pending, Readiness};
use crate::rr::RemediationRequest;

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
pub const RIGHTS: [Right; 12] = [
    rr("create", ""),
    rr("get", ""),
    rr("list", ""),
    rr("watch", ""),
    rr("delete", ""),
    rr("patch", "status"),
    lease("get"),
    lease("list"),
    lease("create"),
    lease("patch"),
    lease("delete"),
    Right { verb: "create", group: "", resource: "events", subresource: "" },
];

const fn rr(verb: &'static str, subresource: &'static str) -> Right {
    Right { verb, group: "kubernaut.ai", resource: "remediationrequests", subresource }
}

const fn lease(verb: &'static str) -> Right {
    Right { verb, group: "coordination.k8s.io", resource: "leases", subresource: "" }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.group.is_empty() { "" } else { "." };
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {}{dot}{}{slash}{}", self.verb, self.resource, self.group, self.subresource)
    }
}

/// Says that rights may be missing: a call was refused.
#[derive(Clone, Debug, Default)]
pub struct Doubt(Arc<Notify>);

impl Doubt {
    /// Has the rights asked for again, soon and once, however often it is raised meanwhile.
    pub fn raise(&self) {
        self.0.notify_one();
    }

    /// Returns once it has been raised since this returned last. For one who waits.
    pub(crate) async fn raised(&self) {
        self.0.notified().await;
    }
}

/// What keeps the sidecar from being ready.
enum Obstacle {
    /// It may not do what it must, or there is nothing to do it to.
    Definite(String),
    /// Nobody can tell.
    NoAnswer(String),
}

/// Keeps the readiness true to the rights, for ever. Each question is given up after `patience`. Until they are known to be
/// there the sidecar is not ready, from this very call on.
pub fn watch_over(
    client: Client,
    namespace: String,
    patience: Duration,
    readiness: Readiness,
    doubt: Doubt,
) -> impl Future<Output = ()> {
    let starting = readiness.pending("permissions", "asking the API server");
    async move {
        confirm(&client, &namespace, patience, starting).await;
        loop {
            doubt.raised().await;
            if let Err(Obstacle::Definite(why)) = ask(&client, &namespace, patience).await {
                error!(namespace, why, "no longer ready");
                confirm(&client, &namespace, patience, readiness.pending("permissions", why)).await;
            }
            // A refusal may be of another kind, such as a quota: no reason to ask with each of a storm's calls.
            sleep(RETRY_FIRST).await;
        }
    }
}

/// Asks until every right of [`RIGHTS`] is known to be there, and then lets `pending` end.
async fn confirm(client: &Client, namespace: &str, patience: Duration, pending: Pending) {
    let mut wait = RETRY_FIRST;
    loop {
        match ask(client, namespace, patience).await {
            Ok(()) => {
                info!(namespace, "all rights are there");
                return;
            }
            Err(Obstacle::Definite(why)) => {
                error!(namespace, why, "not ready");
                pending.because(why);
            }
            Err(Obstacle::NoAnswer(why)) => {
                warn!(namespace, why, "not ready: cannot learn which rights are there; asking again");
                pending.because(format!("cannot ask the API server: {why}"));
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

/// Asks for every right, and whether the CRD is there: an access review says yes to kinds that do not exist.
async fn ask(client: &Client, namespace: &str, patience: Duration) -> Result<(), Obstacle> {
    let missing = missing(client, namespace, patience).await?;
    if !missing.is_empty() {
        let list = missing.iter().map(Right::to_string).collect::<Vec<_>>().join(", ");
        let advice = "apply deploy/base/role.yaml and rolebinding.yaml there, bound to this pod's ServiceAccount";
        return Err(Obstacle::Definite(format!("missing in namespace {namespace}: {list}; {advice}")));
    }
    let rrs = Api::<RemediationRequest>::namespaced(client.clone(), namespace);
    match answer(patience, rrs.get(NO_RR)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() && status.reason == "NotFound" => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            Err(Obstacle::Definite("no RemediationRequests are served: apply deploy/base/crd.yaml".into()))
        }
        Err(error) => Err(error.into()),
        // Whoever has made an RR of this name: it shows that they are served.
        Ok(_) => Ok(()),
    }
}

/// The name of an RR that does not exist.
const NO_RR: &str = "onceway-asks-whether-the-crd-is-there";

async fn missing(client: &Client, namespace: &str, patience: Duration) -> Result<Vec<Right>, Obstacle> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for right in RIGHTS {
        let question = review(right, namespace);
        let review = answer(patience, reviews.create(&PostParams::default(), &question)).await?;
        if !review.status.is_some_and(|status| status.allowed) {
            missing.push(right);
        }
    }
    Ok(missing)
}

async fn answer<T>(patience: Duration, call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(patience, call).await.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())))
}

impl From<kube::Error> for Obstacle {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
                Self::Definite(format!("the API server refuses this pod's token: {}", status.message))
            }
            error => Self::NoAnswer(error.to_string()),
        }
    }
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
