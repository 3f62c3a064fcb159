use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{WatchSinks, follow};
use crate::doubles::objects::{RRS, fingerprint, list, rr};
use crate::doubles::wire::{Met, Wire, status};
use crate::health::permissions::PermissionRecheck;
use crate::index::{Index, Lookup};
use crate::metrics::Metrics;
use crate::watching::silence_limit;

const WATCH: Duration = Duration::from_secs(30);

fn event(kind: &str, object: Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// Follows the scripted wire for the length of a watch.
async fn followed(wire: &Arc<Wire>) -> (Arc<Index>, Arc<Metrics>) {
    followed_for(WATCH, wire).await
}

/// Follows the scripted wire for this time.
async fn followed_for(time: Duration, wire: &Arc<Wire>) -> (Arc<Index>, Arc<Metrics>) {
    let (index, metrics) = (Arc::new(Index::default()), Arc::new(Metrics::new()));
    let sinks =
        WatchSinks { index: Arc::clone(&index), recheck: PermissionRecheck::default(), metrics: Arc::clone(&metrics) };
    let following = follow(wire.client(), "incidents".into(), WATCH, sinks);
    assert!(timeout(time, following).await.is_err(), "it never returns");
    (index, metrics)
}

fn names(index: &Index) -> Vec<String> {
    match index.lookup(fingerprint()) {
        Lookup::Active(names) => names.iter().map(|name| name.to_string()).collect(),
        Lookup::NotInSync => panic!("not in sync"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_index_holds_the_list_with_the_changes_of_the_watch() {
    let wire = Wire::new();
    let changes = vec![
        event("ADDED", rr("rr-2", 2, "", 0)),
        event("MODIFIED", rr("rr-1", 1, "Completed", 1)),
        event("ADDED", rr("rr-3", 3, "", 0)),
        event("DELETED", rr("rr-3", 3, "", 0)),
    ];
    wire.on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "")));
    wire.on(&format!("WATCH {RRS}"), Met::Stream(changes));
    let (index, metrics) = followed(&wire).await;
    assert_eq!(names(&index), ["rr-2"]);
    assert!(metrics.render().unwrap().contains("gateway_index_in_sync 1\n"));
    let watch = &wire.made(&format!("WATCH {RRS}"))[0].query;
    assert!(watch.contains("timeoutSeconds=30") && watch.contains("resourceVersion=7"), "{watch}");
}

#[tokio::test(start_paused = true)]
async fn an_expired_resource_version_causes_another_list() {
    let wire = Wire::new();
    let gone = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410 });
    wire.on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "")))
        .on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-2", 2, "", 1)], "")));
    wire.on(&format!("WATCH {RRS}"), Met::Stream(vec![event("ERROR", gone)])).on(&format!("WATCH {RRS}"), Met::Silence);
    let (index, _) = followed(&wire).await;
    assert_eq!(names(&index), ["rr-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_list_is_retried_and_until_then_the_index_is_not_in_sync() {
    let wire = Wire::new();
    wire.on(&format!("GET {RRS}"), status(500, "InternalError"))
        .on(&format!("GET {RRS}"), Met::Break)
        .on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "")));
    wire.on(&format!("WATCH {RRS}"), Met::Silence);
    let (index, _) = followed(&wire).await;
    assert_eq!(names(&index), ["rr-1"]);

    let wire = Wire::new();
    wire.on(&format!("GET {RRS}"), status(403, "Forbidden"));
    let (index, metrics) = followed(&wire).await;
    assert_eq!(index.lookup(fingerprint()), Lookup::NotInSync);
    assert!(metrics.render().unwrap().contains("gateway_index_in_sync 0\n"));
    let tries = wire.lines().len();
    assert!((5..20).contains(&tries), "{tries} tries in {WATCH:?}: with growing pauses");
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_later_pages_fail_is_retried_with_growing_pauses_too() {
    let wire = Wire::new();
    for _ in 0..100 {
        wire.on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "more")))
            .on(&format!("GET {RRS}"), status(500, "InternalError"));
    }
    followed(&wire).await;
    let calls = wire.lines().len();
    assert!((10..40).contains(&calls), "{calls} calls in {WATCH:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_restarts_after_a_failure_is_in_sync_without_an_event() {
    let (get, watch) = (format!("GET {RRS}"), format!("WATCH {RRS}"));
    for (begins, in_sync) in [(Met::Stream(Vec::new()), true), (Met::Silence, false)] {
        let wire = Wire::new();
        wire.on(&get, Met::Response(200, list([rr("rr-1", 1, "", 1)], "")));
        wire.on(&watch, Met::Break).on(&watch, status(503, "ServiceUnavailable")).on(&watch, begins);
        let (index, metrics) = followed(&wire).await;
        assert_eq!(index.size(), (1, in_sync));
        assert!(metrics.render().unwrap().contains(&format!("gateway_index_in_sync {}\n", u8::from(in_sync))));
        assert_eq!((wire.made(&get).len(), wire.made(&watch).len()), (1, 3), "the list is not repeated");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_silent_for_longer_than_it_lasts_is_out_of_sync() {
    let limit = silence_limit(WATCH);
    // A watch without a response, and one that brings an event and nothing more.
    for met in [Met::Silence, Met::Stream(vec![event("ADDED", rr("rr-2", 2, "", 0))])] {
        for (time, in_sync) in [(limit - Duration::from_millis(10), 1), (limit + Duration::from_millis(10), 0)] {
            let wire = Wire::new();
            wire.on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "")));
            wire.on(&format!("WATCH {RRS}"), met.clone()).on(&format!("WATCH {RRS}"), Met::Silence);
            let (index, metrics) = followed_for(time, &wire).await;
            assert_eq!(index.size().1, in_sync == 1, "{met:?} after {time:?}");
            let text = metrics.render().unwrap();
            assert!(text.contains(&format!("gateway_index_in_sync {in_sync}\n")), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hung_puts_the_index_in_sync_again_when_it_responds_and_its_next_silence_is_noticed() {
    let (limit, late, second) = (silence_limit(WATCH), Duration::from_secs(3), Duration::from_secs(1));
    for (time, in_sync) in [(limit + second, 0), (limit + late + second, 1), (2 * limit + late + second, 0)] {
        let wire = Wire::new();
        wire.on(&format!("GET {RRS}"), Met::Response(200, list([rr("rr-1", 1, "", 1)], "")));
        // kube's watcher gives the silent watch up at the limit, and begins another.
        wire.on(&format!("WATCH {RRS}"), Met::Stream(Vec::new()))
            .on(&format!("WATCH {RRS}"), Met::Late(late, vec![event("ADDED", rr("rr-2", 2, "", 0))]))
            .on(&format!("WATCH {RRS}"), Met::Silence);
        let (index, metrics) = followed_for(time, &wire).await;
        let text = metrics.render().unwrap();
        assert!(text.contains(&format!("gateway_index_in_sync {in_sync}\n")), "after {time:?}: {text}");
        if in_sync == 1 {
            assert_eq!(names(&index), ["rr-1", "rr-2"]);
        }
        let heard = text.lines().find_map(|line| line.strip_prefix("gateway_index_last_event_timestamp_seconds "));
        assert!(heard.unwrap().parse::<f64>().unwrap() > 1_700_000_000.0, "{text}");
    }
}
