//! Checks that the API server grants every permission that the sidecar needs: at startup, and again after a 401 or 403.
//!
//! A replica that lacks a permission would accept signals and fail each of them. So it is not ready, and names the missing
//! permission. An outage of the API server is no missing permission and changes nothing.

mod report;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use self::report::{MissingRights, list};
use super::condition::Condition;
use super::readiness::{Pending, Readiness};
use crate::metrics::HealthMetrics;
use crate::rr::RemediationRequest;
use crate::workload::kinds::KINDS;

/// The pause after the first failed check; it doubles up to [`MAX_RETRY_PAUSE`].
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two checks.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(10);

/// A permission that the sidecar needs; the Role of `deploy/chart` grants exactly [`RIGHTS`].
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

/// Every permission that the sidecar needs, in the namespace of the RRs.
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

/// The permissions that the sidecar needs in the whole cluster to ask about senders, unless `auth.mode` is `none`;
/// the ClusterRole `reviews` of `deploy/chart` grants exactly these.
pub const REVIEW_RIGHTS: [Right; 2] = [
    Right { verb: "create", group: "authentication.k8s.io", resource: "tokenreviews", subresource: "" },
    Right { verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews", subresource: "" },
];

/// The permissions that the sidecar needs in the whole cluster with `scope.label`; the ClusterRole `scope` of `deploy/chart`
/// grants exactly these.
pub const SCOPE_RIGHTS: [Right; 3] = [namespaces("get"), namespaces("list"), namespaces("watch")];

/// The permissions that the sidecar uses in the whole cluster with `targets.resolve: verify`, and does without; with
/// `scope.label` it needs them. The ClusterRole `targets` of `deploy/chart` grants exactly these.
pub fn target_rights() -> impl Iterator<Item = Right> {
    KINDS.iter().map(|kind| Right { verb: "get", group: kind.group, resource: kind.resource, subresource: "" })
}

const fn namespaces(verb: &'static str) -> Right {
    Right { verb, group: "", resource: "namespaces", subresource: "" }
}

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

/// Notified on 401/403, to re-run the RBAC check.
#[derive(Clone, Debug, Default)]
pub struct PermissionRecheck(Arc<Notify>);

impl PermissionRecheck {
    /// Requests a check. Requests made before it starts are coalesced.
    pub fn request(&self) {
        self.0.notify_one();
    }

    /// Waits for a request since the last return. For a single waiter.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}

/// Why a check did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckFailure {
    /// A permission or the CRD is missing.
    #[error("{0}")]
    Definite(String),
    /// The API server gave no usable response.
    #[error("{0}")]
    Inconclusive(String),
}

/// What is checked, and how.
#[derive(Clone)]
pub struct Permissions {
    /// A client of the API server.
    pub client: Client,
    /// The namespace of the RRs.
    pub namespace: String,
    /// Limit of each API call.
    pub call_timeout: Duration,
    /// Whether [`REVIEW_RIGHTS`] are needed, too.
    pub reviews: bool,
    /// Whether [`SCOPE_RIGHTS`] are.
    pub scope: bool,
    /// Whether [`target_rights`] are.
    pub targets: bool,
    /// Shows which of them are missing.
    pub metrics: Option<HealthMetrics>,
}

impl Permissions {
    /// The permissions that are always needed.
    pub fn new(client: Client, namespace: &str, call_timeout: Duration) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            call_timeout,
            reviews: false,
            scope: false,
            targets: false,
            metrics: None,
        }
    }
}

/// Keeps `readiness` in line with the permissions; never returns. Not ready from this call on, until the first check
/// succeeds.
pub fn monitor_permissions(
    permissions: Permissions,
    readiness: Readiness,
    recheck: PermissionRecheck,
) -> impl Future<Output = ()> {
    let starting = readiness.pending(Condition::Permissions, "asking the API server");
    async move {
        let mut known = MissingRights::new(permissions.metrics.clone());
        wait_until_granted(&permissions, &mut known, starting).await;
        loop {
            recheck.requested().await;
            if let Err(CheckFailure::Definite(why)) = check(&permissions, &mut known).await {
                let pending = readiness.pending(Condition::Permissions, why);
                wait_until_granted(&permissions, &mut known, pending).await;
            }
            // A 403 may have another cause, such as a quota: do not check once per failed call of a storm.
            sleep(FIRST_RETRY_PAUSE).await;
        }
    }
}

