//! Attacks on Envoy's memory and on its choice of replicas: stalled uploads and large webhooks harm no honest sender.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use onceway_kit::envoy::{Envoy, at};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::process::raise_file_limit;
use onceway_kit::rig::Rig;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::upload::{Upload, over_http_1, over_http_2};
use crate::split::{of_each, until_idle};

mod upload;

/// Uploads at once.
const UPLOADS: usize = 1000;
/// Streams of one connection of HTTP/2: Envoy's `max_concurrent_streams`.
const STREAMS: usize = 100;
/// Uploads over HTTP/1.1 that send at once, as HTTP/2 limits them by its streams: what stalls is the subject, and not how fast
/// the machine moves 5 GB.
const SENDING: usize = 100;
/// Envoy's resident memory must stay below this.
const MEMORY_LIMIT_MIB: u64 = 600;
/// Honest posts while uploads arrive, and as many while they are stalled.
const POSTS: u64 = 20;
/// How long each of the latter may take.
const POST_LIMIT: Duration = Duration::from_secs(1);
/// How long the uploads may take to stall or to be rejected.
const LIMIT: Duration = Duration::from_secs(60);

/// Envoy's resident memory in MiB, including its VMs.
fn resident_mib(envoy: &Envoy) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", envoy.service().process()?.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

/// The uploads that got a response, once `settled` more of them have one or have stalled.
async fn settle(uploads: &mut JoinSet<Result<Upload>>, stalled: &mut Vec<Upload>, settled: usize) -> Result<usize> {
    let mut rejected = 0;
    for _ in 0..settled {
        let next = timeout(LIMIT, uploads.join_next()).await.context("uploads neither stall nor get a response")?;
        match next.context("no more uploads")??? {
            Upload::Answered { status, retry_after } => {
                ensure!((status, retry_after.as_deref()) == (503, Some("1")), "{status}, retry-after {retry_after:?}");
                rejected += 1;
            }
            upload => stalled.push(upload),
        }
    }
    Ok(rejected)
}

