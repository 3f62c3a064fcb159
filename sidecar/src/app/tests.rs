use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_signal::Source;
use onceway_signal::rules::{Document, Missing};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{Dependencies, FIRST_LIST, service, until_listed};
use crate::config::Config;
use crate::doubles::objects::{RRS, claim, claim_path, fingerprint, rr, workloads};
use crate::doubles::wire::{Met, Wire};
use crate::env::Env;
use crate::health::permissions::PermissionRecheck;
use crate::health::{Condition, Readiness};
use crate::incident::{Commit, Drain, LogContext, Submission};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::SignalList;
use crate::scope;

#[tokio::test]
async fn the_wired_service_counts_a_signal_at_the_api_server_and_drains() {
    let wire = Wire::new();
    wire.on(&format!("GET {}", claim_path()), Met::Response(200, claim("rr-1", true, Timestamp::now(), "3")))
        .on(&format!("GET {RRS}/rr-1"), Met::Response(200, rr("rr-1", 1, "Executing", 3)))
        .on(&format!("PATCH {RRS}/rr-1/status"), Met::Response(200, rr("rr-1", 1, "Executing", 5)));
    let env = Env { pod_name: "pod-a".into(), pod_namespace: "incidents".into() };
    let metrics = Arc::new(Metrics::new());
    let wired = service(Dependencies {
        config: &Config::default(),
        env: &env,
        client: wire.client(),
        namespace: "incidents",
        index: Arc::new(Index::default()),
        workloads: workloads(&wire, Document::default(), &metrics),
        scope: scope::Settings { missing: Missing::Create, namespaces: None },
        recheck: PermissionRecheck::default(),
        metrics,
    });
    let mut by_name = SignalList::default();
    (0..2).for_each(|_| by_name.add("PodDown", "critical", Timestamp::now()));
    let submission = Submission {
        fingerprint: fingerprint(),
        source: Source::Prometheus,
        signals: NonZeroU32::new(2).unwrap(),
        by_name,
        received: Timestamp::now(),
        deadline: Instant::now() + Duration::from_secs(5),
        spec: Arc::new(|| panic!("no RR is created")),
        target: Default::default(),
        log: LogContext::default(),
        provenance: Default::default(),
        namespace: "".into(),
        when_counted: None,
    };
    let counted = wired.commit.submit(submission).await.unwrap();
    assert_eq!((counted.name.as_str(), counted.count, counted.created), ("rr-1", 5, false));
    let patch = &wire.made(&format!("PATCH {RRS}/rr-1/status"))[0].body;
    let deduplication = &patch["status"]["deduplication"];
    assert_eq!((&deduplication["occurrenceCount"], &deduplication["signals"][0]["count"]), (&json!(5), &json!(2)));
    wired.commit.drain().await;
    assert!(timeout(Duration::from_millis(10), wired.housekeeping).await.is_err(), "the GC never ends");
}

#[tokio::test(start_paused = true)]
async fn readiness_waits_for_the_first_list_up_to_a_limit() {
    let (readiness, index) = (Readiness::default(), Arc::new(Index::default()));
    let started = Instant::now();
    until_listed(readiness.pending(Condition::Index, "listing"), Arc::clone(&index)).await;
    assert_eq!(started.elapsed(), FIRST_LIST);

    let listed = tokio::spawn(until_listed(readiness.pending(Condition::Index, "listing"), Arc::clone(&index)));
    tokio::task::yield_now().await;
    assert_eq!(readiness.reasons().len(), 1);
    index.begin_list();
    index.end_list();
    listed.await.unwrap();
    assert_eq!((started.elapsed(), readiness.reasons().len()), (FIRST_LIST, 0));
}
