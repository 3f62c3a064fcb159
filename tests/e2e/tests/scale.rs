//! What an incident costs, measured: the figures that `docs/scale.md` computes with.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{AsyncBufReadExt, TryStreamExt};
use http::Request;
use onceway_kit::cluster::Object;
use onceway_kit::fault_proxy::{Call, LEASES, RR_STATUS, RRS, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_scale::cost;
use serde_json::Value;
use tokio::time::timeout;

/// How long what has happened may take to be seen.
const LIMIT: Duration = Duration::from_secs(60);
const INCIDENTS: usize = 20;

/// Fails unless the page's figure is at least the measured one, and not a third more than it: a page that promises to be true.
fn holds(what: &str, measured: usize, figure: u32) -> Result<()> {
    let figure = figure as usize;
    ensure!(
        measured <= figure && figure * 3 <= measured * 4,
        "{what}: {measured} bytes, and docs/scale.md has {figure}"
    );
    Ok(())
}

/// The watch events of the rig's RRs, as a replica's watch gets them: type and length in bytes.
async fn events(rig: &Rig, count: usize) -> Result<Vec<(String, usize)>> {
    let namespace = rig.namespace();
    let path = format!("/apis/kubernaut.ai/v1alpha1/namespaces/{}/remediationrequests?watch=true", namespace.name());
    // Without a resourceVersion it begins with the present state; there is none yet.
    let stream = namespace.sidecars_client()?.request_stream(Request::get(path).body(Vec::new())?).await?;
    let mut lines = stream.lines();
    for n in 0..INCIDENTS {
        let response = rig.alert(0, &Incident::new("prod", &format!("payment-api-{n:02}")), 0).await?;
        ensure!(response.status == 201, "{}", response.text());
    }
    let mut events = Vec::new();
    while events.len() < count {
        let line = timeout(LIMIT, lines.try_next()).await.context("no more events")??.context("the watch ended")?;
        let event: Value = serde_json::from_str(&line)?;
        events.push((event["type"].as_str().context("no type")?.to_owned(), line.len() + 1));
    }
    Ok(events)
}

fn largest(bytes: impl Iterator<Item = usize>) -> Result<usize> {
    bytes.max().context("nothing was measured")
}

#[tokio::test]
async fn an_incident_costs_etcd_and_each_watch_what_the_page_computes_with() -> Result<()> {
    let rig = Rig::replicas(1).with_our_crd().with_long_timeouts().start().await?;
    let events = events(&rig, 2 * INCIDENTS).await?;
    let of = |wanted: &'static str| {
        let sizes = events.iter().filter(move |(kind, _)| kind == wanted).map(|(_, bytes)| *bytes);
        largest(sizes)
    };
    let (created, counted) = (of("ADDED")?, of("MODIFIED")?);
    let namespace = rig.namespace().name();
    let leases = rig.cluster().stored(&format!("/registry/leases/{namespace}/")).await?;
    let rrs = rig.cluster().stored(&format!("/registry/kubernaut.ai/remediationrequests/{namespace}/")).await?;
    assert_eq!((leases.len(), rrs.len()), (INCIDENTS, INCIDENTS));
    let lease = largest(leases.iter().map(|stored| stored.bytes))?;
    let rr = largest(rrs.iter().map(|stored| stored.bytes))?;
    let measured = [
        ("a Lease in etcd", lease, cost::LEASE),
        ("an RR in etcd, with its count", rr, cost::RR_COUNTED),
        // etcd has the last version alone; the event of an earlier one is larger by its frame.
        ("the event of an RR without a count", created, cost::RR_CREATED + cost::EVENT_FRAME),
        ("the event of an RR with its count", counted, cost::RR_COUNTED + cost::EVENT_FRAME),
    ];
    println!("{measured:#?}");
    measured.into_iter().try_for_each(|(what, measured, figure)| holds(what, measured, figure))
}

#[tokio::test]
async fn an_incident_costs_the_calls_that_the_page_computes_with() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let (objects, _) = Object::deployment("payment-api");
    let namespace = rig.namespace();
    for object in &objects {
        namespace.create(object).await?;
    }
    let before = rig.record().calls().len();
    let response = rig.alert(0, &Incident::new(namespace.name(), "payment-api"), 0).await?;
    ensure!(response.status == 201, "{}", response.text());
    rig.sidecar(0).service().stop(LIMIT).await?;
    let (of_incident, others): (Vec<Call>, Vec<Call>) = rig.record().calls()[before..]
        .iter()
        .filter(|call| call.verb != Verb::Watch)
        .cloned()
        .partition(|call| [LEASES, RRS, RR_STATUS].contains(&call.resource.as_str()));
    let (of_incident, others) = (of_incident.len(), others.len());
    assert_eq!((of_incident, others), (cost::FIRST_WRITES as usize, cost::WORKLOAD_READS as usize));
    Ok(())
}

/// The CPU time that the API server and etcd have taken, in milliseconds.
fn cpu_ms(rig: &Rig) -> Result<[u64; 2]> {
    let cluster = rig.cluster();
    let of = |pid: i32| -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the command's name, which may contain spaces: user and system time, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(") ").context("no name")?.1.split(' ').collect();
        Ok((fields[11].parse::<u64>()? + fields[12].parse::<u64>()?) * 10)
    };
    Ok([of(cluster.apiserver().process()?.pid())?, of(cluster.etcd().process()?.pid())?])
}

/// Prints what new incidents cost in CPU. It asserts no time: what the machine does beside it is in no figure of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_new_incidents_at_once_are_exact_and_their_cpu_is_shown() -> Result<()> {
    const INCIDENTS: usize = 500;
    let rig = Rig::replicas(3).own_cluster().without_fault_proxies().with_long_timeouts().start().await?;
    let before = cpu_ms(&rig)?;
    let storm = rig.storm(Incident::several("prod", INCIDENTS)).signals(INCIDENTS as u64).concurrency(100);
    let report = storm.run().await;
    let after = cpu_ms(&rig)?;
    rig.verdict(&report).await?;
    let writes = INCIDENTS as f64 * f64::from(cost::FIRST_WRITES);
    let [apiserver, etcd] = [0, 1].map(|server| (after[server] - before[server]) as f64 / writes);
    let rate = INCIDENTS as f64 / report.elapsed.as_secs_f64();
    println!("CPU per write: {apiserver:.1} ms in the API server, {etcd:.1} ms in etcd; {rate:.0} incidents/s");
    Ok(())
}
