//! The doctor on broken clusters: each failure is caused, and found by the check that is for it.

use std::fs;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::Role;
use kube::Api;
use kube::api::PostParams;
use onceway_kit::cluster::{Cluster, deploy};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use onceway_kit::scratch::Scratch;
use serde_json::{Value, json};

use super::{Program, SOON, argument, file};

#[tokio::test]
async fn revoked_rights_are_found_and_named() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let doctor = Program::of(&rig, &rig.cluster().url(), rig.namespace().token()).await?;
    rig.namespace().revoke("onceway-targets").await?;
    let report = doctor.until("optional-rights", "warn").await?;
    assert!(
        report.code == 0 && report.text("optional-rights").contains("get pods"),
        "{}",
        report.text("optional-rights")
    );

    rig.namespace().revoke("onceway-reviews").await?;
    let report = doctor.until("token-review", "fail").await?;
    assert_eq!((report.code, report.with("fail")), (2, vec!["rights", "token-review"]));
    assert!(report.text("rights").contains("create tokenreviews.authentication.k8s.io in the whole cluster"));

    let roles = Api::<Role>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    let mut role = roles.get("onceway").await?;
    role.metadata.resource_version = None;
    for rule in role.rules.iter_mut().flatten() {
        if rule.resources.as_ref().is_some_and(|resources| resources.contains(&"remediationrequests".to_owned())) {
            rule.verbs.retain(|verb| verb != "list");
        }
    }
    roles.replace("onceway", &PostParams::default(), &role).await?;
    let report = doctor.until("remediation-requests", "fail").await?;
    assert!(report.text("rights").contains("list remediationrequests.kubernaut.ai in namespace"));
    for check in ["duplicates", "claims", "budgets"] {
        assert_eq!(report.status(check), "skipped", "{}", report.text(check));
    }
    Ok(())
}

#[tokio::test]
async fn duplicates_old_claims_uncounted_rrs_and_used_budgets_are_found_and_named() -> Result<()> {
    let rig = Rig::replicas(1).with_auth().start().await?;
    let mut doctor = Program::of(&rig, &rig.cluster().url(), rig.namespace().token()).await?;
    // What is old for this configuration is so after a second. The replica has another one, and removes nothing yet.
    let mut config: Value = serde_json::from_str(&fs::read_to_string(rig.dir().join("onceway-0.yaml"))?)?;
    config["housekeeping"]["reapInterval"] = json!("300ms");
    config["limits"]["maxActiveIncidents"] = json!(2);
    doctor.config = Some(file(&rig, "doctor.yaml", &config.to_string())?.into());

    let twice = Incident::new("prod", "payment-api");
    for name in ["rr-one", "rr-two"] {
        rig.create_foreign(&twice, name).await?;
    }
    let mut uncounted = onceway_kit::rig::Rr::new(
        "rr-uncounted",
        rig.create_foreign(&Incident::new("prod", "cart-api"), "rr-cart").await?.spec,
    );
    uncounted.metadata.annotations = Some([("onceway.io/creator".to_owned(), "onceway-9_0123".to_owned())].into());
    rig.rr_api().delete("rr-cart", &kube::api::DeleteParams::default()).await?;
    rig.rr_api().create(&PostParams::default(), &uncounted).await?;
    let gone = Incident::new("prod", "search-api");
    let name = format!("onceway-{}", gone.fingerprint());
    let week_ago = Timestamp::now().as_second() - 7 * 24 * 3600;
    let claim: Lease = serde_json::from_value(json!({
        "metadata": {
            "name": name, "labels": { "app.kubernetes.io/managed-by": "onceway" },
            "annotations": { "onceway.io/intent": "rr-gone", "onceway.io/created": "true", "onceway.io/floor": week_ago.to_string() },
        },
        "spec": { "holderIdentity": "", "leaseTransitions": 1 },
    }))?;
    let leases = Api::<Lease>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    leases.create(&PostParams::default(), &claim).await?;

    let report = doctor.until("remediation-requests", "warn").await?;
    assert!(report.text("remediation-requests").contains("rr-uncounted"), "{}", report.text("remediation-requests"));
    assert_eq!((report.code, report.with("fail")), (2, vec!["duplicates", "budgets"]));
    let expected = format!("{}: rr-one, rr-two", twice.fingerprint());
    assert!(report.text("duplicates").contains(&expected), "{}", report.text("duplicates"));
    assert!(report.text("budgets").contains("limits.maxActiveIncidents: 2 of 2 used"), "{}", report.text("budgets"));
    assert!(report.status("claims") == "warn" && report.text("claims").contains(&name), "{}", report.text("claims"));
    // For people.
    let text = doctor.run(&["doctor"]).await?;
    assert!(text.code == 2 && text.out.contains("FAIL  duplicates") && text.out.contains("      > "), "{}", text.out);
    Ok(())
}

#[tokio::test]
async fn a_cluster_without_the_crd_or_with_one_that_lacks_a_field_is_found_and_a_whole_one_passes() -> Result<()> {
    let cluster = Cluster::start_empty().await?;
    let scratch = Scratch::new("doctor")?;
    let kubeconfig = scratch.path().join("kubeconfig");
    fs::write(&kubeconfig, cluster.admin_kubeconfig("default"))?;
    let doctor = Program::new(kubeconfig).await?;
    let report = doctor.doctor(&[]).await?;
    assert_eq!((report.code, report.status("crd"), report.status("remediation-requests")), (2, "fail", "fail"));
    assert!(report.text("crd").contains("the CRD is absent"), "{}", report.text("crd"));

    let documents = deploy::documents(deploy::crd()?)?;
    let crd = documents.into_iter().find(|document| document["kind"] == "CustomResourceDefinition");
    let mut crd = crd.context("no CRD")?;
    let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties");
    let removed = spec.and_then(Value::as_object_mut).and_then(|fields| fields.remove("providerData"));
    removed.context("the CRD has no spec.providerData")?;
    let path = scratch.path().join("crd.yaml");
    fs::write(&path, crd.to_string())?;
    deploy::apply_crd(&cluster.client()?, &argument(&path)?).await?;
    let report = poll::until(SOON, "the field that is missing", async || {
        let report = doctor.doctor(&[]).await?;
        Ok((report.text("crd").contains("spec.providerData")).then_some(report))
    })
    .await?;
    assert_eq!((report.code, report.status("crd")), (2, "fail"));

    deploy::apply_crd(&cluster.client()?, deploy::crd()?).await?;
    let report = doctor.until("crd", "pass").await?;
    assert_eq!(report.with("fail"), [""; 0]);
    Ok(())
}
