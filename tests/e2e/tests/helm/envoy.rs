//! The chart's Envoy configuration, run by real Envoy in front of real sidecars.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::client::Client;
use onceway_kit::envoy::{FILTER, at};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::{Value, json};

use super::{Helm, object};

const LIMIT: Duration = Duration::from_secs(30);
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
/// What of one machine takes the place of a cluster's: addresses, and the module's path.
const OF_THE_MACHINE: [&str; 5] = [
    "/admin/address",
    "/static_resources/listeners/0/address",
    "/static_resources/listeners/1/address",
    "/static_resources/clusters/1/load_assignment/endpoints/0/lb_endpoints",
    "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints",
];

/// The filter's configuration in Envoy's.
pub(super) fn plugin(envoy: &Value) -> Result<Value> {
    let value = envoy.pointer(&format!("{FILTER}/typed_config/config/configuration/value"));
    Ok(serde_json::from_str(value.and_then(Value::as_str).context("no plugin configuration")?)?)
}

/// The configuration that the chart renders with these arguments.
async fn configuration(arguments: &[&str]) -> Result<Value> {
    let objects = Helm::offline()?.template(&[&["--set", "gateway.kind=envoy"], arguments].concat()).await?;
    let map = object(&objects, "ConfigMap", "onceway-envoy")?;
    Ok(serde_saphyr::from_str(map["data"]["envoy.yaml"].as_str().context("no envoy.yaml")?)?)
}

/// Puts the chart's configuration in the place of the shipped one, with that one's addresses and module.
fn replace(config: &mut Value, mut chart: Value) {
    let module = format!("{FILTER}/typed_config/config/vm_config/code");
    for place in OF_THE_MACHINE.into_iter().chain([module.as_str()]) {
        *at(&mut chart, place) = at(config, place).take();
    }
    // Loopback addresses have no names.
    let cluster = at(&mut chart, "/static_resources/clusters/0");
    cluster["cluster_type"] = Value::Null;
    cluster["type"] = json!("STATIC");
    *config = chart;
}

#[tokio::test]
async fn it_counts_signals_and_shows_its_statistics_and_nothing_else_of_its_admin_interface() -> Result<()> {
    let chart = configuration(&["--set", "gateway.envoy.maxConnectionSeconds=1"]).await?;
    let rig = Rig::replicas(2).with_envoy_edited(move |config| replace(config, chart)).start().await?;
    let url = rig.envoy().stats_url();
    let incident = Incident::new("prod", "payment-api");
    let webhook = incident.webhook(0);
    let posted = rig.client().signal(&rig.envoy().url(), Source::Prometheus, webhook.clone()).await?;
    assert_eq!(posted.status, 201, "{}", posted.text());

    let client = Client::new();
    let statistics = client.get(&format!("{url}/stats/prometheus")).await?;
    ensure!(statistics.text().contains("onceway_filter_requests_total{outcome=\"fingerprinted\"}"), "no filter");
    assert_eq!(client.get(&format!("{url}/ready")).await?.text().trim(), "LIVE");
    for hidden in ["/", "/quitquitquit", "/config_dump", "/stats", "/ready/../quitquitquit", "/stats/prometheus/x"] {
        assert_eq!(client.get(&format!("{url}{hidden}")).await?.status, 404, "{hidden}");
    }
    assert_eq!(client.post(&format!("{url}/ready")).await?.status, 404, "for reading only");

    // A sender that keeps its connection is asked to open another, between two requests.
    poll::until(LIMIT, "a connection is closed", async || {
        let again = rig.client().signal(&rig.envoy().url(), Source::Prometheus, webhook.clone()).await?;
        ensure!(again.status.is_success(), "{}", again.text());
        Ok((again.header("connection") == Some("close")).then_some(()))
    })
    .await
}

#[tokio::test]
async fn apart_from_what_a_cluster_needs_it_is_the_shipped_configuration() -> Result<()> {
    let text = std::fs::read_to_string(onceway_kit::envoy::shipped())?;
    let mut shipped: Value = serde_saphyr::from_str(&text)?;
    let mut chart = configuration(&[]).await?;
    let cluster = at(&mut chart, "/static_resources/clusters/0").as_object_mut().context("an object")?;
    assert_eq!(cluster.remove("cluster_type").context("no cluster_type")?["name"], "envoy.cluster.dns");
    cluster.insert("type".to_owned(), json!("STATIC"));
    at(&mut chart, MANAGER).as_object_mut().context("an object")?.remove("http1_safe_max_connection_duration");
    let options = format!("{MANAGER}/common_http_protocol_options");
    at(&mut chart, &options).as_object_mut().context("an object")?.remove("max_connection_duration");
    let module = format!("{FILTER}/typed_config/config/vm_config/code");
    for place in OF_THE_MACHINE.into_iter().chain([module.as_str()]) {
        *at(&mut chart, place) = at(&mut shipped, place).take();
        *at(&mut shipped, place) = at(&mut chart, place).clone();
    }
    // Written otherwise, and the same.
    let value = format!("{FILTER}/typed_config/config/configuration/value");
    assert_eq!(plugin(&chart)?, plugin(&shipped)?);
    *at(&mut chart, &value) = at(&mut shipped, &value).clone();
    assert_eq!(chart, shipped);
    Ok(())
}

#[tokio::test]
async fn envoy_accepts_it_with_tls_on_both_sides() -> Result<()> {
    let certificates = onceway_kit::scratch::Scratch::new("helm-tls")?;
    let authority = rcgen::generate_simple_self_signed(["onceway.onceway.svc.cluster.local".to_owned()])?;
    for (file, pem) in [("tls.crt", authority.cert.pem()), ("tls.key", authority.signing_key.serialize_pem())] {
        std::fs::write(certificates.path().join(file), pem)?;
    }
    std::fs::copy(certificates.path().join("tls.crt"), certificates.path().join("ca.crt"))?;
    let arguments = [
        "--set",
        "tls.secretName=onceway-tls,tls.clientCertificates=true",
        "--set",
        "gateway.envoy.upstreamTls.secretName=envoy-client,gateway.envoy.tls.secretName=edge",
        "--set",
        "tracing.otlp.endpoint=http://collector.monitoring:4318",
        "--set-json",
        "tracing.sampling=0.25",
    ];
    let mut chart = configuration(&arguments).await?;
    let wasm = tokio::task::spawn_blocking(onceway_kit::built::filter::path).await??;
    onceway_kit::envoy::load_module(&mut chart, &wasm);
    // Envoy's arguments name the node.
    chart["node"] = json!({ "id": "onceway", "cluster": "onceway" });
    let dir = certificates.path().display().to_string();
    let text = chart.to_string();
    ensure!(text.contains("http://collector.monitoring:4318/v1/traces"), "no traces");
    ensure!(text.contains("/etc/onceway/tls") && text.contains("/etc/onceway/sidecars"), "no TLS");
    let text = text
        .replace("/etc/onceway/tls", &dir)
        .replace("/etc/onceway/sidecars", &dir)
        .replace("/etc/envoy/", &format!("{dir}/"));
    std::fs::write(
        certificates.path().join("sidecars.yaml"),
        json!({ "resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "sidecars",
            "tls_certificate": {
                "certificate_chain": { "filename": format!("{dir}/tls.crt") },
                "private_key": { "filename": format!("{dir}/tls.key") },
            },
        }] })
        .to_string(),
    )?;
    let path = certificates.path().join("envoy.json");
    std::fs::write(&path, text)?;
    tokio::task::spawn_blocking(move || onceway_kit::envoy::validate(&path)).await?
}
