//! A storm of new incidents and another client of a small API server with priority and fairness on. What the tests compare are the
//! API server's own counters of requests and seats.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::flowcontrol::v1::PriorityLevelConfiguration;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use onceway_kit::cluster::{Cluster, FlowControl, ISSUER, LevelRequests};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use onceway_kit::storm::Running;
use serde_json::json;
use tokio::time::Instant;

/// 60 seats in all, a tenth of what an API server has by default: 3 for Onceway, and 24 for the other service accounts.
const FLAGS: [&str; 2] = ["--max-requests-inflight=30", "--max-mutating-requests-inflight=30"];
/// The API server's own FlowSchema for service accounts, and its priority level.
const SERVICE_ACCOUNTS: &str = "service-accounts";
const WORKLOAD_LOW: &str = "workload-low";
/// How long a state may take to be seen.
const LIMIT: Duration = Duration::from_secs(60);
/// More incidents at once than the API server has seats.
const INCIDENTS: usize = 100;

/// Two replicas at an API server of their own with few seats.
async fn rig() -> Result<Rig> {
    let cluster = Cluster::start_with_flags(&FLAGS).await?;
    Rig::replicas(2).in_cluster(cluster).without_fault_proxies().with_long_timeouts().start().await
}

/// Another client, with a service account of its own: a controller, say.
struct Controller(Api<ConfigMap>);

impl Controller {
    async fn of(rig: &Rig) -> Result<Arc<Self>> {
        let (cluster, namespace) = (rig.cluster(), rig.namespace().name());
        let token = cluster.service_account_token(namespace, "controller", ISSUER).await?;
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": { "name": "controller" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": "controller", "namespace": namespace }],
        }))?;
        Api::namespaced(cluster.client()?, namespace).create(&PostParams::default(), &binding).await?;
        let controller = Self(Api::namespaced(cluster.client_of(&token)?, namespace));
        // The API server grants the right when it has seen the binding.
        poll::until(LIMIT, "the controller may write", async || Ok(controller.write().await.ok())).await?;
        Ok(Arc::new(controller))
    }

    /// One write; how long it took.
    async fn write(&self) -> Result<Duration> {
        let mut object = ConfigMap::default();
        object.metadata.generate_name = Some("state-".to_owned());
        let began = Instant::now();
        self.0.create(&PostParams::default(), &object).await.context("the controller's write")?;
        Ok(began.elapsed())
    }
}

/// What was seen of a storm.
struct Seen {
    /// The most seats that the requests of Onceway's level had.
    seats: f64,
    /// The most of its requests that waited for one.
    waiting: f64,
    /// The controller's writes, and the slowest.
    writes: usize,
    slowest: Duration,
}

