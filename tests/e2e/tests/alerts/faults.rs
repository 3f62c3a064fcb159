//! Faults of a running system, and the alerts that they cause: the table of docs/operations/README.md is this test's output.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use onceway_kit::client::Client;
use onceway_kit::envoy::configure_filter;
use onceway_kit::fault_proxy::{Fault, RR_STATUS, Rule, TOKEN_REVIEWS, Verb};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll;
use onceway_kit::prometheus::Job;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::system::{BUDGET, Sender, System};
use super::watch::Watch;
use super::{dashboard, metrics, picture};

/// How long the API server may take to apply a changed binding.
const SOON: Duration = Duration::from_secs(30);
/// How often a replica crashes, and how long it lives after each: a few scrapes.
const CRASHES: usize = 4;
const LIFE: Duration = Duration::from_secs(2);
/// The variable that names the file for the dashboard's picture; without it, it goes to the rig's folder.
const PICTURE: &str = "ONCEWAY_DASHBOARD_PICTURE";

#[tokio::test]
async fn every_fault_of_a_running_system_reaches_alertmanager_and_is_resolved() -> Result<()> {
    let system = System::start().await?;
    let began = Timestamp::now();
    let started = Instant::now();
    system.watch.until_quiet().await.context("before any fault")?;
    a_right_is_revoked(&system).await?;
    // They differ in their ports, as the replicas of a Deployment do not.
    let mixed = ["OncewayMixedConfiguration"];
    system.watch.until_active("the replicas have different configurations", started, &mixed).await?;
    the_api_server_is_stopped(&system).await?;
    too_many_incidents(&system).await?;
    a_replica_is_killed(&system).await?;
    a_replica_crashes(&system).await?;
    senders_cannot_be_checked(&system).await?;
    everything_is_killed(&system).await?;
    small_faults(&system).await?;
    println!("{}", system.watch.table());
    metrics::exist(&system.watch.prometheus).await?;
    let (start, end) = (began.as_second() as f64, Timestamp::now().as_second() as f64);
    let filled = dashboard::fill(&system.watch.prometheus, start, end).await?;
    let picture = picture::draw(&filled, start, end);
    let path = env::var_os(PICTURE).map_or_else(|| system.rig.dir().join("dashboard.svg"), PathBuf::from);
    Ok(fs::write(&path, picture)?)
}

/// Faults that do not hinder each other, at once: a filter that traps, a duplicate, a denied sender, a wrong clock, an API server that
/// throttles, workloads that may not be read.
async fn small_faults(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    system.trap().await?;
    rig.create_foreign(&Incident::new("prod", "twice"), "rr-first").await?;
    rig.create_foreign(&Incident::new("prod", "twice"), "rr-second").await?;
    let nobody = Sender::start(Client::new(), rig.envoy().url(), |n| Incident::new("prod", "nobody").webhook(n));
    let early = Sender::start(rig.client().clone(), rig.envoy().url(), |n| {
        let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
        webhook(&[Incident::new("prod", "early").alert(n).beginning(tomorrow)])
    });
    let throttle = Fault::RespondRetryAfter(StatusCode::TOO_MANY_REQUESTS, 1);
    let throttling = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&throttling);
    // Every second call, so that signals are still counted.
    let rule = Rule::on(Verb::Patch, RR_STATUS).every(2).only(move |_| now.load(Ordering::Relaxed));
    for replica in 0..3 {
        rig.proxy(replica).rule(rule.clone(), throttle.clone());
    }
    rig.namespace().revoke("onceway-targets").await?;
    until_denied(rig, "get", "apps", "deployments").await?;
    // Whether the right is there is asked when a workload is looked for: of a new incident.
    rig.alert(0, &Incident::new("prod", "unread"), 0).await?;
    tokio::try_join!(
        watch.until_active("the filter traps on a request", caused, &["OncewayFilterTraps"]),
        watch.until_active("another client makes a second RR", caused, &["OncewayDuplicateRemediationRequests"]),
        watch.until_active("a sender has no token", caused, &["OncewaySendersDenied"]),
        watch.until_active("a sender's clock is a day ahead", caused, &["OncewaySignalsMisdated"]),
        watch.until_active(
            "the API server answers every second write with 429",
            caused,
            &["OncewayApiServerThrottles"]
        ),
        watch.until_active("the ClusterRoleBinding of the targets is deleted", caused, &["OncewayTargetRightMissing"]),
    )?;
    drop((nobody, early));
    throttling.store(false, Ordering::Relaxed);
    watch
        .until_resolved(&[
            "OncewayFilterTraps",
            "OncewayDuplicateRemediationRequests",
            "OncewaySendersDenied",
            "OncewaySignalsMisdated",
            "OncewayApiServerThrottles",
        ])
        .await
}

/// Waits until the API server knows that the sidecars have lost a right in the whole cluster.
async fn until_denied(rig: &Rig, verb: &str, group: &str, resource: &str) -> Result<()> {
    let reviews = Api::<SelfSubjectAccessReview>::all(rig.namespace().sidecars_client()?);
    let review: SelfSubjectAccessReview = serde_json::from_value(json!({
        "spec": { "resourceAttributes": { "verb": verb, "group": group, "resource": resource } },
    }))?;
    poll::until(SOON, "the right to be lost", async || {
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| !status.allowed).then_some(()))
    })
    .await
}

