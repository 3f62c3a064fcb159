//! Disruptions during a storm: the API server or its etcd is down or frozen, replicas are replaced one after the other,
//! or a replica is frozen with a create in flight. Senders retry as Alertmanager does. In the end there is one RR per
//! incident, with acknowledged <= counted <= attempts.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use onceway_kit::fault_proxy::{Call, CallResult, Fault, RRS, Rule, RuleHandle, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::poll::until;
use onceway_kit::rig::Rig;
use onceway_kit::storm::{Report, Running, Storm};
use serde_json::json;
use tokio::time::{sleep, timeout};

/// How long the API server is frozen.
const FREEZE: Duration = Duration::from_secs(10);
/// How long a replica may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);
/// How long a storm may take to recover, or its last signal to be acknowledged.
const STORM_LIMIT: Duration = Duration::from_secs(120);
/// How many more acknowledged signals show that a storm is running, or has recovered.
const MORE: u64 = 200;

/// Three replicas behind Envoy, their own API server and etcd, and a running storm.
async fn stormed() -> Result<(Rig, Running)> {
    let rig = Rig::replicas(3).with_envoy().own_cluster().start().await?;
    let running = patient(rig.storm(Incident::several("prod", 4))).endless().concurrency(40).start();
    more_is_acknowledged(&running).await?;
    Ok((rig, running))
}

/// Senders that never give up: how long a server takes to recover depends on the machine.
fn patient(storm: Storm) -> Storm {
    storm.max_attempts(u32::MAX)
}

/// Incidents that begin during the disruption.
fn fresh(rig: &Rig) -> Running {
    patient(rig.storm(Incident::several("staging", 4))).signals(40).concurrency(40).start()
}

async fn more_is_acknowledged(running: &Running) -> Result<()> {
    let so_far = running.progress().acknowledged();
    let more = timeout(STORM_LIMIT, running.until_acknowledged(so_far + MORE)).await;
    more.with_context(|| format!("no {MORE} signals more are acknowledged after {so_far}"))?;
    ensure!(!running.is_finished(), "the storm has ended");
    Ok(())
}

/// Waits until the last signal is acknowledged.
async fn report(running: Running) -> Result<Report> {
    timeout(STORM_LIMIT, running.report()).await.context("signals of the storm are still not acknowledged")
}

/// Ends the storm once it has recovered, waits until no signal or API call is in flight, and returns the verdict's
/// report.
async fn settle(rig: &Rig, running: Running, others: impl IntoIterator<Item = Running>) -> Result<Report> {
    more_is_acknowledged(&running).await?;
    running.end();
    let mut all = report(running).await?;
    for other in others {
        all = all.merge(report(other).await?);
    }
    // A call that its client gave up may still reach the API server.
    rig.record().wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await?;
    rig.verdict(&all).await?;
    Ok(all)
}

/// Waits until a sender has to retry.
async fn a_sender_retries(running: &Running) -> Result<()> {
    let so_far = running.progress().retried();
    let retried = async || Ok((running.progress().retried() > so_far).then_some(()));
    until(STORM_LIMIT, "a sender meets the stopped replica", retried).await
}

