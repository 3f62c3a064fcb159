//! Metrics. Their names and labels as a whole: `sidecar/tests/kubernaut.rs`.

use anyhow::{Result, ensure};
use http::Request;
use onceway_kit::exposition::Scrape;
use onceway_signal::Source::Prometheus;

use super::place::{Place, expect};

pub(super) async fn formats(place: &Place) -> Result<()> {
    let url = format!("http://{}/metrics", place.rig.sidecar(0).metrics());
    let plain = expect(place.rig.client().get(&url).await?, 200)?;
    ensure!(plain.header("content-type") == Some("text/plain; version=0.0.4; charset=utf-8"), "{plain:?}");
    let text = plain.text();
    ensure!(text.contains("# TYPE gateway_signals_received_total counter\n") && !text.contains("# EOF"), "{text}");
    let request = Request::get(&url).header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let open = expect(place.rig.client().send(request, "").await?, 200)?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ensure!(open.header("content-type") == Some(media_type) && open.text().ends_with("# EOF\n"), "{open:?}");
    Ok(())
}

pub(super) async fn labels(place: &Place) -> Result<()> {
    let incident = place.incident();
    place.expect(Prometheus, incident.webhook(0), 201).await?;
    place.expect(Prometheus, incident.webhook(0), 202).await?;
    let mut scrapes: Vec<Scrape> = Vec::new();
    for sidecar in place.rig.sidecars() {
        scrapes.push(sidecar.scrape().await?);
    }
    let endpoint = ("endpoint", Prometheus.path());
    for (name, labels) in [
        ("gateway_signals_received_total", &[("source_type", "prometheus"), ("severity", "warning")][..]),
        ("gateway_signals_deduplicated_total", &[("signal_name", "KubeDeploymentReplicasMismatch")]),
        ("gateway_crds_created_total", &[("source_type", "prometheus"), ("status", "created")]),
        ("gateway_http_request_duration_seconds_count", &[endpoint, ("method", "POST"), ("status", "202")]),
        ("gateway_deduplication_rate", &[]),
    ] {
        let sum: f64 = scrapes.iter().map(|scrape| scrape.sum(name, labels)).sum();
        ensure!(sum > 0.0, "{name} {labels:?} in {}", scrapes[0].text());
    }
    Ok(())
}

pub(super) async fn process(place: &Place) -> Result<()> {
    let scrape = place.rig.sidecar(0).scrape().await?;
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_start_time_seconds",
        "process_open_fds",
        "process_max_fds",
        "process_threads",
    ] {
        ensure!(scrape.sum(name, &[]) > 0.0, "{name} in {}", scrape.text());
    }
    Ok(())
}