/// A storm of new incidents, and beside it a controller that writes one object after the other, until the storm has ended.
async fn storm(rig: &Rig, level: &str, controller: &Controller) -> Result<Seen> {
    let incidents = Incident::several("prod", INCIDENTS);
    let storm = rig.storm(incidents).signals(INCIDENTS as u64).concurrency(INCIDENTS).start();
    let mut seen = Seen { seats: 0.0, waiting: 0.0, writes: 0, slowest: Duration::ZERO };
    let admin: Client = rig.cluster().client()?;
    while !storm.is_finished() {
        let (metrics, took) = tokio::join!(FlowControl::scrape(&admin), controller.write());
        let metrics = metrics?;
        seen.seats = seen.seats.max(metrics.seats(level));
        seen.waiting = seen.waiting.max(metrics.waiting(level));
        seen.slowest = seen.slowest.max(took?);
        seen.writes += 1;
    }
    rig.verdict(&storm.report().await).await?;
    Ok(seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_incidents_takes_no_more_than_its_seats_and_no_other_account_is_rejected() -> Result<()> {
    let rig = rig().await?;
    let controller = Controller::of(&rig).await?;
    let ours = rig.namespace().apply_flow_control().await?;
    let before = rig.cluster().flow_control().await?;
    let seen = storm(&rig, &ours, &controller).await?;
    let after = rig.cluster().flow_control().await?;
    println!(
        "{} of {} seats, {} waiting; {} writes of the controller, the slowest {:?}",
        seen.seats,
        after.nominal_seats(&ours),
        seen.waiting,
        seen.writes,
        seen.slowest
    );
    assert_eq!(after.most_seats(&ours), after.nominal_seats(&ours), "it borrows none");
    assert!(seen.seats <= after.most_seats(&ours), "{} seats", seen.seats);
    assert!(seen.waiting > 0.0, "the storm was too small");
    let made = after.dispatched(&ours) - before.dispatched(&ours);
    assert!(made >= 3.0 * INCIDENTS as f64, "{made} requests by our FlowSchema for {INCIDENTS} incidents");
    assert_eq!(after.rejected(&ours), 0.0, "its queues hold what the replicas have in flight");
    let others = after.dispatched(SERVICE_ACCOUNTS) - before.dispatched(SERVICE_ACCOUNTS);
    assert_eq!(others, seen.writes as f64, "the controller's writes alone");
    assert_eq!(after.rejected(SERVICE_ACCOUNTS), 0.0);
    Ok(())
}

/// Freezes etcd and sends a storm, all of whose requests hang; returns it, and the requests of `level`, when these have `seats` and
/// others wait.
async fn hanging(rig: &Rig, level: &str, seats: f64) -> Result<(Running, LevelRequests)> {
    rig.cluster().etcd().freeze()?;
    let storm =
        rig.storm(Incident::several("prod", INCIDENTS)).signals(INCIDENTS as u64).concurrency(INCIDENTS).start();
    let requests = poll::until(LIMIT, "requests wait for a seat", async || {
        let requests = rig.cluster().level_requests(level).await?;
        Ok((requests.waiting > 0 && requests.executing as f64 >= seats).then_some(requests))
    })
    .await?;
    Ok((storm, requests))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_account_has_its_seats_at_once_while_a_storm_waits_for_its_own() -> Result<()> {
    const WRITES: u64 = 5;
    let rig = rig().await?;
    let controller = Controller::of(&rig).await?;
    let ours = rig.namespace().apply_flow_control().await?;
    let most = rig.cluster().flow_control().await?.most_seats(&ours);
    let (storm, _) = hanging(&rig, &ours, 1.0).await?;
    let write = |_| {
        let controller = Arc::clone(&controller);
        tokio::spawn(async move { controller.write().await })
    };
    let writes: Vec<_> = (0..WRITES).map(write).collect();
    poll::until(LIMIT, "all of the controller's writes have seats", async || {
        let others = rig.cluster().level_requests(WORKLOAD_LOW).await?;
        Ok((others == LevelRequests { waiting: 0, executing: WRITES }).then_some(()))
    })
    .await?;
    let requests = rig.cluster().level_requests(&ours).await?;
    assert!(requests.waiting > 0 && requests.executing as f64 <= most, "{requests:?}, {most} seats");
    rig.cluster().etcd().thaw()?;
    for write in try_join_all(writes).await? {
        write?;
    }
    rig.verdict(&storm.report().await).await?;
    Ok(())
}

/// What the FlowSchema is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_our_flow_schema_a_storm_takes_the_seats_of_all_service_accounts() -> Result<()> {
    let rig = rig().await?;
    let nominal = rig.cluster().flow_control().await?.nominal_seats(WORKLOAD_LOW);
    let (storm, requests) = hanging(&rig, WORKLOAD_LOW, nominal).await?;
    println!("{} of {nominal} seats, {} waiting", requests.executing, requests.waiting);
    rig.cluster().etcd().thaw()?;
    rig.verdict(&storm.report().await).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_server_rejects_for_want_of_seats_is_sent_again_and_counted_once() -> Result<()> {
    let rig = rig().await?;
    let ours = rig.namespace().apply_flow_control().await?;
    // One queue for four requests, where the chart's hold all.
    let short = json!({ "spec": { "limited": { "limitResponse": { "queuing":
        { "queues": 1, "handSize": 1, "queueLengthLimit": 4 } } } } });
    let levels = Api::<PriorityLevelConfiguration>::all(rig.cluster().client()?);
    levels.patch(&ours, &PatchParams::default(), &Patch::Merge(short)).await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let report = rig.storm(incidents).signals(INCIDENTS as u64).concurrency(INCIDENTS).run().await;
    rig.verdict(&report).await?;
    let rejected = rig.cluster().flow_control().await?.rejected(&ours);
    ensure!(rejected > 0.0, "the API server rejected nothing");
    let mut throttled = 0.0;
    for sidecar in rig.sidecars() {
        throttled += sidecar.scrape().await?.sum("gateway_api_calls_total", &[("outcome", "throttled")]);
    }
    println!("{rejected} rejected, {throttled} of them calls for signals");
    assert!(throttled > 0.0);
    Ok(())
}
