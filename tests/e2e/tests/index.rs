//! The index: signals are counted in RRs of other programs, and the watch that finds these survives every failure.

use std::time::Duration;

use anyhow::Result;
use http::StatusCode;
use jiff::Timestamp;
use onceway::config::Index;
use onceway::watching::silence_limit;
use onceway_kit::fault_proxy::{Fault, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::time::Instant;

/// What a loaded machine may add.
const SLACK: Duration = Duration::from_secs(10);

fn incident() -> Incident {
    Incident::new("prod", "payment-api")
}

/// Waits until the replica's index has at least this number of incidents.
async fn until_indexed_incidents(rig: &Rig, replica: usize, incidents: f64) -> Result<()> {
    rig.sidecar(replica).until_metric("gateway_index_incidents", |value| value >= incidents).await
}

#[tokio::test]
async fn an_active_foreign_rr_is_counted_and_no_other_is_created() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await?;
    let response = rig.alert(0, &incident(), 0).await?;
    assert_eq!(response.status, 202, "{}", response.text());
    assert_eq!(rig.alert(1, &incident(), 1).await?.status, 202);
    let rrs = rig.rrs_of(&incident()).await?;
    assert_eq!((rrs.len(), rrs[0].name(), rrs[0].count()), (1, "made-by-hand", 2));
    let listed = rig.record().count_of(|call| call.is(Verb::List, RRS));
    assert_eq!(listed, 2, "one list per replica at its start, none on the path");
    Ok(())
}

#[tokio::test]
async fn a_foreign_rr_follows_an_rr_of_the_sidecar_that_is_terminal() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    let ours = rig.rrs_of(&incident()).await?;
    rig.set_phase(ours[0].name(), "Completed").await?;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    // The terminal RR leaves the index and the new one joins it, so that no third is created.
    rig.sidecar(0).until_metric("gateway_index_incidents", |value| value > 0.5).await?;
    until_indexed(&rig, "made-by-hand").await?;
    assert_eq!(rig.alert(0, &incident(), 1).await?.status, 202);
    let rrs = rig.rrs_of(&incident()).await?;
    let foreign = rrs.iter().find(|rr| rr.name() == "made-by-hand").expect("it is still there");
    assert_eq!((rrs.len(), foreign.count()), (2, 1));
    Ok(())
}

/// Waits until the replica's watch has delivered all earlier writes: creates another incident's RR as a marker.
async fn until_indexed(rig: &Rig, mark: &str) -> Result<()> {
    let before = rig.sidecar(0).scrape().await?.sum("gateway_index_incidents", &[]);
    let marker = Incident::new("marks", mark);
    rig.create_foreign(&marker, &format!("mark-{mark}")).await?;
    rig.sidecar(0).until_metric("gateway_index_incidents", |value| value > before).await
}

#[tokio::test]
async fn an_index_out_of_sync_is_not_read_as_not_found() -> Result<()> {
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    // The current watch ends after a second; every later one fails.
    let down = rig.proxy(0).rule(Rule::on(Verb::Watch, RRS), Fault::Respond(StatusCode::SERVICE_UNAVAILABLE));
    down.reached().await;
    rig.sidecar(0).until_metric("gateway_index_in_sync", |value| value < 0.5).await?;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 202);
    let rrs = rig.rrs_of(&incident()).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    assert!(rig.record().count_of(|call| call.is(Verb::List, RRS)) >= 2, "an uncached list finds it");

    let other = Incident::new("prod", "checkout-api");
    assert_eq!(rig.alert(0, &other, 0).await?.status, 201, "a list without a result means not found");
    Ok(())
}