async fn a_replica_is_killed(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    rig.sidecar(2).service().kill().await?;
    watch.until_active("a sidecar is killed", caused, &["OncewayReplicaDown", "OncewayReplicaUnhealthy"]).await?;
    rig.sidecar(2).service().restart()?;
    watch.until_resolved(&["OncewayReplicaDown", "OncewayReplicaUnhealthy"]).await
}

async fn a_right_is_revoked(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let bindings = Api::<RoleBinding>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    let mut binding = bindings.get("onceway").await?;
    let caused = Instant::now();
    bindings.delete("onceway", &DeleteParams::default()).await?;
    let alerts = [
        "OncewayRightMissing",
        "OncewayNoReplicaReady",
        "OncewayReplicaNotReady",
        "OncewayNoHealthyReplica",
        "OncewaySignalsFailing",
        "OncewayEnvoyFailsRequests",
    ];
    watch.until_active("the RoleBinding is deleted", caused, &alerts).await?;
    binding.metadata.resource_version = None;
    bindings.create(&PostParams::default(), &binding).await?;
    watch.until_resolved(&alerts).await
}

async fn the_api_server_is_stopped(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    rig.cluster().apiserver().freeze()?;
    let crowd = system.crowd();
    let alerts = ["OncewayApiServerUnreachable", "OncewayIndexOutOfSync", "OncewaySignalsFailing"];
    watch.until_active("the API server is stopped (SIGSTOP)", caused, &alerts).await?;
    watch.until_active("and senders crowd", caused, &["OncewayShedsLoad"]).await?;
    drop(crowd);
    rig.cluster().apiserver().thaw()?;
    watch.until_resolved(&alerts).await?;
    watch.until_resolved(&["OncewayShedsLoad"]).await
}

async fn too_many_incidents(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    let flood = system.new_incidents();
    let alerts = ["OncewayBudgetNearlyUsed", "OncewayBudgetExceeded"];
    watch.until_active(&format!("a flood of incidents, more than the budget of {BUDGET}"), caused, &alerts).await?;
    drop(flood);
    for rr in rig.rrs().await? {
        rig.set_phase(rr.name(), "Completed").await?;
    }
    watch.until_resolved(&alerts).await
}

/// Each time it lives for a few scrapes, so that no other alert sees it.
async fn a_replica_crashes(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    for _ in 0..CRASHES {
        rig.sidecar(2).service().kill().await?;
        rig.sidecar(2).service().restart()?;
        sleep(LIFE).await;
    }
    watch.until_active("a sidecar crashes again and again", caused, &["OncewayCrashLoop"]).await?;
    watch.until_resolved(&["OncewayCrashLoop"]).await
}

/// The API server's authenticator is broken: senders that are not known yet get 503 before their body is read.
async fn senders_cannot_be_checked(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let broken = Arc::new(AtomicBool::new(true));
    let now = Arc::clone(&broken);
    let reviews = Rule::on(Verb::Create, TOKEN_REVIEWS).only(move |_| now.load(Ordering::Relaxed));
    for replica in 0..3 {
        rig.proxy(replica).rule(reviews.clone(), Fault::Respond(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let caused = Instant::now();
    let unknown = Client::new().with_token("a.token.that-nobody-knows");
    let sender = Sender::start(unknown, rig.envoy().url(), |n| Incident::new("prod", "unknown").webhook(n));
    watch.until_active("token reviews fail", caused, &["OncewayFailsRequests"]).await?;
    drop(sender);
    broken.store(false, Ordering::Relaxed);
    watch.until_resolved(&["OncewayFailsRequests"]).await
}

async fn everything_is_killed(system: &System) -> Result<()> {
    let System { watch, rig, .. } = system;
    let caused = Instant::now();
    for sidecar in rig.sidecars() {
        sidecar.service().kill().await?;
    }
    watch.until_active("all sidecars are killed", caused, &["OncewayDown", "OncewayNoHealthyReplica"]).await?;
    for sidecar in rig.sidecars() {
        sidecar.service().restart()?;
    }
    watch.until_resolved(&["OncewayDown", "OncewayNoHealthyReplica"]).await?;
    let caused = Instant::now();
    rig.envoy().service().kill().await?;
    watch.until_active("Envoy is killed", caused, &["OncewayEnvoyDown"]).await?;
    rig.envoy().service().restart()?;
    watch.until_resolved(&["OncewayEnvoyDown"]).await
}

#[tokio::test]
async fn a_filter_with_other_target_rules_and_no_authentication_reach_alertmanager() -> Result<()> {
    let rules = json!({ "rules": [{ "when": { "namespace": "prod" }, "kind": "Service", "name": ["deployment"] }] });
    let rig = Rig::replicas(1).with_envoy_edited(move |envoy| configure_filter(envoy, &json!({ "targets": rules })));
    let caused = Instant::now();
    let rig = rig.start().await?;
    let watch = Watch::start(&rig, vec![Job::sidecars(&rig), Job::envoy(&rig)]).await?;
    let _sender =
        Sender::start(rig.client().clone(), rig.envoy().url(), |n| Incident::new("prod", "payment-api").webhook(n));
    watch.until_active("auth.mode is none", caused, &["OncewayAuthenticatesNobody"]).await?;
    watch.until_active("the filter has other target rules", caused, &["OncewayFingerprintMismatch"]).await?;
    println!("{}", watch.table());
    Ok(())
}