/// Waits until a call to the API server has failed.
async fn a_call_fails(rig: &Rig) -> Result<()> {
    let failed = |call: &Call| match &call.result {
        CallResult::Unreachable(_) => true,
        CallResult::Forwarded(status) => status.is_server_error(),
        _ => call.abandoned,
    };
    rig.record().wait_for(|calls| calls.iter().any(failed)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_killed_and_restarted_in_a_storm_costs_no_acknowledged_signal_and_makes_no_second_rr()
-> Result<()> {
    let (rig, running) = stormed().await?;
    rig.cluster().apiserver().kill().await?;
    let fresh = fresh(&rig);
    a_call_fails(&rig).await?;
    rig.cluster().apiserver().restart()?;
    rig.cluster().until_ready().await?;
    settle(&rig, running, [fresh]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_frozen_for_ten_seconds_in_a_storm_costs_no_acknowledged_signal_and_makes_no_second_rr()
-> Result<()> {
    let (rig, running) = stormed().await?;
    rig.cluster().apiserver().freeze()?;
    let fresh = fresh(&rig);
    // A frozen server causes no event; the duration is the subject of the test.
    sleep(FREEZE).await;
    rig.cluster().apiserver().thaw()?;
    let report = settle(&rig, running, [fresh]).await?;
    assert!(report.total().status(503) > 0, "senders got a 503 before they gave up");
    assert_eq!(report.total().without_response, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_killed_and_restarted_in_a_storm_costs_no_acknowledged_signal_and_makes_no_second_rr() -> Result<()> {
    let (rig, running) = stormed().await?;
    rig.cluster().etcd().kill().await?;
    let fresh = fresh(&rig);
    a_call_fails(&rig).await?;
    rig.cluster().etcd().restart()?;
    rig.cluster().until_ready().await?;
    settle(&rig, running, [fresh]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_replicas_in_a_storm_through_envoy_causes_no_retry() -> Result<()> {
    let rig = Rig::replicas(3)
        .with_envoy()
        .config(json!({"shutdown": {"lameDuck": "8s"}}))
        .with_long_timeouts()
        .start()
        .await?;
    let running = patient(rig.storm(Incident::several("prod", 4))).endless().concurrency(40).start();
    for sidecar in rig.sidecars() {
        more_is_acknowledged(&running).await?;
        sidecar.roll(DRAIN_LIMIT).await?;
        rig.envoy().until_healthy(3).await?;
    }
    let report = settle(&rig, running, []).await?.total();
    assert_eq!(report.attempts, report.acknowledged, "a sender had to retry: {:?}", report.responses);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_replicas_in_a_storm_without_affinity_stays_exact() -> Result<()> {
    let rig = Rig::replicas(3).config(json!({"shutdown": {"lameDuck": "0s"}})).start().await?;
    let running = patient(rig.storm(Incident::several("prod", 4))).endless().concurrency(40).start();
    for sidecar in rig.sidecars() {
        more_is_acknowledged(&running).await?;
        sidecar.service().stop(DRAIN_LIMIT).await?;
        // Senders meet the stopped replica.
        a_sender_retries(&running).await?;
        sidecar.service().restart()?;
        sidecar.until_ready().await?;
    }
    let report = settle(&rig, running, []).await?.total();
    assert!(report.without_response > 0, "{:?}", report.responses);
    Ok(())
}

/// Two replicas; the first is frozen since it sent the create of an incident's RR, which its fault proxy holds.
struct Frozen {
    rig: Rig,
    incident: Incident,
    create: RuleHandle,
    signals: Running,
}

impl Frozen {
    /// Waits until the lease of the frozen one has expired.
    async fn past_its_lease() -> Result<Self> {
        let config = json!({"lease": {"duration": "5s"}});
        let rig = Rig::replicas(2).config(config).start().await?;
        let incident = Incident::new("prod", "payment-api");
        let create = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
        let signals = storm(&rig, 0, &incident, 0).start();
        create.reached().await;
        rig.sidecar(0).service().freeze()?;
        let lease = rig.claim(&incident).await?.and_then(|claim| claim.spec).context("no claim")?;
        let renewed = lease.renew_time.context("a claim without renewTime")?.0;
        let expiry = renewed + SignedDuration::from_secs(lease.lease_duration_seconds.unwrap_or_default().into());
        sleep(expiry.duration_since(Timestamp::now()).try_into().unwrap_or_default()).await;
        Ok(Self { rig, incident, create, signals })
    }

    /// The other replica's signals: all are acknowledged while the first is frozen.
    async fn others(&self, first: u64) -> Report {
        let report = storm(&self.rig, 1, &self.incident, first).run().await;
        assert_eq!(report.total().acknowledged, 10, "{}", self.rig.record().text());
        report
    }

    /// Lets the create reach the API server, and waits for its end.
    async fn release_the_create(&self) -> Result<()> {
        self.create.release();
        let ended = |call: &Call| !call.is(Verb::Create, RRS) || call.ended.is_some();
        self.rig.record().wait_for(|calls| calls.iter().all(ended)).await
    }

    fn wake(&self) -> Result<()> {
        self.rig.sidecar(0).service().thaw()
    }

    /// Waits for its signals too. Together with `others` they are all counted in one RR, whose name is returned.
    async fn verdict_with(self, others: Option<Report>) -> Result<(Rig, String)> {
        let mut report = report(self.signals).await?;
        if let Some(others) = others {
            report = report.merge(others);
        }
        self.rig.record().wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await?;
        let verdict = self.rig.verdict(&report).await?;
        let name = verdict.incidents[0].rrs[0].clone();
        Ok((self.rig, name))
    }
}

/// Ten signals to one replica, numbered from `first`.
fn storm(rig: &Rig, replica: usize, incident: &Incident, first: u64) -> Storm {
    let urls = vec![rig.sidecar(replica).url()];
    Storm::new(urls, vec![incident.clone()]).signals(10).concurrency(10).first(first)
}

#[tokio::test]
async fn a_replica_frozen_past_its_lease_that_wakes_before_its_create_arrives_creates_no_second_rr() -> Result<()> {
    let frozen = Frozen::past_its_lease().await?;
    let others = frozen.others(10).await;
    frozen.wake()?;
    // Its call has timed out, and it sends the create again, which is not held.
    let of_the_thawed = |call: &&Call| call.replica == "onceway-0" && call.is(Verb::Create, RRS);
    let tried_again = |calls: &[Call]| calls.iter().filter(of_the_thawed).count() >= 2;
    frozen.rig.record().wait_for(tried_again).await?;
    frozen.release_the_create().await?;
    frozen.verdict_with(Some(others)).await?;
    Ok(())
}

#[tokio::test]
async fn a_replica_frozen_past_its_lease_that_wakes_after_its_create_arrived_creates_no_second_rr() -> Result<()> {
    let frozen = Frozen::past_its_lease().await?;
    let others = frozen.others(10).await;
    frozen.release_the_create().await?;
    frozen.wake()?;
    frozen.verdict_with(Some(others)).await?;
    Ok(())
}

#[tokio::test]
async fn a_create_that_arrives_after_its_rr_was_finished_and_deleted_opens_the_incident_at_most_once() -> Result<()> {
    let frozen = Frozen::past_its_lease().await?;
    frozen.others(10).await;
    let deleted = frozen.rig.finish_and_delete(&frozen.incident).await?;
    frozen.release_the_create().await?;
    frozen.wake()?;
    // There was no other signal, so the claim still names this RR: the signals of the thawed replica are its first.
    let (_rig, name) = frozen.verdict_with(None).await?;
    assert_eq!(name, deleted);
    Ok(())
}

#[tokio::test]
async fn a_create_that_arrives_after_its_rr_was_finished_deleted_and_followed_by_another_is_undone() -> Result<()> {
    let frozen = Frozen::past_its_lease().await?;
    frozen.others(10).await;
    frozen.rig.until_seen_by(1).await?;
    let deleted = frozen.rig.finish_and_delete(&frozen.incident).await?;
    let others = frozen.others(20).await;
    frozen.release_the_create().await?;
    assert_eq!(frozen.rig.rrs_of(&frozen.incident).await?.len(), 2, "the late RR exists for a moment");
    frozen.wake()?;
    let (rig, name) = frozen.verdict_with(Some(others)).await?;
    assert_ne!(name, deleted);
    assert_eq!(rig.record().count(Verb::Delete, RRS), 1, "{}", rig.record().text());
    Ok(())
}
