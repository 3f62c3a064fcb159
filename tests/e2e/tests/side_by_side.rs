//! Sidecars beside kubernaut's gateway in one cluster, with `migration.kubernautLocks`: its API calls are played
//! ([`onceway_kit::kubernaut`]).

mod orders;

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, PostParams};
use onceway_kit::fault_proxy::{Fault, LEASES, RRS, Rule, Verb};
use onceway_kit::kubernaut::{Answer, Gate, KubernautGateway, LOCK_SECONDS, lock_name};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::{Value, json};

/// How long a call off the path may take.
const SOON: Duration = Duration::from_secs(30);
/// More than `leaseDurationSeconds` of a sidecar's lock.
const AFTER_OUR_LOCK: SignedDuration = SignedDuration::from_secs(16);

fn incident() -> Incident {
    Incident::new("prod", "payment-api")
}

fn with_locks(mut config: Value) -> Value {
    config["migration"] = json!({ "kubernautLocks": true });
    config
}

fn leases(rig: &Rig) -> Api<Lease> {
    Api::namespaced(rig.namespace().client().clone(), rig.namespace().name())
}

/// A lock that a pod of kubernaut's gateway took this many seconds ago and still holds.
async fn lock_of_theirs(rig: &Rig, incident: &Incident, seconds_ago: i64) -> Result<String> {
    let name = lock_name(incident.fingerprint());
    let renewed = Timestamp::now() - SignedDuration::from_secs(seconds_ago);
    let time = renewed.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string();
    let lease = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "holderIdentity": "gateway-5f7d", "leaseDurationSeconds": LOCK_SECONDS, "acquireTime": time, "renewTime": time,
        },
    }))?;
    leases(rig).create(&PostParams::default(), &lease).await?;
    Ok(name)
}

/// Waits until nobody holds the incident's lock.
async fn until_unlocked(rig: &Rig, incident: &Incident) -> Result<()> {
    let (leases, name) = (leases(rig), lock_name(incident.fingerprint()));
    poll::until(SOON, "the lock is released", async || Ok(leases.get_opt(&name).await?.is_none().then_some(()))).await
}

#[tokio::test]
async fn its_rrs_are_counted_in_and_it_counts_in_ours() -> Result<()> {
    let rig = Rig::replicas(1).config(with_locks(json!({}))).start().await?;
    let theirs = KubernautGateway::new(rig.namespace(), "gateway-1");
    for (incident, ours_first) in [(incident(), false), (Incident::new("prod", "cart"), true)] {
        for turn in 0..6 {
            if (turn % 2 == 0) == ours_first {
                let response = rig.alert(0, &incident, turn).await?;
                assert_eq!(response.status, if turn == 0 { 201 } else { 202 }, "{}", response.text());
                until_unlocked(&rig, &incident).await?;
            } else {
                let played = theirs.signal(&incident, &Gate::open()).await?;
                let answer = if turn == 0 { Answer::Created } else { Answer::Duplicate };
                assert_eq!((played.answer.map(|(answer, _)| answer), played.counted), (Some(answer), true));
            }
        }
        let rrs = rig.rrs_of(&incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, 6));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_at_both_gateways_makes_one_rr_an_incident_with_an_exact_count() -> Result<()> {
    const PODS: usize = 2;
    const SIGNALS: usize = 8;
    let rig = Rig::replicas(2).config(with_locks(json!({}))).with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 3);
    let storm = rig.storm(incidents.clone()).signals(300).concurrency(20).run();
    let pod = |n: usize| {
        let (pod, incidents) = (KubernautGateway::new(rig.namespace(), &format!("gateway-{n}")), &incidents);
        async move {
            let mut counted = [0; 3];
            for signal in 0..SIGNALS {
                let of = (signal + n) % incidents.len();
                counted[of] += u64::from(pod.signal(&incidents[of], &Gate::open()).await?.counted);
            }
            anyhow::Ok(counted)
        }
    };
    let (report, theirs) = tokio::join!(storm, futures::future::try_join_all((0..PODS).map(pod)));
    let theirs = theirs?;
    assert_eq!(report.total().attempts, 300, "nothing was sent again");
    for (n, incident) in incidents.iter().enumerate() {
        let rrs = rig.rrs_of(incident).await?;
        let of_theirs: u64 = theirs.iter().map(|counted| counted[n]).sum();
        assert!(of_theirs > 0, "their counts conflict with ours, but not all of them");
        assert_eq!((rrs.len(), rrs[0].count()), (1, 100 + of_theirs), "{}", incident.deployment());
    }
    Ok(())
}

