use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{NamespaceSink, follow};
use crate::doubles::objects::list;
use crate::doubles::wire::{Met, Wire, status};
use crate::executor::MetadataReader;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;
use crate::scope::Namespaces;
use crate::workload::ReadRights;

const WATCH: Duration = Duration::from_secs(30);
const PATH: &str = "/api/v1/namespaces";
const LABEL: &str = "kubernaut.ai/managed";

fn namespace(name: &str, value: &str) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": name, "resourceVersion": "7", "labels": {LABEL: value}}})
}

fn event(kind: &str, object: Value) -> Value {
    json!({ "type": kind, "object": object })
}

struct Followed {
    namespaces: Arc<Namespaces>,
    recheck: PermissionRecheck,
    metrics: Arc<Metrics>,
}

/// Follows the scripted wire for the length of a watch.
async fn followed(wire: &Arc<Wire>) -> Followed {
    let (recheck, metrics) = (PermissionRecheck::default(), Arc::new(Metrics::new()));
    let rights = Arc::new(ReadRights::default());
    let reader = MetadataReader::new(wire.client(), WATCH, rights, recheck.clone(), Arc::clone(&metrics));
    let namespaces = Arc::new(Namespaces::new(LABEL.into(), Arc::new(reader)));
    let sink =
        NamespaceSink { namespaces: Arc::clone(&namespaces), recheck: recheck.clone(), metrics: Arc::clone(&metrics) };
    assert!(timeout(WATCH, follow(wire.client(), WATCH, sink)).await.is_err(), "it never returns");
    Followed { namespaces, recheck, metrics }
}

#[tokio::test(start_paused = true)]
async fn the_labels_are_those_of_the_list_with_the_changes_of_the_watch() {
    let wire = Wire::new();
    let listed =
        [namespace("prod", "true"), namespace("test", "false"), namespace("odd", "yes"), namespace("a", "true")];
    wire.on(&format!("GET {PATH}"), Met::Response(200, list(listed, "")));
    let changes = vec![
        event("ADDED", namespace("shop", "true")),
        event("MODIFIED", namespace("test", "true")),
        event("MODIFIED", namespace("prod", "false")),
        // Deleted, or the label is gone.
        event("DELETED", namespace("a", "true")),
    ];
    wire.on(&format!("WATCH {PATH}"), Met::Stream(changes));
    let Followed { namespaces, metrics, .. } = followed(&wire).await;
    let mut values = Vec::new();
    for name in ["prod", "test", "shop", "odd", "a", "never"] {
        values.push(namespaces.managed(name).await.unwrap());
    }
    assert_eq!(values, [Some(false), Some(true), Some(true), None, None, None]);
    assert_eq!(wire.made(&format!("GET {PATH}")).len() + wire.made(&format!("WATCH {PATH}")).len(), wire.lines().len());
    assert!(metrics.render().unwrap().contains("gateway_scope_in_sync 1\n"));
    let made = &wire.made(&format!("GET {PATH}"))[0];
    assert!(made.query.contains("labelSelector=kubernaut.ai%2Fmanaged"), "{}", made.query);
    assert!(made.accept.contains("PartialObjectMetadata"), "metadata alone: {}", made.accept);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_nothing_is_known_and_the_rights_are_checked() {
    let wire = Wire::new();
    wire.on(&format!("GET {PATH}"), status(403, "Forbidden"));
    wire.on(&format!("GET {PATH}/prod"), status(403, "Forbidden"));
    let Followed { namespaces, recheck, metrics } = followed(&wire).await;
    assert!(timeout(Duration::from_millis(1), recheck.requested()).await.is_ok());
    assert_eq!(namespaces.managed("prod").await.unwrap_err(), "the right to get namespaces is missing");
    assert!(metrics.render().unwrap().contains("gateway_scope_in_sync 0\n"));
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_is_not_in_sync_until_another_has_started() {
    let (get, watch) = (format!("GET {PATH}"), format!("WATCH {PATH}"));
    for (begins, in_sync) in [(Met::Stream(Vec::new()), true), (Met::Silence, false)] {
        let wire = Wire::new();
        wire.on(&get, Met::Response(200, list([namespace("prod", "true")], "")));
        wire.on(&watch, Met::Break).on(&watch, status(503, "ServiceUnavailable")).on(&watch, begins);
        assert_eq!(followed(&wire).await.namespaces.size(), (1, in_sync));
    }
}
