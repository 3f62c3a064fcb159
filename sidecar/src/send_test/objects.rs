//! The test's objects in the cluster: finds them, and removes what is its own.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::core::params::Preconditions;
use kube::{Api, ResourceExt};
use onceway_signal::Fingerprint;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::signal::TestSignal;
use crate::cluster_access::{Cluster, reason};
use crate::executor::claim_name;
use crate::rr::{CREATOR, RemediationRequest};

/// RRs per page of a search, which is needed only if no response names the RR.
const PAGE: u32 = 50;
/// Pages of a search.
const MAX_PAGES: usize = 400;
/// How often the removal of a claim is tried: its replica may write to it after the response.
const TRIES: usize = 20;
/// The pause between two reads.
const PAUSE: Duration = Duration::from_millis(100);
/// The label of what Onceway creates.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "onceway");

/// An RR of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundRr {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) count: i64,
    /// The replica that created it.
    pub(super) replica: Option<String>,
}

/// An object that is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Left {
    /// As kubectl names it.
    pub(super) object: String,
    /// Why.
    pub(super) why: String,
    /// What removes it.
    pub(super) command: String,
}

/// What became of the test's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) removed: Vec<String>,
    pub(super) left: Vec<Left>,
}

/// RRs as they are, however malformed.
pub(super) fn rr_api(cluster: &Cluster, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<RemediationRequest>(&());
    Api::namespaced_with(cluster.client.clone(), namespace, &resource)
}

/// Reads the RR of this name until it is counted; `Err` if it is not within the time, or is not the test's.
pub(super) async fn counted(
    cluster: &Cluster,
    signal: &TestSignal,
    (namespace, name): (&str, &str),
    deadline: Instant,
) -> Result<FoundRr, String> {
    let rrs = rr_api(cluster, namespace);
    let mut last = format!("RemediationRequest {namespace}/{name} is not there");
    loop {
        let Ok(read) = timeout_at(deadline, rrs.get_opt(name)).await else { return Err(last) };
        match read {
            Ok(Some(rr)) if !signal.owns(&rr.data) => {
                return Err(format!("RemediationRequest {namespace}/{name} is not that of this test"));
            }
            Ok(Some(rr)) => {
                let found = found(&rr, namespace);
                if found.count > 0 {
                    return Ok(found);
                }
                last = format!("RemediationRequest {namespace}/{name} has no count");
            }
            Ok(None) => {}
            Err(error) => last = format!("cannot read RemediationRequest {namespace}/{name}: {}", reason(&error)),
        }
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() {
            return Err(last);
        }
    }
}

fn found(rr: &DynamicObject, namespace: &str) -> FoundRr {
    let text = |place: &str| rr.data.pointer(place).and_then(Value::as_str);
    let creator = rr.annotations().get(CREATOR).map(String::as_str);
    FoundRr {
        name: rr.name_any(),
        namespace: namespace.to_owned(),
        uid: rr.uid().unwrap_or_default(),
        fingerprint: text("/spec/signalFingerprint").and_then(|fingerprint| fingerprint.parse().ok()),
        count: rr.data.pointer("/status/deduplication/occurrenceCount").and_then(Value::as_i64).unwrap_or(0),
        replica: creator.map(|creator| creator.rsplit_once('_').map_or(creator, |(pod, _)| pod).to_owned()),
    }
}

/// All RRs of the test in a namespace, by its label: whatever the replicas' rules are.
pub(super) async fn search(
    cluster: &Cluster,
    namespace: &str,
    signal: &TestSignal,
    deadline: Instant,
) -> Result<Vec<FoundRr>, String> {
    let (rrs, first) = (rr_api(cluster, namespace), ListParams::default().limit(PAGE));
    let (mut all, mut params) = (Vec::new(), first.clone());
    for _ in 0..MAX_PAGES {
        let page = timeout_at(deadline, rrs.list(&params)).await.map_err(|_| "no list in time".to_owned())?;
        let page = page.map_err(|error| reason(&error))?;
        let own = page.items.iter().filter(|rr| signal.owns(&rr.data));
        all.extend(own.map(|rr| found(rr, namespace)));
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params = first.clone().continue_token(&next),
            None => return Ok(all),
        }
    }
    Err(format!("more than {} RemediationRequests; not all were looked at", MAX_PAGES * PAGE as usize))
}