/// Checks until it succeeds, then drops `pending`.
async fn wait_until_granted(permissions: &Permissions, known: &mut MissingRights, pending: Pending) {
    let namespace = &permissions.namespace;
    let (mut pause, mut told) = (FIRST_RETRY_PAUSE, String::new());
    loop {
        let (why, is_definite) = match check(permissions, known).await {
            Ok(()) => {
                info!(event = "permissions_granted", namespace, "all permissions are granted");
                return;
            }
            Err(CheckFailure::Definite(why)) => (why, true),
            Err(CheckFailure::Inconclusive(why)) => (format!("cannot ask the API server: {why}"), false),
        };
        // Once for each reason: it is asked again every few seconds.
        if why != told {
            if is_definite {
                error!(
                    event = "permissions_missing",
                    namespace,
                    cause = why,
                    "not ready: permissions or the CRD are missing"
                );
            } else {
                warn!(
                    event = "permissions_unknown",
                    namespace,
                    cause = why,
                    "not ready: permissions cannot be checked; retrying"
                );
            }
            told.clone_from(&why);
        }
        pending.because(why);
        sleep(pause).await;
        pause = (pause * 2).min(MAX_RETRY_PAUSE);
    }
}

/// Checks every permission, and that the CRD is served: an access review allows kinds that do not exist.
async fn check(permissions: &Permissions, known: &mut MissingRights) -> Result<(), CheckFailure> {
    let Permissions { client, namespace, call_timeout, .. } = permissions;
    let mut lacks = Vec::new();
    for Needed { namespace, rights, advice } in needed(permissions) {
        let missing = missing(client, namespace, &rights, *call_timeout).await?;
        let place = namespace.map_or_else(|| "in the whole cluster".to_owned(), |name| format!("in namespace {name}"));
        known.set(&place, &rights, &missing);
        if !missing.is_empty() {
            lacks.push(format!("missing {place}: {}; {advice}", list(&missing)));
        }
    }
    if !lacks.is_empty() {
        return Err(CheckFailure::Definite(lacks.join("; ")));
    }
    check_crd(client, namespace, *call_timeout).await
}

/// Permissions that one grant gives.
struct Needed<'p> {
    /// Where; `None`: in the whole cluster.
    namespace: Option<&'p str>,
    rights: Vec<Right>,
    /// What to do where some are missing.
    advice: &'static str,
}

/// What is needed as configured.
fn needed(permissions: &Permissions) -> Vec<Needed<'_>> {
    let Permissions { namespace, reviews, scope, targets, .. } = permissions;
    let mut of_scope = Vec::from(if *scope { &SCOPE_RIGHTS[..] } else { &[] });
    if *targets {
        of_scope.extend(target_rights().filter(|right| !SCOPE_RIGHTS.contains(right)));
    }
    vec![
        Needed {
            namespace: Some(namespace),
            rights: RIGHTS.into(),
            advice: "install the chart deploy/chart there, or bind its Role to this pod's ServiceAccount",
        },
        Needed {
            namespace: None,
            rights: Vec::from(if *reviews { &REVIEW_RIGHTS[..] } else { &[] }),
            advice: "install the chart deploy/chart, or bind its ClusterRole onceway-reviews to this pod's ServiceAccount, or \
                     set auth.mode: none",
        },
        Needed {
            namespace: None,
            rights: of_scope,
            advice: "install the chart deploy/chart with scope.label and workloadReads.enabled, or bind its ClusterRoles \
                     onceway-scope and onceway-targets to this pod's ServiceAccount, or unset scope.label",
        },
    ]
}

async fn check_crd(client: &Client, namespace: &str, call_timeout: Duration) -> Result<(), CheckFailure> {
    let rrs = Api::<RemediationRequest>::namespaced(client.clone(), namespace);
    match within(call_timeout, rrs.get(ABSENT_RR)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() && status.reason == "NotFound" => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let why = "RemediationRequests are not served: install kubernaut's CRD, or the chart deploy/chart-crds";
            Err(CheckFailure::Definite(why.into()))
        }
        Err(error) => Err(error.into()),
        // An RR of this name also proves that the CRD is served.
        Ok(_) => Ok(()),
    }
}

/// The name of an RR that does not exist.
const ABSENT_RR: &str = "onceway-asks-whether-the-crd-is-there";

/// Those of `rights` that are not granted in `namespace`, or in the whole cluster.
pub(crate) async fn missing(
    client: &Client,
    namespace: Option<&str>,
    rights: &[Right],
    call_timeout: Duration,
) -> Result<Vec<Right>, CheckFailure> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut missing = Vec::new();
    for &right in rights {
        let review = review(right, namespace);
        let review = within(call_timeout, reviews.create(&PostParams::default(), &review)).await?;
        if !review.status.is_some_and(|status| status.allowed) {
            missing.push(right);
        }
    }
    Ok(missing)
}

async fn within<T>(limit: Duration, call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(kube::Error::Service("no response in time".into())))
}

impl From<kube::Error> for CheckFailure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
                Self::Definite(format!("the API server rejects this pod's token: {}", status.message))
            }
            error => Self::Inconclusive(error.to_string()),
        }
    }
}

fn review(right: Right, namespace: Option<&str>) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(right.group.into()),
        namespace: namespace.map(str::to_owned),
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