#[tokio::test]
async fn a_live_holder_of_the_lock_is_waited_for() -> Result<()> {
    let rig = Rig::replicas(1).config(with_locks(json!({}))).with_long_timeouts().start().await?;
    let name = lock_of_theirs(&rig, &incident(), 0).await?;
    let waiting = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident().webhook(0)));
    let tried =
        |call: &onceway_kit::fault_proxy::Call| call.is(Verb::Create, LEASES) && call.name.as_ref() == Some(&name);
    rig.record().wait_for(|calls| calls.iter().filter(|call| tried(call)).count() >= 2).await?;
    assert!(rig.rrs().await?.is_empty());
    leases(&rig).delete(&name, &DeleteParams::default()).await?;
    assert_eq!(waiting.await??.status, 201);
    until_unlocked(&rig, &incident()).await
}

#[tokio::test]
async fn a_holder_that_outlasts_the_deadline_is_a_503_and_the_next_try_succeeds() -> Result<()> {
    let limits = json!({ "limits": { "deadline": "2s", "apiCallTimeout": "1s" } });
    let rig = Rig::replicas(1).config(with_locks(limits)).start().await?;
    let name = lock_of_theirs(&rig, &incident(), 0).await?;
    let response = rig.alert(0, &incident(), 0).await?;
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.header("retry-after").is_some());
    assert!(rig.rrs().await?.is_empty());
    let failures =
        rig.sidecar(0).scrape().await?.sum("gateway_lock_acquisition_failures_total", &[("reason", "locked")]);
    assert!(failures >= 1.0, "{failures}");

    leases(&rig).delete(&name, &DeleteParams::default()).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    assert_eq!(rig.rrs_of(&incident()).await?[0].count(), 1);
    Ok(())
}

#[tokio::test]
async fn the_lock_of_a_dead_holder_is_taken_over_once_it_has_expired() -> Result<()> {
    let rig = Rig::replicas(1).config(with_locks(json!({}))).start().await?;
    lock_of_theirs(&rig, &incident(), i64::from(LOCK_SECONDS) + 1).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    until_unlocked(&rig, &incident()).await
}

#[tokio::test]
async fn after_a_crash_under_the_lock_it_expires_and_their_rr_is_counted_in() -> Result<()> {
    let rig = Rig::replicas(1).config(with_locks(json!({}))).with_long_timeouts().start().await?;
    // It dies with the lock, before it claims a name.
    let list = rig.proxy(0).rule(Rule::on(Verb::List, RRS).once(), Fault::Hold);
    let cut = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident().webhook(0)));
    list.reached().await;
    rig.sidecar(0).service().kill().await?;
    assert!(cut.await?.is_err());

    let early = KubernautGateway::new(rig.namespace(), "gateway-1").signal(&incident(), &Gate::open()).await?;
    assert_eq!(early.answer, None, "the lock is held");
    let later = KubernautGateway::new(rig.namespace(), "gateway-1").ahead_by(AFTER_OUR_LOCK);
    let played = later.signal(&incident(), &Gate::open()).await?;
    let (answer, name) = played.answer.context("no answer")?;
    assert_eq!((answer, played.counted), (Answer::Created, true));

    rig.sidecar(0).service().restart()?;
    rig.sidecar(0).until_ready().await?;
    assert_eq!(rig.alert(0, &incident(), 1).await?.status, 202);
    let rrs = rig.rrs_of(&incident()).await?;
    assert_eq!((rrs.len(), rrs[0].name(), rrs[0].count()), (1, name.as_str(), 2));
    Ok(())
}

#[tokio::test]
async fn without_the_setting_an_rr_that_it_creates_after_its_list_is_a_second_one() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (theirs, gate) = (KubernautGateway::new(rig.namespace(), "gateway-1"), Gate::closed());
    let ours = async {
        // The lock is missing, taken, the list is empty; the create waits.
        for call in 1..=3 {
            gate.reached_times(call).await;
            gate.let_one_pass();
        }
        gate.reached_times(4).await;
        let response = rig.alert(0, &incident(), 0).await;
        gate.let_all_pass();
        response
    };
    let of_incident = incident();
    let (played, response) = tokio::join!(theirs.signal(&of_incident, &gate), ours);
    assert_eq!((played?.answer.map(|(answer, _)| answer), response?.status.as_u16()), (Some(Answer::Created), 201));
    assert_eq!(rig.rrs_of(&incident()).await?.len(), 2, "which is what the lock is for");
    Ok(())
}

#[tokio::test]
async fn without_the_setting_no_lock_of_theirs_is_read_or_written() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    lock_of_theirs(&rig, &incident(), 0).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    let locks = rig.record().count_of(|call| call.name.as_ref().is_some_and(|name| name.starts_with("gw-lock-")));
    assert_eq!(locks, 0);
    Ok(())
}
