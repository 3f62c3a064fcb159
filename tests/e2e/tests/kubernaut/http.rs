//! Headers, statuses, problems and probes.

use anyhow::{Context, Result, ensure};
use http::Request;
use jiff::Timestamp;
use onceway_kit::client::ClientResponse;
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_signal::Source::{self, KubernetesEvent, Prometheus};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::place::{BOUND, MANAGED, Place, expect, kubernaut_token};

const SECURITY_HEADERS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'"),
    ("referrer-policy", "no-referrer"),
];
const UUID: usize = 36;

pub(super) async fn no_content_type(place: &Place) -> Result<()> {
    expect(place.send(place.untyped(Prometheus), place.incident().webhook(0)).await?, 201)?;
    let several = several(place);
    expect(place.send(place.untyped(Prometheus), several).await?, 207)?;
    let empty = place.untyped(Prometheus).header("content-type", "");
    expect(place.send(empty, place.incident().webhook(0)).await?, 201).map(drop)
}

pub(super) async fn other_content_type(place: &Place) -> Result<()> {
    let request = place.untyped(Prometheus).header("content-type", "text/plain");
    let response = expect(place.send(request, place.incident().webhook(0)).await?, 415)?;
    ensure!(response.header("accept") == Some("application/json"), "{response:?}");
    Ok(())
}

pub(super) async fn request_id(place: &Place) -> Result<()> {
    let id = |response: &ClientResponse| response.header("x-request-id").map(str::to_owned).context("no id");
    let made = id(&place.expect(Prometheus, place.incident().webhook(0), 201).await?)?;
    ensure!(made.len() == UUID, "{made}");
    place.until_logged(&made).await?;

    let (sane, insane) = ("7f3c9a52-0b1e-4d6c-8a90-5e1f2d3c4b5a", "a\"} b");
    let request = |sent: &str| place.post(Prometheus).header("x-request-id", sent);
    let kept = id(&expect(place.send(request(sane), place.incident().webhook(0)).await?, 201)?)?;
    // Envoy makes an external request's id itself; either way the response has the one that the log has.
    ensure!(place.envoy != (kept == sane), "{kept}");
    place.until_logged(&kept).await?;
    let other = id(&expect(place.send(request(insane), place.incident().webhook(0)).await?, 201)?)?;
    ensure!(other.len() == UUID, "{other}");
    place.until_logged(&other).await?;

    let merged = place.expect(Prometheus, several(place), 207).await?;
    place.until_logged(&id(&merged)?).await?;
    let refused = place.expect(Prometheus, "{", 400).await?;
    ensure!(refused.json()["request_id"] == *id(&refused)?, "{}", refused.text());
    Ok(())
}

pub(super) async fn security_headers(place: &Place) -> Result<()> {
    let url = |path: &str| format!("{}{path}", place.base);
    let client = place.rig.client();
    let responses = [
        place.expect(Prometheus, place.incident().webhook(0), 201).await?,
        place.expect(Prometheus, several(place), 207).await?,
        place.expect(Prometheus, "{", 400).await?,
        expect(client.send(Request::post(url(Prometheus.path())), "{}").await?, 401)?,
        expect(client.get(&url("/nowhere")).await?, 404)?,
        expect(client.get(&url("/api/v1/signals/nowhere")).await?, 404)?,
        expect(client.get(&url(Prometheus.path())).await?, 405)?,
        expect(place.send(place.untyped(Prometheus).header("content-type", "a/b"), "{}").await?, 415)?,
        place.get(place.rig.sidecar(0).health(), "/healthz").await?,
        place.get(place.rig.sidecar(0).health(), "/nowhere").await?,
        place.get(place.rig.sidecar(0).metrics(), "/metrics").await?,
    ];
    for response in responses {
        for (name, value) in SECURITY_HEADERS {
            ensure!(response.header(name) == Some(value), "{name} of {response:?}");
        }
        ensure!(response.header("strict-transport-security").is_none(), "without TLS: {response:?}");
    }
    let too_large = announce(place, 5 * 1024 * 1024 + 1).await?.to_lowercase();
    ensure!(too_large.starts_with("http/1.1 413 "), "{too_large}");
    for (name, value) in SECURITY_HEADERS {
        ensure!(too_large.contains(&format!("\r\n{name}: {}\r\n", value.to_lowercase())), "{name} in {too_large}");
    }
    Ok(())
}

pub(super) async fn problem_types(place: &Place) -> Result<()> {
    let client = place.rig.client();
    let path = || format!("{}{}", place.base, Prometheus.path());
    let dated = place.post(Prometheus).header("x-timestamp", "0");
    let nameless = r#"{"alerts":[{"labels":{"namespace":"prod"}}]}"#;
    for (response, slug, title, kind) in [
        (place.expect(Prometheus, "{", 400).await?, "validation-error", "Bad Request", "malformed-payload"),
        (place.expect(Prometheus, nameless, 400).await?, "validation-error", "Bad Request", "unusable-signals"),
        (expect(place.send(dated, "{}").await?, 400)?, "validation-error", "Bad Request", "invalid-timestamp"),
        (
            expect(client.send(Request::post(path()), "{}").await?, 401)?,
            "unauthorized",
            "Unauthorized",
            "unauthenticated",
        ),
        (expect(client.get(&path()).await?, 405)?, "method-not-allowed", "Method Not Allowed", "method-not-allowed"),
        (
            expect(place.send(place.untyped(Prometheus).header("content-type", "a/b"), "{}").await?, 415)?,
            "unsupported-media-type",
            "Unsupported Media Type",
            "unsupported-media-type",
        ),
    ] {
        ensure!(response.header("content-type") == Some("application/problem+json"), "{response:?}");
        let problem = response.json();
        ensure!(problem["type"] == format!("https://kubernaut.ai/problems/{slug}"), "{problem}");
        ensure!(problem["title"] == title && problem["kind"] == kind, "{problem}");
        ensure!(problem["status"] == response.status.as_u16() && problem["detail"].is_string(), "{problem}");
        ensure!(problem["instance"] == Prometheus.path() && problem["request_id"].is_string(), "{problem}");
    }
    let too_large = announce(place, 5 * 1024 * 1024 + 1).await?;
    ensure!(too_large.contains("https://kubernaut.ai/problems/payload-too-large"), "{too_large}");
    ensure!(too_large.contains("Request Entity Too Large"), "{too_large}");
    Ok(())
}

