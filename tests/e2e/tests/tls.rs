//! Envoy speaks mutual TLS with the replicas, and every certificate is rotated while signals arrive.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::envoy::at;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_kit::scratch::Scratch;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long a few hundred signals may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
const SERVER: &str = "onceway.test";
const ENVOY: &str = "spiffe://onceway.test/envoy";
const ERRORS: &str = "gateway_tls_reload_errors_total";
const EXPIRY: &str = "gateway_tls_certificate_expiry_timestamp_seconds";

/// An authority, and the directory with its certificate (`ca.crt`) and with those that it issued.
struct Authority<'a> {
    issuer: Issuer<'static, KeyPair>,
    dir: &'a Path,
}

impl<'a> Authority<'a> {
    fn new(dir: &'a Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Not that of its certificates, which would seem to have signed themselves.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate()?;
        fs::write(dir.join("ca.crt"), params.self_signed(&key)?.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), dir })
    }

    /// A certificate and its key, valid until this year.
    fn issue(&self, name: SanType, until: i32) -> Result<(String, String)> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names.push(name);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }

    /// Gives the replicas a certificate, as a kubelet does: a new directory, and then a link to it.
    fn rotate_server(&self, version: &str, until: i32) -> Result<()> {
        let (certificate, key) = self.issue(SanType::DnsName(SERVER.try_into()?), until)?;
        let dir = self.dir.join(version);
        fs::create_dir(&dir)?;
        fs::write(dir.join("tls.crt"), certificate)?;
        fs::write(dir.join("tls.key"), key)?;
        let next = self.dir.join("..data_tmp");
        std::os::unix::fs::symlink(version, &next)?;
        Ok(fs::rename(next, self.dir.join("..data"))?)
    }

    /// Gives Envoy a certificate, by a file of its secret discovery.
    fn rotate_envoy(&self) -> Result<()> {
        let (certificate, key) = self.issue(SanType::URI(ENVOY.try_into()?), 2900)?;
        let secret = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": "envoy",
            "tls_certificate": {
                "certificate_chain": { "inline_string": certificate },
                "private_key": { "inline_string": key },
            },
        });
        let next = self.dir.join("next.json");
        fs::write(&next, json!({ "resources": [secret] }).to_string())?;
        Ok(fs::rename(next, self.dir.join("envoy.json"))?)
    }
}

/// Has Envoy speak mutual TLS with the replicas and plain HTTP with their health port, and open a connection for every few
/// requests, so that new certificates are used.
fn speak_mutual_tls(config: &mut Value, dir: &Path) {
    let secret = json!({ "name": "envoy", "sds_config": {
        "path_config_source": { "path": dir.join("envoy.json"), "watched_directory": { "path": dir } },
        "resource_api_version": "V3",
    }});
    let tls = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": SERVER,
        "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "tls_certificate_sds_secret_configs": [secret],
            "validation_context": {
                "trusted_ca": { "filename": dir.join("ca.crt") },
                "match_typed_subject_alt_names": [{ "san_type": "DNS", "matcher": { "exact": SERVER } }],
            },
        },
    });
    let plain = json!({ "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" });
    let cluster = at(config, "/static_resources/clusters/0");
    cluster["transport_socket_matches"] = json!([
        { "name": "plain", "match": { "plain": true },
          "transport_socket": { "name": "envoy.transport_sockets.raw_buffer", "typed_config": plain } },
        { "name": "tls", "match": {},
          "transport_socket": { "name": "envoy.transport_sockets.tls", "typed_config": tls } },
    ]);
    cluster["health_checks"][0]["transport_socket_match_criteria"] = json!({ "plain": true });
    const HTTP: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    cluster["typed_extension_protocol_options"][HTTP]["common_http_protocol_options"]["max_requests_per_connection"] =
        json!(25);
    config["node"] = json!({ "id": "onceway", "cluster": "onceway" });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_mutual_tls_is_exact_while_all_certificates_are_rotated() -> Result<()> {
    let scratch = Scratch::new("tls")?;
    let dir = scratch.path().to_owned();
    let authority = Authority::new(&dir)?;
    authority.rotate_server("..1", 2900)?;
    authority.rotate_envoy()?;
    for file in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{file}"), dir.join(file))?;
    }
    let tls = json!({ "tls": {
        "cert": dir.join("tls.crt"), "key": dir.join("tls.key"), "clientCa": dir.join("ca.crt"), "clientSans": [ENVOY],
    }});
    let edit = {
        let dir = dir.clone();
        move |config: &mut Value| speak_mutual_tls(config, &dir)
    };
    let rig = Rig::replicas(2).config(tls).with_envoy_edited(edit).with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 5);
    ensure!(rig.alert(0, &incidents[0], 0).await.is_err(), "a client without TLS got a response");

    let first = rig.sidecar(0).scrape().await?.sum(EXPIRY, &[]);
    let storm = rig.storm(incidents).endless().concurrency(20).first(1).start();
    let acknowledge = async |signals| {
        let more = storm.until_acknowledged(storm.progress().acknowledged() + signals);
        timeout(LIMIT, more).await.context("signals are not acknowledged any more")
    };
    acknowledge(200).await?;
    let mut last = first;
    for round in 1..=2 {
        authority.rotate_envoy()?;
        authority.rotate_server(&format!("..good-{round}"), 2900 + round)?;
        for sidecar in rig.sidecars() {
            sidecar.until_metric(EXPIRY, |expiry| expiry > last).await?;
        }
        last = rig.sidecar(0).scrape().await?.sum(EXPIRY, &[]);
        acknowledge(300).await?;
        // An expired certificate is not taken over.
        authority.rotate_server(&format!("..expired-{round}"), 2020)?;
        for sidecar in rig.sidecars() {
            sidecar.until_metric(ERRORS, |errors| errors >= f64::from(round)).await?;
        }
        acknowledge(200).await?;
    }
    storm.end();
    let report = storm.report().await;
    rig.verdict(&report).await?;
    let total = report.total();
    assert_eq!((total.given_up, total.without_response), (0, 0), "{:?}", total.responses);
    assert_eq!(total.acknowledged, total.attempts, "none was retried: {:?}", total.responses);

    let stats = rig.envoy().stats().await?;
    let of_cluster = |name: &str| stats.sum(name, &[("envoy_cluster_name", "onceway")]);
    let handshakes = of_cluster("envoy_cluster_ssl_handshake");
    assert!(handshakes > 10.0, "{handshakes} handshakes");
    assert_eq!(of_cluster("envoy_cluster_ssl_connection_error"), 0.0);
    let scrape = rig.sidecar(0).scrape().await?;
    assert_eq!((scrape.sum(ERRORS, &[]), scrape.sum(EXPIRY, &[])), (2.0, last));
    println!("{} signals, {handshakes} handshakes", total.acknowledged);
    Ok(())
}

#[tokio::test]
async fn a_sidecar_does_not_start_with_a_broken_certificate_and_names_it() -> Result<()> {
    let scratch = Scratch::new("tls-broken")?;
    let dir = scratch.path();
    let authority = Authority::new(dir)?;
    authority.rotate_server("..1", 2020)?;
    let tls = json!({ "tls": { "cert": dir.join("..1/tls.crt"), "key": dir.join("..1/tls.key") } });
    // The error shows the last lines of the log, which a backtrace would fill.
    let rig = Rig::replicas(1).config(tls).environment(vec![("RUST_BACKTRACE", "0")]);
    let error = rig.start().await.err().context("it started")?;
    let text = format!("{error:#}");
    ensure!(text.contains("tls.cert") && text.contains("expired at"), "{text}");
    Ok(())
}
