//! The API calls that a signal waits for, as the fault proxies recorded them. To separate the calls off its path, the
//! proxy holds them until the response arrives: a response that waited for one of them would never arrive.

use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_kit::fault_proxy::{Call, Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::poll::until;
use onceway_kit::rig::{Rig, RrExt};

/// How long to wait for a metric, and how often to poll it.
const LIMIT: Duration = Duration::from_secs(60);

/// The API calls that a signal waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Calls {
    reads: usize,
    writes: usize,
}

impl Calls {
    /// Whether these are at most so many writes and reads.
    fn are_at_most(self, writes: usize, reads: usize) -> bool {
        self.writes <= writes && self.reads <= reads
    }
}

/// The number of recorded calls that a signal can cause. Lists and watches are excluded: replicas make them for their
/// index and for garbage collection, independently of signals.
pub(crate) fn calls_for_signals(rig: &Rig) -> usize {
    let for_a_signal = |call: &Call| {
        [LEASES, RRS, RR_STATUS].contains(&call.resource.as_str()) && ![Verb::List, Verb::Watch].contains(&call.verb)
    };
    rig.record().count_of(for_a_signal)
}

/// The calls for RRs and claims after the first `before` of the record that have ended.
fn since(rig: &Rig, before: usize) -> Calls {
    let of_incidents =
        |call: &&Call| [LEASES, RRS, RR_STATUS].contains(&call.resource.as_str()) && call.verb != Verb::Watch;
    rig.record().read(|calls| {
        let ended: Vec<&Call> =
            calls[before..].iter().filter(of_incidents).filter(|call| call.ended.is_some()).collect();
        let writes = ended.iter().filter(|call| call.verb.writes()).count();
        Calls { reads: ended.len() - writes, writes }
    })
}

/// Sends the `n`-th signal of the incident to a replica; returns the calls that it waited for.
async fn path(rig: &Rig, replica: usize, incident: &Incident, n: u64, status: u16) -> Result<Calls> {
    let before = rig.record().calls().len();
    let response = rig.alert(replica, incident, n).await?;
    let calls = since(rig, before);
    ensure!(response.status == status, "{} instead of {status}: {}", response.status, response.text());
    Ok(calls)
}

/// Waits until the index of every replica is in sync and has this number of active incidents.
async fn until_indexed(rig: &Rig, incidents: f64) -> Result<()> {
    for sidecar in rig.sidecars() {
        let indexed = async || {
            let scrape = sidecar.scrape().await?;
            let in_sync = scrape.sum("gateway_index_in_sync", &[]) == 1.0;
            let knows = scrape.sum("gateway_index_incidents", &[]) == incidents;
            Ok((!scrape.has("gateway_index_in_sync") || (in_sync && knows)).then_some(()))
        };
        until(LIMIT, "the index has its incidents", indexed).await?;
    }
    Ok(())
}

/// Opens the incident at replica 0; returns the RR's name.
async fn opened(rig: &Rig, incident: &Incident) -> Result<String> {
    assert_eq!(rig.alert(0, incident, 0).await?.status, 201);
    until_indexed(rig, 1.0).await?;
    Ok(rig.rrs_of(incident).await?[0].name().to_owned())
}

/// Opens the incident at replica 0 and completes its RR.
async fn completed(rig: &Rig, incident: &Incident) -> Result<()> {
    let name = opened(rig, incident).await?;
    rig.set_phase(&name, "Completed").await?;
    until_indexed(rig, 0.0).await
}