pub(super) async fn malformed_json(place: &Place) -> Result<()> {
    let long = format!(r#"{{"alerts": "{}"}}"#, "x".repeat(10_000));
    for (source, body, expected) in [
        (
            Prometheus,
            r#"{"alerts": [{"labels": {invalid json"#,
            ["malformed JSON", "key must be a string at line 1 column 25"],
        ),
        (Prometheus, "{invalid", ["malformed JSON", "key must be a string at line 1 column 2"]),
        (KubernetesEvent, "{\"reason\": \"R\",\n,}", ["malformed JSON", "line 2 column 1"]),
        (Prometheus, &long, ["expected a list of alerts", "line 1 column"]),
    ] {
        let response = place.expect(source, body.to_owned(), 400).await?;
        let problem = response.json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        for part in expected {
            ensure!(detail.contains(part), "{part:?} is not in {detail:?}");
        }
        ensure!(detail.len() < 500, "{} bytes of detail", detail.len());
    }
    Ok(())
}

pub(super) async fn probes(place: &Place) -> Result<()> {
    for (path, status) in [("/healthz", "healthy"), ("/readyz", "ready")] {
        let response = expect(place.get(place.rig.sidecar(0).health(), path).await?, 200)?;
        ensure!(response.header("content-type") == Some("application/json"), "{response:?}");
        let body = response.json();
        ensure!(body["status"] == status, "{body}");
        let timestamp = body["timestamp"].as_str().context("no timestamp")?;
        timestamp.parse::<Timestamp>().with_context(|| timestamp.to_owned())?;
    }
    Ok(())
}

pub(super) async fn authorization(place: &Place) -> Result<()> {
    let stranger = place.rig.namespace().sender("stranger").await?;
    let token = kubernaut_token(&stranger).await?;
    let request = |token: &str| {
        let request = Request::post(format!("{}{}", place.base, Prometheus.path()));
        request.header("content-type", "application/json").header("authorization", format!("Bearer {token}"))
    };
    let denied = expect(place.send(request(&token), place.incident().webhook(0)).await?, 403)?.json();
    ensure!(denied["title"] == "Forbidden", "{denied}");
    ensure!(denied["type"] == "https://kubernaut.ai/problems/forbidden", "{denied}");
    let unknown = expect(place.send(request("garbage"), place.incident().webhook(0)).await?, 401)?;
    ensure!(unknown.json()["title"] == "Unauthorized", "{}", unknown.text());
    ensure!(unknown.header("www-authenticate") == Some("Bearer"), "{unknown:?}");
    // The right covers every namespace.
    let elsewhere = place.rig.namespace().cluster().namespace("elsewhere").await?;
    let incident = Incident::new(elsewhere.name(), "coredns");
    place.expect(Prometheus, incident.webhook(0), 200).await?;
    elsewhere.label(MANAGED, "true").await?;
    poll::until(BOUND, "the namespace has its label", async || {
        let response = place.send(place.post(Prometheus), incident.webhook(0)).await?;
        ensure!([200, 201].contains(&response.status.as_u16()), "{} {}", response.status, response.text());
        Ok((response.status == 201).then_some(()))
    })
    .await
}

pub(super) async fn freshness_of_requests(place: &Place) -> Result<()> {
    let now = Timestamp::now().as_second();
    for (minutes, status) in [(-6, 400), (-4, 201), (0, 201), (1, 201), (3, 400)] {
        let request = place.post(Prometheus).header("x-timestamp", (now + minutes * 60).to_string());
        let response = place.send(request, place.incident().webhook(0)).await?;
        expect(response, status).with_context(|| format!("{minutes} minutes"))?;
    }
    Ok(())
}

/// A webhook of two incidents.
fn several(place: &Place) -> String {
    onceway_kit::payload::webhook(&[place.incident().alert(0), place.incident().alert(0)])
}

/// Announces a body and sends none of it; the whole response.
async fn announce(place: &Place, bytes: usize) -> Result<String> {
    let request = place.post(Prometheus).body(())?;
    let authorization = request.headers()["authorization"].to_str()?;
    let mut connection = TcpStream::connect(place.base.trim_start_matches("http://")).await?;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: onceway\r\ncontent-type: application/json\r\nauthorization: {authorization}\r\n\
         content-length: {bytes}\r\n\r\n",
        Source::Prometheus.path()
    );
    connection.write_all(head.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    let (_, body) = response.split_once("\r\n\r\n").context("no body")?;
    serde_json::from_str::<Value>(body).with_context(|| response.clone())?;
    Ok(response)
}
