//! A filter that traps or is replaced, in real Envoy, which rebuilds the VM without losing a request.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use onceway_kit::built;
use onceway_kit::client::{Client, ClientResponse};
use onceway_kit::envoy::{self, FILTER, at, configure_filter, load_module};
use onceway_kit::fault_proxy::{Call, Fault, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll::until;
use onceway_kit::rig::Rig;
use onceway_kit::scratch::Scratch;
use onceway_signal::Source;
use serde_json::{Value, json};

/// JSON pointer to the maximum duration of a stream.
const MAX_STREAM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/\
    common_http_protocol_options/max_stream_duration";

/// A rig whose filter traps on demand. Over HTTP/2 all requests of one client reach the same worker, and so the same
/// VM.
async fn trapping() -> Result<(Rig, Client)> {
    let wasm = tokio::task::spawn_blocking(built::filter::trapping).await??;
    let edit = move |config: &mut Value| {
        load_module(config, &wasm);
        *at(config, MAX_STREAM) = json!("3s");
    };
    Ok((Rig::replicas(1).with_envoy_edited(edit).start().await?, Client::http2()))
}

/// Sends a webhook that makes the filter trap at `place`.
async fn trap(rig: &Rig, client: &Client, place: &str, body: String) -> Result<ClientResponse> {
    let request = Request::post(rig.envoy().url() + Source::Prometheus.path());
    client.send(request.header("content-type", "application/json").header("x-trap", place), body).await
}

/// How long Envoy may take to run another filter.
const LIMIT: Duration = Duration::from_secs(60);

fn several(n: u64) -> String {
    webhook(&Incident::several("prod", 3).iter().map(|incident| incident.alert(n)).collect::<Vec<_>>())
}

/// The sum of Envoy's statistics whose lines contain all of these words.
async fn sum(rig: &Rig, words: &[&str]) -> Result<f64> {
    let stats = rig.envoy().stats().await?;
    let found = stats.text().lines().filter(|line| words.iter().all(|word| line.contains(word)));
    Ok(found.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

/// Sends until the response is not 503: Envoy rebuilds a VM only after a backoff.
async fn send_until_served(rig: &Rig, client: &Client, body: String) -> Result<ClientResponse> {
    let served = async || {
        let response = client.signal(&rig.envoy().url(), Source::Prometheus, body.clone()).await?;
        Ok((response.status != 503).then_some(response))
    };
    until(LIMIT, "the VM is rebuilt", served).await
}

#[tokio::test]
async fn a_filter_that_traps_costs_the_request_in_flight_and_the_next_one_is_served() -> Result<()> {
    let (rig, client) = trapping().await?;
    let incident = Incident::new("prod", "payment-api");
    for n in 0..3 {
        assert_eq!(trap(&rig, &client, "body", incident.webhook(n)).await?.status, 503);
        let response = send_until_served(&rig, &client, incident.webhook(n)).await?;
        assert!(response.status.is_success(), "{}", response.text());
    }
    let reloads = sum(&rig, &["envoy_wasm", "vm_reload_success"]).await?;
    assert!(reloads >= 3.0, "{reloads} reloads");
    let marked = rig.envoy().stats().await?.sum("onceway_filter_requests_total", &[("outcome", "fingerprinted")]);
    assert!(marked >= 3.0, "each was fingerprinted again: {marked}");
    Ok(())
}

#[tokio::test]
async fn requests_whose_vm_dies_with_sub_requests_in_flight_end_at_the_streams_maximum() -> Result<()> {
    let (rig, client) = trapping().await?;
    let held = rig.proxy(0).rule(Rule::on(Verb::Create, RRS), Fault::Hold);
    let waiting = tokio::spawn({
        let (client, url) = (client.clone(), rig.envoy().url());
        async move { client.signal(&url, Source::Prometheus, several(0)).await }
    });
    rig.record().wait_for(|calls| calls.iter().filter(|call| call.is(Verb::Create, RRS)).count() >= 3).await?;
    assert_eq!(trap(&rig, &client, "body", several(1)).await?.status, 503);
    held.release();
    let response = waiting.await??;
    assert_eq!(response.status, 503, "{}", response.text());
    let ended = sum(&rig, &["envoy_http_downstream_rq_max_duration_reached", "\"onceway\""]).await?;
    assert!(ended >= 1.0, "Envoy ended {ended} streams at their maximum duration");
    // Their signals are counted nevertheless; sent again, they are duplicates.
    let counted = |call: &&Call| call.is(Verb::Patch, RR_STATUS) && call.result.is_status(200);
    rig.record().wait_for(|calls| calls.iter().filter(counted).count() >= 3).await?;
    let response = send_until_served(&rig, &client, several(0)).await?;
    assert_eq!((response.status.as_u16(), &response.json()["summary"]["deduplicated"]), (207, &json!(3)));
    Ok(())
}

/// Has Envoy validate the shipped configuration with these fields of the filter's.
fn validate(scratch: &Scratch, fields: &Value) -> Result<()> {
    let mut config: Value = serde_saphyr::from_str(&fs::read_to_string(envoy::shipped())?)?;
    configure_filter(&mut config, fields);
    load_module(&mut config, &built::filter::path()?);
    let path = scratch.path().join("envoy.json");
    fs::write(&path, config.to_string())?;
    envoy::validate(&path)
}

#[tokio::test]
async fn a_wrong_configuration_of_the_filter_keeps_envoy_from_starting_and_names_the_field() -> Result<()> {
    tokio::task::spawn_blocking(|| {
        let scratch = Scratch::new("validate")?;
        validate(&scratch, &json!({"max_fingerprints": 10}))?;
        for (fields, words) in [
            (json!({"max_fingerprint": 10}), "unknown field `max_fingerprint`"),
            (json!({"max_fingerprints": 0}), "max_fingerprints is 0; set it to 1 or more"),
            (json!({"split_timeout_ms": "9s"}), "invalid type: string \"9s\""),
            (json!({"cluster": ""}), "cluster is empty"),
        ] {
            let error = validate(&scratch, &fields).err().context("Envoy accepts it")?.to_string();
            ensure!(error.contains(words), "{words:?} is not in {error}");
        }
        Ok(())
    })
    .await?
}

/// Publishes a filter in the file of Envoy's extension discovery. By a rename, so that Envoy never reads half of it.
fn publish(dir: &Path, filter: &Value, version: u64) -> Result<()> {
    let mut resource = filter.clone();
    resource["@type"] = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig".into();
    let file = dir.join("new");
    fs::write(&file, json!({"version_info": version.to_string(), "resources": [resource]}).to_string())?;
    Ok(fs::rename(file, dir.join("ecds.json"))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_configuration_and_a_new_module_roll_in_without_a_lost_request() -> Result<()> {
    let scratch = Scratch::new("ecds")?;
    let dir = scratch.path().to_owned();
    let module = dir.join("filter.wasm");
    let shipped = tokio::task::spawn_blocking(built::filter::path).await??;
    fs::copy(&shipped, &module)?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let edit = {
        let (dir, module) = (dir.clone(), module.clone());
        move |config: &mut Value| {
            load_module(config, &module);
            let filter = at(config, FILTER).clone();
            publish(&dir, &filter, 0).expect("the directory is writable");
            let path = json!({"path": dir.join("ecds.json"), "watched_directory": {"path": dir}});
            *at(config, FILTER) = json!({"name": filter["name"], "config_discovery": {
                "config_source": {"path_config_source": path, "resource_api_version": "V3"},
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }});
            config["node"] = json!({"id": "onceway", "cluster": "onceway"});
            let _ = sender.send(filter);
        }
    };
    let rig = Rig::replicas(2).with_envoy_edited(edit).with_long_timeouts().start().await?;
    let filter = receiver.await?;
    let updates = async || sum(&rig, &["envoy_extension_config_discovery", "config_reload"]).await;
    let loaded = async |count: f64| {
        let loaded = async || Ok((updates().await? >= count).then_some(()));
        until(LIMIT, "Envoy has loaded the new filter", loaded).await
    };
    let before = updates().await?;
    let storm = rig.storm(Incident::several("prod", 5)).endless().concurrency(20).max_attempts(1).start();
    storm.until_acknowledged(100).await;
    // A new configuration.
    let mut newer = filter.clone();
    newer["typed_config"]["config"]["configuration"]["value"] = json!(r#"{"max_fingerprints": 4}"#);
    publish(&dir, &newer, 1)?;
    loaded(before + 1.0).await?;
    storm.until_acknowledged(300).await;
    // Another module (a custom section is appended), and the old configuration.
    let mut bytes = fs::read(&shipped)?;
    bytes.extend([0, 5, 4, b't', b'e', b's', b't']);
    let other = dir.join("other.wasm");
    fs::write(&other, bytes)?;
    let mut newest = filter.clone();
    newest["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"] = json!(other);
    publish(&dir, &newest, 2)?;
    loaded(before + 2.0).await?;
    storm.until_acknowledged(500).await;
    // An invalid configuration is not loaded.
    newest["typed_config"]["config"]["configuration"]["value"] = json!(r#"{"no_such_field": 4}"#);
    publish(&dir, &newest, 3)?;
    storm.until_acknowledged(700).await;
    storm.end();
    let total = storm.report().await.total();
    assert_eq!((total.given_up, total.without_response), (0, 0), "{:?}", total.responses);
    assert_eq!(total.acknowledged, total.signals);
    Ok(())
}