#[tokio::test]
async fn a_first_incident_costs_three_writes_no_read_and_nothing_after_its_response() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    until_indexed(&rig, 0.0).await?;
    let before = rig.record().calls().len();
    path(&rig, 0, &Incident::new("prod", "payment-api"), 0, 201).await?;
    // What a replica does off the path it does before it ends.
    rig.sidecar(0).service().stop(LIMIT).await?;
    assert_eq!(since(&rig, before), Calls { reads: 0, writes: 3 }, "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn an_incident_that_is_new_to_a_replica_alone_costs_one_refused_write_more() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    until_indexed(&rig, 0.0).await?;
    let incident = Incident::new("prod", "payment-api");
    // Replica 0 holds the claim and has no RR yet, so replica 1 has seen none.
    let create = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
    let first = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident.webhook(0)));
    create.reached().await;
    let refused = |calls: &[Call]| {
        calls
            .iter()
            .any(|call| call.replica == "onceway-1" && call.is(Verb::Create, LEASES) && call.result.is_status(409))
    };
    let second = tokio::spawn(rig.client().clone().alert(rig.sidecar(1).url(), incident.webhook(1)));
    rig.record().wait_for(refused).await?;
    create.release();
    let statuses = [first.await??.status.as_u16(), second.await??.status.as_u16()];
    assert!(statuses.contains(&201) && statuses.iter().all(|status| [201, 202].contains(status)), "{statuses:?}");
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn a_recurring_incident_waits_for_three_writes_and_two_reads() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    completed(&rig, &incident).await?;
    let calls = path(&rig, 1, &incident, 1, 201).await?;
    assert!(calls.are_at_most(3, 2), "{calls:?}\n{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_recurring_incident_costs_the_owner_of_its_last_rr_no_more() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    completed(&rig, &incident).await?;
    let calls = path(&rig, 0, &incident, 1, 201).await?;
    assert!(calls.are_at_most(3, 2), "{calls:?}\n{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_duplicate_waits_for_one_write_at_its_owner_and_for_two_reads_more_elsewhere() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    opened(&rig, &incident).await?;
    // After its first count replica 1 knows the RR, too.
    for (n, replica, reads) in [(1, 0, 0), (2, 1, 2), (3, 1, 0)] {
        let calls = path(&rig, replica, &incident, n, 202).await?;
        assert!(calls.are_at_most(1, reads), "signal {n}: {calls:?}\n{}", rig.record().text());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_arrive_while_a_count_is_in_flight_wait_for_one_write() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    opened(&rig, &incident).await?;
    let before = rig.record().calls().len();
    let count = rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS).once(), Fault::Hold);
    let alone = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident.webhook(1)));
    count.reached().await;
    let storm = rig.storm(vec![incident.clone()]).signals(99).concurrency(99).first(2).start();
    until_queued(&rig, 99.0).await?;
    count.release();
    assert_eq!(alone.await??.status, 202);
    assert_eq!(storm.report().await.total().status(202), 99);
    assert_eq!(since(&rig, before), Calls { reads: 0, writes: 2 }, "{}", rig.record().text());
    assert_eq!(rig.rrs_of(&incident).await?[0].count(), 101);
    Ok(())
}

/// Waits until this number of signals is queued for the next write.
async fn until_queued(rig: &Rig, signals: f64) -> Result<()> {
    let queued = async || {
        let queued = rig.sidecar(0).scrape().await?.sum("gateway_queue_depth", &[]);
        Ok((queued >= signals).then_some(()))
    };
    until(LIMIT, "the signals are queued", queued).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_waits_for_one_write_per_batch_at_the_write_interval() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let report = rig.storm(vec![Incident::new("prod", "payment-api")]).signals(2000).concurrency(100).run().await;
    rig.verdict(&report).await?;
    // Until all of Envoy's workers know all replicas, two may count the same incident, and meet conflicts.
    let writes = rig.record().count_of(|call| call.is(Verb::Patch, RR_STATUS) && !call.result.is_status(409));
    let mut batches = 0.0;
    for sidecar in rig.sidecars() {
        batches += sidecar.scrape().await?.sum("gateway_batch_size_count", &[]);
    }
    assert_eq!(writes as f64, batches, "{}", rig.record().text());
    // Each replica writes at most once per 20 ms (batching.countInterval), and once at the start.
    let most = report.elapsed.as_millis() as usize / 20 + 1;
    for sidecar in rig.sidecars() {
        let of_replica = |call: &Call| call.is(Verb::Patch, RR_STATUS) && call.replica == sidecar.name();
        let writes = rig.record().count_of(of_replica);
        assert!(writes <= most, "{writes} writes in {:?}, at most {most} expected", report.elapsed);
    }
    Ok(())
}
