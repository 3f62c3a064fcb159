//! Every form of a request at Envoy: the filter pauses it and reads its whole body, and it reaches the replica that a
//! plain request of its incident reaches.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use onceway_kit::fault_proxy::{RR_STATUS, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(60);
const REPLICAS: usize = 3;
/// As many as let each replica own at least one.
const INCIDENTS: usize = 24;

/// The replicas of the counts after the first `calls` calls.
fn counters(rig: &Rig, calls: usize) -> BTreeSet<String> {
    let after = rig.record().calls().into_iter().skip(calls);
    after.filter(|call| call.is(Verb::Patch, RR_STATUS)).map(|call| call.replica).collect()
}

/// Writes the parts to Envoy one after the other, waits for `between` before each but the first, and reads to the end.
async fn http1(rig: &Rig, parts: &[&str], between: Option<&str>) -> Result<String> {
    let mut connection = TcpStream::connect(rig.envoy().url().trim_start_matches("http://")).await?;
    let mut received = String::new();
    for (place, part) in parts.iter().enumerate() {
        if let Some(awaited) = between.filter(|_| place > 0) {
            let mut buffer = vec![0; awaited.len()];
            timeout(LIMIT, connection.read_exact(&mut buffer)).await.context("no interim response")??;
            ensure!(buffer == awaited.as_bytes(), "{:?} instead of {awaited:?}", String::from_utf8_lossy(&buffer));
        }
        connection.write_all(part.as_bytes()).await?;
        connection.flush().await?;
    }
    timeout(LIMIT, connection.read_to_string(&mut received)).await.context("no end of the response")??;
    Ok(received)
}

fn head(more: &str) -> String {
    let path = Source::Prometheus.path();
    format!(
        "POST {path} HTTP/1.1\r\nhost: onceway\r\ncontent-type: application/json\r\nconnection: close\r\n{more}\r\n"
    )
}

/// Sends `body` over HTTP/2 without TLS, with a content-length only if the body knows its length.
async fn over_http2<B>(rig: &Rig, body: B) -> Result<Response<Incoming>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let connection = TcpStream::connect(rig.envoy().url().trim_start_matches("http://")).await?;
    let (mut sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(connection)).await?;
    tokio::spawn(driver);
    let uri = rig.envoy().url() + Source::Prometheus.path();
    let request = Request::post(uri).header("content-type", "application/json").body(body)?;
    Ok(timeout(LIMIT, sender.send_request(request)).await.context("no response")??)
}

/// A body in frames of a few bytes, with trailers if asked for.
fn in_frames(text: &str, trailers: bool) -> impl Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    let mut frames: Vec<Result<Frame<Bytes>, Infallible>> =
        text.as_bytes().chunks(37).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    if trailers {
        let end = HeaderMap::from_iter([(HeaderName::from_static("x-checksum"), HeaderValue::from_static("none"))]);
        frames.push(Ok(Frame::trailers(end)));
    }
    StreamBody::new(stream::iter(frames))
}

/// A rig, an incident whose RR exists, and the replica that owns it, once all of Envoy's workers agree on that.
async fn opened() -> Result<(Rig, Incident, String)> {
    let rig = Rig::replicas(REPLICAS).with_envoy().with_long_timeouts().start().await?;
    let mut incidents = Incident::several("prod", INCIDENTS);
    let mut owners = rig.settled_owners(&rig.envoy().url(), &incidents, &mut 0, REPLICAS).await?;
    let incident = incidents.remove(0);
    let owner = owners.remove(incident.deployment()).context("every incident has an owner")?;
    Ok((rig, incident, owner))
}

#[tokio::test]
async fn http_1_in_one_piece_in_chunks_and_after_100_continue_reaches_the_owner() -> Result<()> {
    let (rig, incident, owner) = opened().await?;
    let before = rig.record().calls().len();
    let body = incident.webhook(1);
    let (one, other) = body.split_at(body.len() / 2);
    let length = head(&format!("content-length: {}\r\n", body.len()));
    let chunked = head("transfer-encoding: chunked\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let awaiting = head(&format!("content-length: {}\r\nexpect: 100-continue\r\n", body.len()));
    let spoofed = head(&format!("content-length: {}\r\nx-onceway-fingerprint: {}\r\n", body.len(), "0".repeat(64)));

    let responses = [
        ("as one piece", http1(&rig, &[&length, &body], None).await?),
        ("in two pieces", http1(&rig, &[&length, one, other], None).await?),
        ("in chunks", http1(&rig, &[&chunked, &chunk(one), &chunk(other), "0\r\n\r\n"], None).await?),
        ("with trailers", http1(&rig, &[&chunked, &chunk(&body), "0\r\nx-checksum: none\r\n\r\n"], None).await?),
        ("with Expect", http1(&rig, &[&awaiting, &body], Some("HTTP/1.1 100 Continue\r\n\r\n")).await?),
        ("spoofed", http1(&rig, &[&spoofed, &body], None).await?),
    ];
    for (how, response) in responses {
        assert!(response.starts_with("HTTP/1.1 202 "), "{how}: {response}");
    }
    assert_eq!(counters(&rig, before), BTreeSet::from([owner]), "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn http_2_with_and_without_a_length_and_with_trailers_reaches_the_owner() -> Result<()> {
    let (rig, incident, owner) = opened().await?;
    let before = rig.record().calls().len();
    let body = incident.webhook(1);
    let responses = [
        ("with a length", over_http2(&rig, Full::new(Bytes::from(body.clone()))).await?),
        ("in frames", over_http2(&rig, in_frames(&body, false)).await?),
        ("with trailers", over_http2(&rig, in_frames(&body, true)).await?),
    ];
    for (how, response) in responses {
        assert_eq!(response.status(), 202, "{how}");
    }
    assert_eq!(counters(&rig, before), BTreeSet::from([owner]), "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn an_undecodable_body_gets_the_sidecars_own_response() -> Result<()> {
    let (rig, _, _) = opened().await?;
    let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, "{\"alerts\": 7}").await?;
    assert_eq!(response.status, 400);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let empty = rig.client().signal(&rig.envoy().url(), Source::Prometheus, "").await?;
    assert_eq!(empty.status, 400, "{}", empty.text());
    let undecodable = rig.envoy().stats().await?.sum("onceway_filter_requests_total", &[("outcome", "undecodable")]);
    assert!(undecodable >= 1.0, "the filter counts undecodable bodies: {undecodable}");
    Ok(())
}