#[tokio::test]
async fn a_failed_list_creates_no_rr() -> Result<()> {
    let limits = json!({"index": {"watchTimeout": "1s"}, "limits": {"deadline": "2s", "apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).config(limits).start().await?;
    let down = rig.proxy(0).rule(Rule::on(Verb::Watch, RRS), Fault::Respond(StatusCode::SERVICE_UNAVAILABLE));
    down.reached().await;
    rig.sidecar(0).until_metric("gateway_index_in_sync", |value| value < 0.5).await?;
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FORBIDDEN] {
        let failing = rig.proxy(0).rule(Rule::on(Verb::List, RRS), Fault::Respond(status));
        let response = rig.alert(0, &incident(), 0).await?;
        assert_eq!(response.status, 503, "{status}: {}", response.text());
        assert!(failing.injected() > 0);
        failing.release();
    }
    assert!(rig.rrs().await?.is_empty());
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn the_watch_survives_an_expired_resource_version() -> Result<()> {
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    let expired = rig.proxy(0).rule(Rule::on(Verb::Watch, RRS).once(), Fault::Expire);
    expired.reached().await;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await?;
    rig.sidecar(0).until_in_sync().await?;
    assert!(rig.record().count_of(|call| call.is(Verb::List, RRS)) >= 2, "it lists again");
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn the_watch_survives_a_silently_dead_connection() -> Result<()> {
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    let mute = rig.proxy(0).rule(Rule::on(Verb::Watch, RRS).once(), Fault::Mute);
    mute.reached().await;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn a_failed_watch_resumes_where_it_broke_off_and_is_in_sync_without_a_change() -> Result<()> {
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    let down = rig.proxy(0).rule(Rule::on(Verb::Watch, RRS), Fault::Respond(StatusCode::SERVICE_UNAVAILABLE));
    rig.sidecar(0).until_metric("gateway_index_in_sync", |value| value < 0.5).await?;
    down.release();
    rig.sidecar(0).until_in_sync().await?;
    assert_eq!(rig.record().count_of(|call| call.is(Verb::List, RRS)), 1, "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_watch_or_list_without_a_response_times_out() -> Result<()> {
    let rig = Rig::replicas(1).config(json!({"index": {"watchTimeout": "1s"}})).start().await?;
    let proxy = rig.proxy(0);
    // Both are held to the end of the test.
    let watch = proxy.rule(Rule::on(Verb::Watch, RRS).once(), Fault::Hold);
    watch.reached().await;
    let list = proxy.rule(Rule::on(Verb::List, RRS).once(), Fault::Hold);
    proxy.rule(Rule::on(Verb::Watch, RRS).once(), Fault::Expire);
    list.reached().await;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await
}

#[tokio::test]
async fn the_index_is_out_of_sync_soon_after_the_api_server_hangs_and_in_sync_once_it_goes_on() -> Result<()> {
    let rig = Rig::replicas(1).own_cluster().start().await?;
    let sidecar = rig.sidecar(0);
    rig.cluster().apiserver().freeze()?;
    let frozen = Instant::now();
    sidecar.until_metric("gateway_index_in_sync", |value| value < 0.5).await?;
    let noticed = frozen.elapsed();
    rig.cluster().apiserver().thaw()?;
    assert!(noticed <= silence_limit(Index::default().watch_timeout) + SLACK, "noticed after {noticed:?}");
    sidecar.until_in_sync().await?;
    let age = sidecar.scrape().await?.sum("gateway_index_last_event_timestamp_seconds", &[]);
    let age = Timestamp::now().as_duration().as_secs_f64() - age;
    assert!((0.0..60.0).contains(&age), "{age} s");
    let log = std::fs::read_to_string(sidecar.service().process()?.log())?;
    for event in ["watch_lost", "watch_recovered"] {
        assert_eq!(log.matches(&format!("\"event\":\"{event}\"")).count(), 1, "{log}");
    }
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 202);
    Ok(())
}

#[tokio::test]
async fn the_watch_survives_a_restart_of_the_api_server() -> Result<()> {
    let rig = Rig::replicas(1).own_cluster().start().await?;
    rig.cluster().apiserver().kill().await?;
    rig.sidecar(0).until_metric("gateway_index_in_sync", |value| value < 0.5).await?;
    rig.cluster().apiserver().restart()?;
    rig.cluster().until_ready().await?;
    rig.sidecar(0).until_in_sync().await?;
    rig.create_foreign(&incident(), "made-by-hand").await?;
    until_indexed_incidents(&rig, 0, 1.0).await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 202);
    let rrs = rig.rrs_of(&incident()).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    Ok(())
}