/// Runs the uploads against a rig: Envoy's memory stays bounded, honest posts pass meanwhile, and afterwards the memory for
/// large bodies is free again.
async fn withstands(start: impl FnOnce(&Rig, &mut JoinSet<Result<Upload>>)) -> Result<()> {
    raise_file_limit()?;
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.client().clone().alert(rig.envoy().url(), incident.webhook(0)).await?.status, 201);
    let (mut uploads, mut stalled, mut rejected) = (JoinSet::new(), Vec::new(), 0);
    let before = resident_mib(rig.envoy())?;
    start(&rig, &mut uploads);
    let post = async |n| {
        let began = Instant::now();
        let response = rig.client().clone().alert(rig.envoy().url(), incident.webhook(n)).await?;
        ensure!(response.status == 202, "{} {}", response.status, response.text());
        Ok(began.elapsed())
    };
    let mut most = 0;
    // How long a post takes while gigabytes are sent depends on the machine; that it is counted does not.
    let mut during = Vec::new();
    for n in 1..=POSTS {
        rejected += settle(&mut uploads, &mut stalled, UPLOADS / POSTS as usize).await?;
        most = most.max(resident_mib(rig.envoy())?);
        during.push(post(n).await?);
    }
    let mut took = Vec::new();
    for n in 1..=POSTS {
        took.push(post(n).await?);
    }
    most = most.max(resident_mib(rig.envoy())?);
    let held = stalled.len();
    println!(
        "{before} MiB before, at most {most} MiB; {held} stalled, {rejected} rejected; honest posts: {during:?}, then {took:?}"
    );
    assert!(most < MEMORY_LIMIT_MIB, "Envoy takes {most} MiB");
    assert!(took.iter().all(|took| *took < POST_LIMIT), "honest posts took {took:?}");
    assert!(held > 0 && rejected > 0, "{held} stalled, {rejected} rejected");
    drop(stalled);
    until_idle(&rig).await?;
    let large = incident.alert(0).annotation("text", &"x".repeat(2_000_000));
    let response = rig.client().clone().alert(rig.envoy().url(), webhook(&[large])).await?;
    assert_eq!(response.status, 202, "{}", response.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_stalled_uploads_of_5_mb_leave_envoy_small_and_honest_posts_pass() -> Result<()> {
    withstands(|rig, uploads| {
        let sending = Arc::new(Semaphore::new(SENDING));
        for _ in 0..UPLOADS {
            let (sending, envoy) = (Arc::clone(&sending), rig.envoy().addr());
            uploads.spawn(async move {
                let _turn = sending.acquire().await?;
                over_http_1(envoy).await
            });
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_stalled_uploads_on_ten_connections_of_http_2_do_no_more() -> Result<()> {
    withstands(|rig, uploads| {
        for _ in 0..UPLOADS / STREAMS {
            let connection = over_http_2(rig.envoy().addr());
            (0..STREAMS).for_each(|_| drop(uploads.spawn(connection())));
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_webhooks_make_envoy_leave_no_replica() -> Result<()> {
    const WEBHOOKS: usize = 30;
    const AT_ONCE: usize = 10;
    const INCIDENTS: usize = 1024;
    let rig = Rig::replicas(3).with_envoy().without_bodies().own_cluster().start().await?;
    let webhooks = async {
        for round in 0..WEBHOOKS / AT_ONCE {
            let sent = (0..AT_ONCE).map(|n| {
                let incidents = Incident::several(&format!("prod-{round}-{n}"), INCIDENTS);
                rig.client().clone().alert(rig.envoy().url(), of_each(&incidents, 0))
            });
            for response in join_all(sent).await {
                // More than a replica can count within its deadline gets 503.
                let status = response?.status.as_u16();
                ensure!([207, 503, 504].contains(&status), "{status}");
            }
        }
        anyhow::Ok(())
    };
    let watch = async {
        loop {
            let healthy = rig.envoy().healthy().await?;
            ensure!(healthy.len() == 3, "Envoy left a replica: {healthy:?}");
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        sent = webhooks => sent?,
        left = watch => left?,
    }
    let stats = rig.envoy().stats().await?;
    assert_eq!(stats.sum("envoy_cluster_outlier_detection_ejections_enforced_total", &[]), 0.0);
    println!("health checks failed: {}", stats.sum("envoy_cluster_health_check_failure", &[]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_gone_is_avoided_at_once_and_left_within_seconds() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 60);
    let send = |incident: &Incident, n| rig.client().clone().alert(rig.envoy().url(), incident.webhook(n));
    for response in join_all(incidents.iter().map(|incident| send(incident, 0))).await {
        assert_eq!(response?.status, 201);
    }
    rig.sidecar(1).service().kill().await?;
    let gone = Instant::now();
    // All at once: one after another, Envoy may have left it before the first signal whose owner it was.
    let avoided = async {
        for response in join_all(incidents.iter().map(|incident| send(incident, 1))).await {
            // Of what had begun when it died, Envoy cannot know whether it was counted; these have not begun.
            let response = response?;
            ensure!(response.status == 202, "{} {}", response.status, response.text());
        }
        Ok(())
    };
    let left = async {
        rig.envoy().until_healthy(2).await?;
        println!("left after {:?}", gone.elapsed());
        Ok(())
    };
    tokio::try_join!(avoided, left)?;
    let stats = rig.envoy().stats().await?;
    assert!(stats.sum("envoy_cluster_upstream_cx_connect_fail", &[]) > 0.0, "Envoy met the dead replica");
    Ok(())
}

#[tokio::test]
async fn an_envoy_that_is_out_of_memory_says_when_to_send_again() -> Result<()> {
    let full = |config: &mut Value| {
        *at(config, "/overload_manager/resource_monitors/0/typed_config/max_heap_size_bytes") = json!(1);
        // The last action would leave the test without a connection.
        if let Some(actions) = at(config, "/overload_manager/actions").as_array_mut() {
            actions.retain(|action| action["name"] != "envoy.overload_actions.stop_accepting_connections");
        }
    };
    let rig = Rig::replicas(1).with_envoy_edited(full).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let began = Instant::now();
    loop {
        let response = rig.client().clone().alert(rig.envoy().url(), incident.webhook(0)).await?;
        if response.status == 503 {
            assert_eq!(response.header("retry-after"), Some("1"), "{}", response.text());
            return Ok(());
        }
        // Envoy looks at its memory every 250 ms.
        ensure!(response.status.is_success() && began.elapsed() < LIMIT, "{} {}", response.status, response.text());
    }
}
