//! Each rule of our CRD, `deploy/chart-crds/templates/crd.yaml`, on the real API server.

use anyhow::{Context, Result};
use http::Request;
use kube::Error;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::rig::{Rig, Rr, RrExt};
use serde_json::{Value, json};

use super::stored;

/// A spec with all fields, each text at its maximum length, in characters of two bytes.
fn widest() -> Value {
    let long = |characters: usize| "é".repeat(characters);
    json!({
        "signalFingerprint": "0123456789abcdef".repeat(4),
        "signalName": long(253),
        "severity": long(50),
        "signalType": "alert",
        "signalSource": long(63),
        "targetType": "kubernetes",
        "targetResource": {"kind": "Deployment", "name": "payment-api", "namespace": "prod", "apiVersion": "apps/v1"},
        "clusterID": long(253),
        "firingTime": "2026-03-01T10:00:00Z",
        "receivedTime": "2026-03-01T10:00:01Z",
        "signalLabels": {"alertname": "A"},
        "signalAnnotations": {"summary": "slow"},
        "providerData": "{}",
        "originalPayload": "{}",
    })
}

/// Creates an RR with this spec in a dry run.
async fn dry_run(rrs: &Api<DynamicObject>, spec: Value) -> Result<DynamicObject, Error> {
    let object = DynamicObject::new("tried", &kube::api::ApiResource::erase::<Rr>(&())).data(json!({ "spec": spec }));
    rrs.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await
}

/// The message of a 422.
fn invalid<T: std::fmt::Debug>(response: Result<T, Error>) -> String {
    match response {
        Err(Error::Api(status)) if status.is_invalid() => status.message,
        other => panic!("not invalid: {other:?}"),
    }
}

