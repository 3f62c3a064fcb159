//! What the admission policies of `deploy/chart` refuse to the sidecar's account, though its Role allows it. All other tests
//! run with these policies, too.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use onceway_kit::payload::Incident;
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, Rr};
use serde_json::{Value, json};

/// How long a new policy or a label may take to be enforced.
const ENFORCED: Duration = Duration::from_secs(30);

/// A rig, and what its sidecar's account can reach.
struct Confined {
    rig: Rig,
    leases: Api<Lease>,
    rrs: Api<Rr>,
}

impl Confined {
    async fn start() -> Result<Self> {
        let rig = Rig::replicas(1).start().await?;
        let (client, namespace) = (rig.namespace().sidecars_client()?, rig.namespace().name());
        let (leases, rrs) = (Api::namespaced(client.clone(), namespace), Api::namespaced(client, namespace));
        let confined = Self { rig, leases, rrs };
        let refused = async || {
            let created = confined.create_lease("enforced").await.is_ok();
            if created {
                confined.leases.delete("enforced", &DeleteParams::default()).await.ok();
            }
            Ok((!created).then_some(()))
        };
        until(ENFORCED, "the policies are enforced", refused).await?;
        Ok(confined)
    }

    async fn create_lease(&self, name: &str) -> kube::Result<Lease> {
        self.leases.create(&PostParams::default(), &lease(name)).await
    }

    async fn patch_status(&self, name: &str, status: Value) -> kube::Result<Rr> {
        let patch = Patch::Merge(json!({ "status": status }));
        self.rrs.patch_status(name, &PatchParams::default(), &patch).await
    }

    /// An RR that a sidecar created and counted once.
    async fn counted(&self, deployment: &str) -> Result<String> {
        let incident = Incident::new("prod", deployment);
        assert_eq!(self.rig.alert(0, &incident, 0).await?.status, 201);
        self.rig.rrs_of(&incident).await?.remove(0).metadata.name.context("a name")
    }
}

fn lease(name: &str) -> Lease {
    serde_json::from_value(json!({ "metadata": { "name": name } })).expect("a Lease")
}

/// The message of a refusal by one of the policies.
fn refused<T>(result: kube::Result<T>) -> String {
    match result {
        Err(kube::Error::Api(status)) if status.code == 403 && status.message.contains("ValidatingAdmissionPolicy") => {
            status.message.clone()
        }
        Err(error) => panic!("not refused by a policy: {error}"),
        Ok(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn leases_of_others_cannot_be_written() -> Result<()> {
    let confined = Confined::start().await?;
    confined.create_lease("onceway-1").await?;
    assert!(refused(confined.create_lease("kube-scheduler").await).contains("its own Leases only"));
    // Without `migration.kubernautLocks`.
    refused(confined.create_lease("gw-lock-0123456789abcdef").await);
    let admin = Api::<Lease>::namespaced(confined.rig.namespace().client().clone(), confined.rig.namespace().name());
    admin.create(&PostParams::default(), &lease("operator")).await?;
    let steal = Patch::Merge(json!({ "spec": { "holderIdentity": "me" } }));
    refused(confined.leases.patch("operator", &PatchParams::default(), &steal).await);
    refused(confined.leases.delete("operator", &DeleteParams::default()).await);
    confined.leases.patch("onceway-1", &PatchParams::default(), &steal).await?;
    confined.leases.delete("onceway-1", &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn of_a_status_only_the_count_can_be_changed() -> Result<()> {
    let confined = Confined::start().await?;
    let name = confined.counted("payment-api").await?;
    confined.rig.patch_status(&name, json!({ "overallPhase": "Executing", "message": "a controller's" })).await?;
    confined.patch_status(&name, json!({ "deduplication": { "occurrenceCount": 7 } })).await?;
    for status in [
        json!({ "overallPhase": "Completed" }),
        json!({ "overallPhase": "Skipped" }),
        json!({ "overallPhase": null }),
        json!({ "message": "mine", "deduplication": { "occurrenceCount": 8 } }),
        json!({ "routingStatus": { "duplicateOf": "rr-1" } }),
    ] {
        assert!(refused(confined.patch_status(&name, status).await).contains("status.deduplication only"));
    }
    Ok(())
}

#[tokio::test]
async fn an_unstarted_rr_can_be_skipped_where_the_namespace_says_so_and_nothing_else_of_it() -> Result<()> {
    let confined = Confined::start().await?;
    let name = confined.counted("payment-api").await?;
    let skip = || json!({ "overallPhase": "Skipped", "routingStatus": { "duplicateOf": "rr-1" } });
    refused(confined.patch_status(&name, skip()).await);
    confined.rig.namespace().label("onceway.io/duplicates", "skip").await?;
    refused(confined.patch_status(&name, json!({ "overallPhase": "Completed" })).await);
    confined.rig.set_phase(&name, "Executing").await?;
    // The API server may see the label late, and no RR that a controller has started may ever be skipped.
    refused(confined.patch_status(&name, skip()).await);
    confined.rig.set_phase(&name, "Pending").await?;
    let skipped = async || Ok(confined.patch_status(&name, skip()).await.ok());
    until(ENFORCED, "it may be skipped", skipped).await?;
    Ok(())
}

#[tokio::test]
async fn only_an_rr_of_its_own_without_a_count_can_be_deleted() -> Result<()> {
    let confined = Confined::start().await?;
    let name = confined.counted("payment-api").await?;
    refused(confined.rrs.delete(&name, &DeleteParams::default()).await);
    let foreign = confined.rig.create_foreign(&Incident::new("prod", "cart-api"), "rr-foreign").await?;
    refused(confined.rrs.delete(&foreign.metadata.name.context("a name")?, &DeleteParams::default()).await);
    confined.rig.patch_status(&name, json!({ "deduplication": null })).await?;
    confined.rrs.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}
