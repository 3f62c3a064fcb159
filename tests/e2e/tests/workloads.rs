//! The workload that an RR names: what exists in a real API server, within a deadline, and at no cost for duplicates.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::StatusCode;
use onceway::health::permissions::{RIGHTS, target_rights};
use onceway::rr::TargetResource;
use onceway_kit::client::ClientResponse;
use onceway_kit::cluster::Object;
use onceway_kit::cluster::deploy::is_our_crd;
use onceway_kit::fault_proxy::{Call, Fault, LEASES, RRS, Rule, Verb};
use onceway_kit::payload::{Alert, event, webhook};
use onceway_kit::poll;
use onceway_kit::rig::{Rig, Rr, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

/// How long the API server may take to apply changed rights.
const SOON: Duration = Duration::from_secs(60);

/// The resources of targets.
const READ: [&str; 7] = ["pods", "replicasets", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"];

fn is_read(call: &Call) -> bool {
    call.verb == Verb::Get && READ.contains(&call.resource.as_str())
}

/// A rig whose lookups no loaded machine makes late.
async fn rig(replicas: usize) -> Result<Rig> {
    Rig::replicas(replicas).with_long_timeouts().config(json!({"limits": {"targetTimeout": "15s"}})).start().await
}

/// Sends an alert that names this object by this label.
async fn alert(rig: &Rig, replica: usize, label: &str, name: &str) -> Result<ClientResponse> {
    let alert = Alert::firing("A").label("namespace", rig.namespace().name()).label(label, name);
    rig.client().clone().alert(rig.sidecar(replica).url(), webhook(&[alert])).await
}

async fn event_about_pod(rig: &Rig, name: &str) -> Result<ClientResponse> {
    let body = event("Pod", rig.namespace().name(), name, "BackOff");
    rig.client().signal(&rig.sidecar(0).url(), Source::KubernetesEvent, body).await
}

/// The RR that a response names.
async fn rr_of(rig: &Rig, response: &ClientResponse, status: u16) -> Result<Rr> {
    ensure!(response.status == status, "{} instead of {status}: {}", response.status, response.text());
    let name = response.json()["remediationRequestName"].as_str().context("no name")?.to_owned();
    Ok(rig.rr_api().get(&name).await?)
}

fn shown(target: &TargetResource) -> String {
    let api_version = target.api_version.as_deref().unwrap_or("-");
    format!("{api_version} {}/{}", target.kind, target.name)
}

/// The target of the RR that a new incident gets.
async fn target_of(rig: &Rig, response: ClientResponse) -> Result<String> {
    let target = rr_of(rig, &response, 201).await?.spec.target_resource;
    ensure!(target.namespace.as_deref() == Some(rig.namespace().name()), "{target:?}");
    Ok(shown(&target))
}

/// Creates these objects.
async fn create(rig: &Rig, objects: impl IntoIterator<Item = Object>) -> Result<()> {
    for object in objects {
        rig.namespace().create(&object).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_pods_rr_names_the_workload_at_the_end_of_its_controllers_for_alerts_and_events_alike() -> Result<()> {
    let rig = rig(1).await?;
    for source in ["alert", "event"] {
        let name = |name: &str| format!("{source}-{name}");
        let (deployment, deployed) = Object::deployment(&name("api"));
        create(&rig, deployment).await?;
        let (cron_job, job, cron_pod) = (name("report"), name("report-28012345"), name("report-28012345-x2k4z"));
        create(
            &rig,
            [
                Object::new("batch/v1", "CronJob", &cron_job),
                Object::new("batch/v1", "Job", &job).of("batch/v1", "CronJob", &cron_job),
                Object::pod(&cron_pod).of("batch/v1", "Job", &job),
                Object::new("apps/v1", "StatefulSet", &name("db")),
                Object::pod(&name("db-0")).of("apps/v1", "StatefulSet", &name("db")),
                Object::new("apps/v1", "DaemonSet", &name("agent")),
                Object::pod(&name("agent-x2k4z")).of("apps/v1", "DaemonSet", &name("agent")),
                // Its name looks like a DaemonSet's.
                Object::new("batch/v1", "Job", &name("install")),
                Object::pod(&name("install-nr78d")).of("batch/v1", "Job", &name("install")),
                Object::pod(&name("build-0")).of("argoproj.io/v1alpha1", "Workflow", &name("build")),
                Object::pod(&name("alone")),
            ],
        )
        .await?;
        for (pod, expected) in [
            (deployed, format!("apps/v1 Deployment/{}", name("api"))),
            (cron_pod, format!("batch/v1 CronJob/{cron_job}")),
            (name("db-0"), format!("apps/v1 StatefulSet/{}", name("db"))),
            (name("agent-x2k4z"), format!("apps/v1 DaemonSet/{}", name("agent"))),
            (name("install-nr78d"), format!("batch/v1 Job/{}", name("install"))),
            (name("build-0"), format!("argoproj.io/v1alpha1 Workflow/{}", name("build"))),
            (name("alone"), format!("v1 Pod/{}", name("alone"))),
        ] {
            let response = match source {
                "alert" => alert(&rig, 0, "pod", &pod).await?,
                _ => event_about_pod(&rig, &pod).await?,
            };
            assert_eq!(target_of(&rig, response).await?, expected, "{pod} by {source}");
        }
    }
    let scrape = rig.sidecar(0).scrape().await?;
    let lookups = |result| scrape.sum("gateway_target_lookups_total", &[("result", result)]);
    assert_eq!((lookups("verified"), lookups("referenced")), (12.0, 2.0), "{}", scrape.text());
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_gone_leaves_the_workload_that_its_name_implies_if_that_exists() -> Result<()> {
    let rig = rig(1).await?;
    create(&rig, [Object::new("apps/v1", "Deployment", "payment-api"), Object::new("apps/v1", "StatefulSet", "db")])
        .await?;
    for (label, name, expected) in [
        ("pod", "payment-api-7d4b9c6f8-x2k4z", "apps/v1 Deployment/payment-api"),
        ("pod", "db-0", "apps/v1 StatefulSet/db"),
        // Nothing exists: as the signal names it.
        ("pod", "cart-api-7d4b9c6f8-x2k4z", "v1 Pod/cart-api-7d4b9c6f8-x2k4z"),
        ("deployment", "search-api", "apps/v1 Deployment/search-api"),
    ] {
        let response = alert(&rig, 0, label, name).await?;
        assert_eq!(target_of(&rig, response).await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_exists_nowhere_is_rejected_if_so_configured_and_nothing_is_written() -> Result<()> {
    let config = json!({"targets": {"missing": "reject"}, "limits": {"targetTimeout": "15s"}});
    let rig = Rig::replicas(1).with_long_timeouts().config(config).start().await?;
    for n in 0..3 {
        let response = alert(&rig, 0, "deployment", "payment-api").await?;
        ensure!(response.status == 200, "{n}: {} {}", response.status, response.text());
        let (body, resource) = (response.json(), format!("{}:Deployment:payment-api", rig.namespace().name()));
        assert_eq!((&body["status"], &body["rejection"]["status"]), (&json!("rejected"), &json!("rejected")));
        assert_eq!(
            (&body["rejection"]["reason"], &body["rejection"]["resource"]),
            (&json!("missing_resource"), &json!(resource))
        );
    }
    let of_incidents = |call: &Call| call.verb.writes() && [LEASES, RRS].contains(&call.resource.as_str());
    assert_eq!(rig.record().count_of(of_incidents), 0, "{}", rig.record().text());
    let scrape = rig.sidecar(0).scrape().await?;
    assert_eq!(scrape.sum("gateway_signals_rejected_total", &[("reason", "missing_resource")]), 3.0);
    // Once it is there, it is remediated; what is counted in an active RR is not looked for again.
    create(&rig, [Object::new("apps/v1", "Deployment", "payment-api")]).await?;
    let created = poll::until(SOON, "the target is found", async || {
        let response = alert(&rig, 0, "deployment", "payment-api").await?;
        Ok((response.status == 201).then_some(response))
    })
    .await?;
    rig.sidecar(0).until_metric("gateway_index_incidents", |incidents| incidents > 0.5).await?;
    rig.namespace().remove(&Object::new("apps/v1", "Deployment", "payment-api")).await?;
    assert_eq!(alert(&rig, 0, "deployment", "payment-api").await?.status, 202);
    assert_eq!(rr_of(&rig, &created, 201).await?.count(), 2);
    Ok(())
}

#[tokio::test]
async fn without_the_right_to_read_targets_are_derived_from_names_and_the_replica_is_ready_and_says_so() -> Result<()> {
    let rig = rig(1).await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects).await?;
    rig.namespace().revoke("onceway-targets").await?;
    // It starts without the right, once the API server has applied that.
    let sidecar = rig.sidecar(0);
    poll::until(SOON, "a replica without the right", async || {
        sidecar.service().kill().await?;
        let before = rig.record().calls().len();
        sidecar.service().restart()?;
        sidecar.until_ready().await?;
        let reviews = RIGHTS.len() + target_rights().count();
        let reviewed = |call: &&Call| call.resource == "selfsubjectaccessreviews" && call.ended.is_some();
        rig.record().wait_for(|calls| calls[before..].iter().filter(reviewed).count() >= reviews).await?;
        let missing = sidecar.scrape().await?.sum("gateway_target_rights_missing", &[]);
        Ok((missing > 16.5).then_some(()))
    })
    .await?;
    let readiness = sidecar.readiness().await?;
    assert_eq!(readiness.status, 200);
    for shown in ["targets", "derived from names alone", "get deployments.apps"] {
        assert!(readiness.text().contains(shown), "{}", readiness.text());
    }
    sidecar.until_in_sync().await?;

    let before = rig.record().calls().len();
    assert_eq!(target_of(&rig, alert(&rig, 0, "pod", &pod).await?).await?, "apps/v1 Deployment/payment-api");
    let reads = rig.record().read(|calls| calls[before..].iter().filter(|call| is_read(call)).count());
    assert_eq!(reads, 0, "{}", rig.record().text());
    let lookups = sidecar.scrape().await?.sum("gateway_target_lookups_total", &[("result", "no_right")]);
    assert_eq!(lookups, 1.0);
    Ok(())
}

#[tokio::test]
async fn a_refusal_to_one_read_costs_a_less_exact_target_and_nothing_else() -> Result<()> {
    let rig = rig(1).await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects).await?;
    rig.proxy(0).rule(Rule::on(Verb::Get, "replicasets"), Fault::Respond(StatusCode::FORBIDDEN));
    assert_eq!(target_of(&rig, alert(&rig, 0, "pod", &pod).await?).await?, "apps/v1 Deployment/payment-api");
    assert!(rig.sidecar(0).is_ready().await);
    Ok(())
}

#[tokio::test]
async fn reads_that_do_not_end_delay_an_rr_by_their_deadline_and_change_no_count() -> Result<()> {
    let config = json!({"limits": {"targetTimeout": "300ms"}});
    let rig = Rig::replicas(2).with_long_timeouts().config(config).start().await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects).await?;
    let holds = [0, 1].map(|replica| rig.proxy(replica).rule(Rule::on(Verb::Get, "pods"), Fault::Hold));
    let send = |replica| alert(&rig, replica, "pod", &pod);
    let (a, b, c, d) = tokio::join!(send(0), send(1), send(0), send(1));
    let statuses = [a?, b?, c?, d?].map(|response| response.status.as_u16());
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 202].contains(status)), "{statuses:?}");
    let [rr] = &rig.rrs().await?[..] else { panic!("not one RR: {}", rig.record().text()) };
    assert_eq!(rr.count(), 4);
    // By its name, which is certain.
    assert_eq!(shown(&rr.spec.target_resource), "apps/v1 Deployment/payment-api");
    assert!(holds.iter().map(|hold| hold.injected()).sum::<u64>() >= 1);
    Ok(())
}

#[tokio::test]
async fn the_target_is_looked_for_while_the_claim_is_taken() -> Result<()> {
    let rig = rig(1).await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects).await?;
    let claim = rig.proxy(0).rule(Rule::on(Verb::Create, LEASES).once(), Fault::Hold);
    let sent = alert(&rig, 0, "pod", &pod);
    let watched = async {
        claim.reached().await;
        let read = |call: &Call| call.is(Verb::Get, "deployments") && call.ended.is_some();
        rig.record().wait_for(|calls| calls.iter().any(read)).await?;
        claim.release();
        anyhow::Ok(())
    };
    let (response, watched) = tokio::join!(sent, watched);
    watched?;
    assert_eq!(target_of(&rig, response?).await?, "apps/v1 Deployment/payment-api");
    Ok(())
}

#[tokio::test]
async fn duplicates_look_for_nothing() -> Result<()> {
    let rig = rig(2).await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects).await?;
    let rr = rr_of(&rig, &alert(&rig, 0, "pod", &pod).await?, 201).await?;
    assert_eq!(rig.record().count_of(is_read), 3, "{}", rig.record().text());
    for sidecar in rig.sidecars() {
        sidecar.until_metric("gateway_index_incidents", |incidents| incidents > 0.5).await?;
    }
    for n in 0..10 {
        assert_eq!(alert(&rig, n % 2, "pod", &pod).await?.status, 202);
    }
    assert_eq!(rig.record().count_of(is_read), 3, "{}", rig.record().text());
    // kubernaut's CRD demands more of an outcome.
    if is_our_crd()? {
        // A terminal RR that still takes signals is no new one either, at a replica that has forgotten it.
        let review = json!({"overallPhase": "Failed", "completionStatus": {"outcome": "ManualReviewRequired"}});
        rig.patch_status(rr.name(), review).await?;
        for sidecar in rig.sidecars() {
            sidecar.until_metric("gateway_index_incidents", |incidents| incidents < 0.5).await?;
        }
        for n in 0..4 {
            assert_eq!(alert(&rig, n % 2, "pod", &pod).await?.status, 202);
        }
        assert_eq!(rig.record().count_of(is_read), 3, "{}", rig.record().text());
        rig.patch_status(rr.name(), json!({"completionStatus": {"outcome": "Failed"}})).await?;
    } else {
        rig.patch_status(rr.name(), json!({"overallPhase": "Failed"})).await?;
    }
    // What begins anew is looked for anew.
    rr_of(&rig, &alert(&rig, 1, "pod", &pod).await?, 201).await?;
    assert_eq!(rig.record().count_of(is_read), 6, "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_create_whose_response_is_lost_is_repeated_with_the_same_spec_and_there_is_one_rr() -> Result<()> {
    let rig = rig(1).await?;
    let (objects, pod) = Object::deployment("payment-api");
    create(&rig, objects.clone()).await?;
    let lost = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).times(2), Fault::CutBefore);
    let sent = alert(&rig, 0, "pod", &pod);
    let watched = async {
        lost.reached().await;
        // What exists has changed before the create is repeated.
        for object in &objects {
            rig.namespace().remove(object).await?;
        }
        anyhow::Ok(())
    };
    let (response, watched) = tokio::join!(sent, watched);
    watched?;
    let response = response?;
    assert_eq!(target_of(&rig, response).await?, "apps/v1 Deployment/payment-api");

    let (objects, pod) = Object::deployment("cart-api");
    create(&rig, objects).await?;
    rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::LoseResponse);
    let rr = rr_of(&rig, &alert(&rig, 0, "pod", &pod).await?, 201).await?;
    assert_eq!((rr.count(), shown(&rr.spec.target_resource)), (1, "apps/v1 Deployment/cart-api".to_owned()));
    assert_eq!(rig.rrs().await?.len(), 2);

    let mut specs: Vec<Vec<Value>> = Vec::new();
    for call in rig.record().calls().iter().filter(|call| call.is(Verb::Create, RRS)) {
        let spec = serde_json::from_slice::<Value>(&call.body)?["spec"].take();
        match specs.iter_mut().find(|of_name| of_name[0]["signalFingerprint"] == spec["signalFingerprint"]) {
            Some(of_name) => of_name.push(spec),
            None => specs.push(vec![spec]),
        }
    }
    assert_eq!(specs.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2], "{}", rig.record().text());
    assert!(specs.iter().all(|of_name| of_name.iter().all(|spec| *spec == of_name[0])), "{specs:?}");
    Ok(())
}

#[tokio::test]
async fn names_alone_or_the_signal_alone_are_used_where_that_is_configured() -> Result<()> {
    for (resolve, expected) in
        [("derive", "apps/v1 Deployment/payment-api"), ("named", "- Pod/payment-api-7d4b9c6f8-x2k4z")]
    {
        let rig = Rig::replicas(1).config(json!({"targets": {"resolve": resolve}})).start().await?;
        let response = alert(&rig, 0, "pod", "payment-api-7d4b9c6f8-x2k4z").await?;
        assert_eq!(target_of(&rig, response).await?, expected);
        assert_eq!(rig.record().count_of(is_read), 0);
        let reviewed =
            |call: &Call| call.resource == "selfsubjectaccessreviews" && call.body.windows(6).any(|s| s == b"\"pods\"");
        assert_eq!(rig.record().count_of(reviewed), 0, "rights that are not used are not reviewed");
    }
    Ok(())
}