#[tokio::test]
async fn the_api_server_enforces_every_limit_of_the_spec_exactly() -> Result<()> {
    let rig = Rig::replicas(0).with_our_crd().start().await?;
    let rrs = stored(&rig);
    dry_run(&rrs, widest()).await?;
    let long = |characters: usize| json!("é".repeat(characters));
    let cases = [
        ("/signalFingerprint", json!("0".repeat(63))),
        ("/signalFingerprint", json!("0".repeat(65))),
        ("/signalFingerprint", json!("0123456789ABCDEF".repeat(4))),
        ("/signalName", long(254)),
        ("/severity", json!("")),
        ("/severity", long(51)),
        ("/signalType", json!(1)),
        ("/signalSource", long(64)),
        ("/targetType", json!("openstack")),
        ("/targetResource/kind", Value::Null),
        ("/targetResource/name", json!(["a"])),
        ("/targetResource/namespace", json!(7)),
        ("/clusterID", long(254)),
        ("/firingTime", json!("yesterday")),
        ("/receivedTime", json!("2026-13-01T00:00:00Z")),
        ("/signalLabels/alertname", json!({"deep": "no"})),
        ("/signalAnnotations/summary", json!(1)),
        ("/providerData", json!({})),
        ("/originalPayload", json!({})),
    ];
    for (place, value) in cases {
        let mut spec = widest();
        *spec.pointer_mut(place).context(place)? = value.clone();
        let message = invalid(dry_run(&rrs, spec).await);
        let field = format!("spec{}", place.replace('/', "."));
        assert!(message.contains(&field), "{field} = {value}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn exactly_the_required_fields_are_required() -> Result<()> {
    let rig = Rig::replicas(0).with_our_crd().start().await?;
    let rrs = stored(&rig);
    let required = [
        "signalFingerprint",
        "signalName",
        "severity",
        "signalType",
        "targetType",
        "targetResource",
        "firingTime",
        "receivedTime",
    ];
    let mut least = widest();
    let fields = least.as_object_mut().context("no spec")?;
    fields.retain(|field, _| required.contains(&field.as_str()));
    least["targetResource"] = json!({"kind": "Node", "name": "worker-1"});
    dry_run(&rrs, least.clone()).await?;
    for field in required {
        let mut spec = least.clone();
        spec.as_object_mut().context("no spec")?.remove(field);
        let message = invalid(dry_run(&rrs, spec).await);
        assert!(message.contains(&format!("spec.{field}: Required")), "{field}: {message}");
    }
    for field in ["kind", "name"] {
        let mut spec = least.clone();
        spec["targetResource"].as_object_mut().context("no target")?.remove(field);
        let message = invalid(dry_run(&rrs, spec).await);
        assert!(message.contains(&format!("spec.targetResource.{field}: Required")), "{field}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn unknown_fields_of_the_spec_are_pruned() -> Result<()> {
    let rig = Rig::replicas(0).with_our_crd().start().await?;
    let mut spec = widest();
    spec["unknown"] = json!(1);
    spec["targetResource"]["uid"] = json!("x");
    let created = dry_run(&stored(&rig), spec).await?;
    assert_eq!(created.data["spec"], widest());
    Ok(())
}

/// A rig with an RR that the sidecar created, and its name.
async fn opened() -> Result<(Rig, Incident, String)> {
    let rig = Rig::replicas(1).with_our_crd().with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    let name = rig.rrs_of(&incident).await?[0].name().to_owned();
    Ok((rig, incident, name))
}

#[tokio::test]
async fn the_spec_is_immutable_and_the_rest_of_an_rr_is_not() -> Result<()> {
    let (rig, incident, name) = opened().await?;
    let rrs = stored(&rig);
    let patch = async |change: Value| rrs.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await;
    let changes = [
        json!({"severity": "info"}),
        json!({"signalFingerprint": "0".repeat(64)}),
        json!({"targetResource": {"name": "other"}}),
        json!({"signalLabels": {"added": "label"}}),
        // An absent field added, a present one removed.
        json!({"clusterID": "east-1"}),
        json!({"originalPayload": null}),
    ];
    for change in changes {
        let message = invalid(patch(json!({"spec": change})).await);
        assert!(message.contains("spec is immutable"), "{change}: {message}");
    }
    patch(json!({"spec": {"signalType": "alert"}})).await.context("a patch without a change is valid")?;
    patch(json!({"metadata": {"labels": {"team": "payments"}}})).await?;
    // The status is a subresource: no write of the object itself reaches it.
    patch(json!({"status": {"overallPhase": "Completed", "deduplication": {"occurrenceCount": 99}}})).await?;
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 202, "the sidecar continues to count");
    assert_eq!(rig.rrs_of(&incident).await?[0].count(), 2);
    Ok(())
}

#[tokio::test]
async fn fields_of_other_controllers_anywhere_in_the_status_survive_counts() -> Result<()> {
    let (rig, incident, name) = opened().await?;
    let theirs = json!({
        "overallPhase": "Blocked",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T10:00:00Z"}],
        "deduplication": {"lastSeenBy": "somebody"},
        "completionStatus": {"notified": [1, {"deep": null}]},
        "routingStatus": {"blockReason": "ConsecutiveFailures", "duplicateOf": "another"},
        "aiAnalysisRef": {"name": "analysis-1"},
    });
    rig.patch_status(&name, theirs).await?;
    let theirs = stored(&rig).get(&name).await?.data["status"].clone();
    let report = rig.storm(vec![incident]).signals(50).concurrency(50).first(1).run().await;
    assert_eq!(report.total().acknowledged, 50);
    let mut after = stored(&rig).get(&name).await?.data["status"].clone();
    assert_eq!(after["deduplication"]["occurrenceCount"], 51);
    // Only the sidecar's fields changed.
    for field in ["occurrenceCount", "lastSeenAt", "distinctSignals", "signals"] {
        after["deduplication"][field] = theirs["deduplication"][field].clone();
    }
    assert_eq!(after, theirs);
    Ok(())
}

#[tokio::test]
async fn the_api_server_checks_the_fields_of_the_status_that_the_sidecar_uses() -> Result<()> {
    let (rig, _, name) = opened().await?;
    let rrs = stored(&rig);
    let entry = |name: &str, count: i32| json!({"name": name, "count": count, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:00Z"});
    let cases = [
        ("deduplication.occurrenceCount", json!({"deduplication": {"occurrenceCount": "many"}})),
        ("deduplication.lastSeenAt", json!({"deduplication": {"lastSeenAt": "yesterday"}})),
        ("deduplication.firstSeenAt", json!({"deduplication": {"firstSeenAt": 1}})),
        ("deduplication.distinctSignals", json!({"deduplication": {"distinctSignals": "two"}})),
        ("deduplication.signals", json!({"deduplication": {"signals": vec![entry("Down", 1); 22]}})),
        ("deduplication.signals[0].name", json!({"deduplication": {"signals": [entry(&"é".repeat(254), 1)]}})),
        ("deduplication.signals[0].count", json!({"deduplication": {"signals": [entry("Down", 0)]}})),
        ("overallPhase", json!({"overallPhase": ["Completed"]})),
        ("completionStatus.outcome", json!({"completionStatus": {"outcome": {}}})),
        ("routingStatus.nextAllowedExecution", json!({"routingStatus": {"nextAllowedExecution": "soon"}})),
    ];
    for (field, status) in cases {
        let patch = Patch::Merge(json!({ "status": status }));
        let message = invalid(rrs.patch_status(&name, &PatchParams::default(), &patch).await);
        assert!(message.contains(&format!("status.{field}")), "{field}: {message}");
    }
    Ok(())
}

#[tokio::test]
async fn only_the_selectable_fields_can_be_selected() -> Result<()> {
    let rig = Rig::replicas(1).with_our_crd().start().await?;
    let alerts =
        [("east-1", "critical", "payment-api"), ("east-1", "warning", "checkout"), ("west-1", "critical", "cart")].map(
            |(cluster, severity, deployment)| {
                let alert = Alert::firing("Down").label("namespace", "prod").label("deployment", deployment);
                alert.label("cluster", cluster).label("severity", severity)
            },
        );
    let response = rig.client().clone().alert(rig.sidecar(0).url(), webhook(&alerts)).await?;
    assert_eq!(response.status, 207, "{}", response.text());
    let fingerprint = rig.rrs().await?.swap_remove(0).spec.signal_fingerprint;
    let selected = async |selector: &str| rig.rr_api().list(&ListParams::default().fields(selector)).await;
    let cases = [
        (format!("spec.signalFingerprint={fingerprint}"), 1),
        ("spec.signalType=alert".to_owned(), 3),
        ("spec.severity=critical".to_owned(), 2),
        ("spec.clusterID=east-1".to_owned(), 2),
        ("spec.clusterID=east-1,spec.severity=critical".to_owned(), 1),
        ("spec.severity!=critical".to_owned(), 1),
        ("spec.signalType=other".to_owned(), 0),
    ];
    for (selector, count) in cases {
        assert_eq!(selected(&selector).await?.items.len(), count, "{selector}");
    }
    assert!(selected("spec.signalName=Down").await.is_err(), "it is not among the selectable fields");
    Ok(())
}

#[tokio::test]
async fn kubectl_get_rr_shows_phase_count_and_target() -> Result<()> {
    let (rig, _, name) = opened().await?;
    rig.set_phase(&name, "Executing").await?;
    let client = rig.namespace().client();
    let path = format!("/apis/kubernaut.ai/v1alpha1/namespaces/{}/remediationrequests/{name}", rig.namespace().name());
    let request = Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let table: Value = client.request(request.body(Vec::new())?).await?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let columns = table["columnDefinitions"].as_array().context("no columns")?;
    let names: Vec<String> = columns.iter().map(|column| text(&column["name"])).collect();
    let shown = ["Name", "Phase", "Count", "Signal", "Severity", "Kind", "Target", "Last Seen", "Age"];
    let wide = ["Outcome", "Signals"];
    assert_eq!(names, [&shown[..], &wide].concat());
    let of_wide: Vec<String> =
        columns.iter().filter(|column| column["priority"] != 0).map(|column| text(&column["name"])).collect();
    assert_eq!(of_wide, wide);
    let cells: Vec<String> = table["rows"][0]["cells"].as_array().context("no row")?.iter().map(text).collect();
    let row = [&name, "Executing", "1", "KubeDeploymentReplicasMismatch", "warning", "Deployment", "payment-api"]
        .map(str::to_owned);
    assert_eq!(cells[..row.len()], row);
    assert_eq!(cells.last().map(String::as_str), Some("1"), "one name");
    // kubectl shows times as ages ("2s"), never as "<invalid>" or "<unknown>".
    for place in [7, 8] {
        assert!(cells[place].starts_with(|first: char| first.is_ascii_digit()), "{}: {}", names[place], cells[place]);
    }

    let resources: Value = client.request(Request::get("/apis/kubernaut.ai/v1alpha1").body(Vec::new())?).await?;
    let of_rrs = |resource: &&Value| resource["name"] == "remediationrequests";
    let rrs = resources["resources"].as_array().into_iter().flatten().find(of_rrs).context("no RRs")?;
    assert_eq!((&rrs["shortNames"], &rrs["namespaced"]), (&json!(["rr"]), &json!(true)));
    Ok(())
}
