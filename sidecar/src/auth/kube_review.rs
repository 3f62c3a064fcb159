//! Asks the API server about senders: TokenReview and SubjectAccessReview.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::review::{Question, Review, Undecided, Verdict};
use super::scope::AccessScope;
use super::sender::Sender;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

/// Reviews in flight in a replica. More wait, for at most `limits.apiCallTimeout`.
const MAX_REVIEWS: usize = 8;
/// The virtual resource that a sender must be allowed to create: no API serves it.
const SIGNALS: (&str, &str) = ("onceway.io", "signals");
const CREATE: &str = "create";

/// Settings of a [`KubeReview`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// `auth.audiences`.
    pub audiences: Vec<String>,
    /// The sidecar's namespace, with the Service of `auth.gatewayService`.
    pub namespace: String,
    /// `auth.gatewayService`.
    pub gateway_service: String,
    /// `limits.apiCallTimeout`.
    pub call_timeout: Duration,
}

/// Asks the API server, a bounded number of questions at a time.
pub struct KubeReview {
    client: Client,
    settings: Settings,
    in_flight: Semaphore,
    recheck: PermissionRecheck,
    metrics: Arc<Metrics>,
}

impl KubeReview {
    /// Asks over `client`. A 401 or 403 to a review itself requests a recheck of the permissions.
    pub fn new(client: Client, settings: Settings, recheck: PermissionRecheck, metrics: Arc<Metrics>) -> Self {
        Self { client, settings, in_flight: Semaphore::new(MAX_REVIEWS), recheck, metrics }
    }

    /// Creates a review; `resource` is its label in the metrics.
    async fn create<K>(&self, resource: &'static str, review: &K) -> Result<K, Undecided>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        let limit = self.settings.call_timeout;
        let began = Instant::now();
        let call = async {
            // Fails only on a closed semaphore; this one is never closed.
            let _permit = self.in_flight.acquire().await;
            Api::all(self.client.clone()).create(&PostParams::default(), review).await
        };
        let reviewed = timeout(limit, call).await;
        let (outcome, reviewed) = match reviewed {
            Err(_) => ("timeout", Err(format!("no response within {} ms", limit.as_millis()))),
            Ok(Ok(reviewed)) => ("ok", Ok(reviewed)),
            Ok(Err(error)) => (label(&error), Err(error.to_string())),
        };
        if matches!(outcome, "unauthorized" | "forbidden") {
            self.recheck.request();
        }
        self.metrics.api_call(CREATE, resource, outcome, began.elapsed());
        reviewed.map_err(|reason| Undecided { reason })
    }

    async fn review_token(&self, token: &str) -> Result<Verdict<Sender>, Undecided> {
        let audiences = Some(self.settings.audiences.clone()).filter(|audiences| !audiences.is_empty());
        let spec = TokenReviewSpec { audiences, token: token.to_owned() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = self.create("tokenreviews", &review).await?.status.ok_or_else(no_status)?;
        if status.authenticated != Some(true) {
            return undecided_if_temporary(status.error.as_deref()).map(|()| Verdict::Denied);
        }
        // An API server that knows no audiences reviews the token for itself, and names none.
        let named = status.audiences.unwrap_or_default();
        let wanted = &self.settings.audiences;
        if !wanted.is_empty() && !named.iter().any(|audience| wanted.contains(audience)) {
            return Ok(Verdict::Denied);
        }
        Ok(status.user.and_then(Sender::of).map_or(Verdict::Denied, Verdict::Allowed))
    }

    async fn review_access(&self, sender: &Sender, question: &Question) -> Result<Verdict<()>, Undecided> {
        let user = sender.user().clone();
        let spec = SubjectAccessReviewSpec {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
            resource_attributes: Some(self.attributes(question)),
            non_resource_attributes: None,
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = self.create("subjectaccessreviews", &review).await?.status;
        let status = status.ok_or_else(no_status)?;
        if status.allowed {
            return Ok(Verdict::Allowed(()));
        }
        undecided_if_temporary(status.evaluation_error.as_deref()).map(|()| Verdict::Denied)
    }

    fn attributes(&self, question: &Question) -> ResourceAttributes {
        let (group, resource, namespace, name) = match question {
            Question::Signal(AccessScope::Namespace(namespace)) => {
                (SIGNALS.0, SIGNALS.1, Some(namespace.to_string()), None)
            }
            // Without a namespace: in all of them, and for what has none.
            Question::Signal(AccessScope::Cluster) => (SIGNALS.0, SIGNALS.1, None, None),
            Question::Gateway => {
                let Settings { namespace, gateway_service, .. } = &self.settings;
                ("", "services", Some(namespace.clone()), Some(gateway_service.clone()))
            }
        };
        ResourceAttributes {
            verb: Some(CREATE.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            namespace,
            name,
            ..ResourceAttributes::default()
        }
    }
}

fn no_status() -> Undecided {
    Undecided { reason: "a review without a status".to_owned() }
}

/// Words in errors of authenticators and authorizers that are away for a while. Other errors are no reason to doubt a denial:
/// every invalid token has one, and one dangling RoleBinding anywhere sets `evaluationError`.
const TEMPORARY: [&str; 9] = [
    "timed out",
    "timeout",
    "deadline exceeded",
    "etcdserver",
    "connection refused",
    "connection reset",
    "unavailable",
    "could not retrieve",
    "failed to call",
];

fn undecided_if_temporary(error: Option<&str>) -> Result<(), Undecided> {
    match error {
        Some(error) if TEMPORARY.iter().any(|word| error.contains(word)) => Err(Undecided { reason: error.to_owned() }),
        _ => Ok(()),
    }
}

impl Review for KubeReview {
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verdict<Sender>, Undecided>> {
        self.review_token(token).boxed()
    }

    fn access<'a>(
        &'a self,
        sender: &'a Sender,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Verdict<()>, Undecided>> {
        self.review_access(sender, question).boxed()
    }
}

/// The metrics' label of a review without a verdict; one of those of all API calls.
fn label(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) => match status.code {
            401 => "unauthorized",
            403 => "forbidden",
            429 => "throttled",
            400..500 => "refused",
            _ => "server_error",
        },
        _ => "connection",
    }
}

#[cfg(test)]
mod tests;