/// Removes the RRs and the claim of the test until `deadline`. An RR goes first: its claim would protect it from GC.
pub(super) async fn remove(
    cluster: &Cluster,
    rrs: &[FoundRr],
    claim: Option<(&str, Fingerprint)>,
    deadline: Instant,
) -> Cleaned {
    let mut cleaned = Cleaned::default();
    for rr in rrs {
        let object = format!("remediationrequest {}/{}", rr.namespace, rr.name);
        let command = format!("kubectl delete remediationrequest {} --namespace {}", rr.name, rr.namespace);
        let removal = timeout_at(deadline, remove_rr(cluster, rr)).await;
        cleaned.add(object, command, removal.unwrap_or_else(|_| Err("no response in time".to_owned())));
    }
    if let Some((namespace, fingerprint)) = claim {
        let name = claim_name(fingerprint);
        let (object, command) =
            (format!("lease {namespace}/{name}"), format!("kubectl delete lease {name} --namespace {namespace}"));
        let removal = timeout_at(deadline, remove_claim(cluster, namespace, &name)).await;
        cleaned.add(object, command, removal.unwrap_or_else(|_| Err("no response in time".to_owned())));
    }
    cleaned
}

impl Cleaned {
    /// `Ok(false)`: it was not there.
    fn add(&mut self, object: String, command: String, removal: Result<bool, String>) {
        match removal {
            Ok(true) => self.removed.push(object),
            Ok(false) => {}
            Err(why) => self.left.push(Left { object, why, command }),
        }
    }
}

async fn remove_rr(cluster: &Cluster, rr: &FoundRr) -> Result<bool, String> {
    let same = Preconditions { uid: Some(rr.uid.clone()), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match rr_api(cluster, &rr.namespace).delete(&rr.name, &params).await {
        // It stays until its finalizers are gone, which are another controller's.
        Ok(deleted) => match deleted.left().filter(|left| !left.finalizers().is_empty()) {
            Some(left) => {
                let finalizers = left.finalizers().join(", ");
                Err(format!("it is marked for deletion, and waits for its finalizers: {finalizers}"))
            }
            None => Ok(true),
        },
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(reason(&error)),
    }
}

async fn remove_claim(cluster: &Cluster, namespace: &str, name: &str) -> Result<bool, String> {
    let leases = Api::<Lease>::namespaced(cluster.client.clone(), namespace);
    let mut last = "it changes all the time".to_owned();
    for _ in 0..TRIES {
        let lease = match leases.get_opt(name).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(false),
            Err(error) => return Err(reason(&error)),
        };
        if lease.labels().get(MANAGED_BY.0).map(String::as_str) != Some(MANAGED_BY.1) {
            return Err("it has not Onceway's label: another client has changed it".to_owned());
        }
        let same = Preconditions { uid: lease.uid(), resource_version: lease.resource_version() };
        let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
        match leases.delete(name, &params).await {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(true),
            // Its replica has confirmed it meanwhile.
            Err(kube::Error::Api(status)) if status.code == 409 => last = status.message.clone(),
            Err(error) => return Err(reason(&error)),
        }
        sleep(PAUSE).await;
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use serde_json::{Value, json};

    use super::{Cleaned, found};

    fn rr(object: Value) -> DynamicObject {
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn an_rr_is_read_with_its_count_and_the_replica_that_created_it() {
        let object = json!({
            "apiVersion": "kubernaut.ai/v1alpha1", "kind": "RemediationRequest",
            "metadata": {"name": "rr-1", "uid": "u", "annotations": {"onceway.io/creator": "onceway-7d4b-x2k4z_0123abcd"}},
            "spec": {"signalFingerprint": "a".repeat(64)},
            "status": {"deduplication": {"occurrenceCount": 1}},
        });
        let found = found(&rr(object), "incidents");
        assert_eq!((found.count, found.replica.as_deref()), (1, Some("onceway-7d4b-x2k4z")));
        assert_eq!(found.fingerprint.unwrap().to_string(), "a".repeat(64));
    }

    #[test]
    fn what_could_not_be_removed_is_named_with_a_command() {
        let mut cleaned = Cleaned::default();
        cleaned.add("lease a/b".into(), "kubectl delete lease b".into(), Err("403".into()));
        cleaned.add("lease a/c".into(), String::new(), Ok(false));
        cleaned.add("lease a/d".into(), String::new(), Ok(true));
        assert_eq!((cleaned.left.len(), &cleaned.removed[..]), (1, &["lease a/d".to_owned()][..]));
    }
}
