//! How bodies arrive: in pieces, too slowly, too large, too many.

use std::io::Error as IoError;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use onceway::config::Limits;
use onceway_signal::Source;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{Rig, Script, fingerprint, firing, nameless, post, resolved, webhook};

fn pieces(text: &str, size: usize) -> Body {
    let pieces: Vec<Result<Bytes, IoError>> =
        text.as_bytes().chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}

fn request(body: impl Into<Body>) -> Request<Body> {
    post(Source::Prometheus).body(body.into()).unwrap()
}

/// A rig that admits this many bytes of bodies and this many signals.
fn rig(bytes: usize, signals: usize) -> Rig {
    Rig::with(Limits {
        max_body_bytes: 1024,
        max_body_bytes_in_flight: bytes,
        max_signals_in_flight: signals,
        ..Limits::default()
    })
}

/// A request of incident "a" that stays in flight until the ledger releases it.
async fn held(rig: &Rig, body: String) -> JoinHandle<StatusCode> {
    rig.ledger.script(fingerprint("a"), Script::Hold);
    let router = rig.router.clone();
    let status = tokio::spawn(async move { router.oneshot(request(body)).await.unwrap().status() });
    rig.ledger.held.notified().await;
    status
}

#[tokio::test]
async fn a_body_may_come_in_pieces() {
    let rig = Rig::new();
    assert_eq!(rig.send(request(pieces(&webhook(&[firing("a")]), 7))).await.status, 201);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_accepted_and_one_byte_more_gets_413() {
    let rig = rig(4096, 10);
    let sized = |size: usize| format!("{:<size$}", webhook(&[firing("a")]));
    assert_eq!(rig.send(request(pieces(&sized(1024), 100))).await.status, 201);
    let got = rig.send(request(pieces(&sized(1025), 100))).await;
    assert!(got.problem(413, "payload-too-large").contains("1024"));
    assert_eq!(rig.ledger.total(), 1);
}

#[tokio::test]
async fn a_body_with_too_large_a_content_length_is_rejected_unread() {
    let never = Body::from_stream(stream::pending::<Result<Bytes, IoError>>());
    let request = post(Source::Prometheus).header(CONTENT_LENGTH, "1025").body(never).unwrap();
    rig(4096, 10).send(request).await.problem(413, "payload-too-large");
}

#[tokio::test]
async fn a_body_that_breaks_off_may_be_sent_again() {
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(IoError::other("reset"))]);
    let got = Rig::new().send(request(Body::from_stream(broken))).await;
    assert!(got.problem(503, "body-incomplete").contains("broke off"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_arrives_too_slowly_gets_503_in_time() {
    let trickle = stream::repeat(b" ").then(|byte| async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok::<_, IoError>(Bytes::from_static(byte))
    });
    let started = Instant::now();
    Rig::new().send(request(Body::from_stream(trickle))).await.problem(503, "body-timeout");
    assert_eq!(started.elapsed(), Limits::default().body_timeout);
}

#[tokio::test]
async fn bodies_beyond_the_memory_limit_are_shed_until_others_end() {
    let rig = rig(1024, 10);
    let first = held(&rig, format!("{:<1000}", webhook(&[firing("a")]))).await;
    let shed = rig.post(&[firing("b")]).await;
    assert!(shed.problem(503, "overloaded").contains("limits.maxBodyBytesInFlight"));
    assert!(rig.metric("gateway_http_requests_shed_total{limit=\"limits.maxBodyBytesInFlight\"} 1"));
    rig.ledger.release.notify_one();
    assert_eq!(first.await.unwrap(), 201);
    assert_eq!(rig.post(&[firing("b")]).await.status, 201);
}

#[tokio::test]
async fn signals_beyond_the_limit_are_shed_until_others_end() {
    let rig = rig(4096, 1);
    let first = held(&rig, webhook(&[firing("a")])).await;
    let shed = rig.post(&[firing("b")]).await;
    assert!(shed.problem(503, "overloaded").contains("limits.maxSignalsInFlight"));
    rig.ledger.release.notify_one();
    assert_eq!(first.await.unwrap(), 201);
    assert_eq!(rig.post(&[firing("b"), firing("c")]).await.status, 207);
}

#[tokio::test]
async fn resolved_and_rejected_alerts_count_against_the_limit_too() {
    let rig = rig(4096, 2);
    let first = held(&rig, webhook(&[firing("a")])).await;
    for idle in [resolved("b"), nameless()] {
        let shed = rig.post(&[idle.clone(), idle]).await;
        assert!(shed.problem(503, "overloaded").contains("limits.maxSignalsInFlight"));
    }
    rig.ledger.release.notify_one();
    assert_eq!(first.await.unwrap(), 201);
}

#[tokio::test]
async fn a_body_counts_against_the_memory_limit_until_its_spec_writer_is_dropped() {
    let rig = rig(1024, 10);
    let padded = |name: &str| request(format!("{:<1000}", webhook(&[firing(name)])));
    assert_eq!(rig.send(padded("a")).await.status, 201);
    rig.ledger.keep_spec_writers();
    assert_eq!(rig.send(padded("a")).await.status, 202);
    assert!(rig.send(padded("b")).await.problem(503, "overloaded").contains("limits.maxBodyBytesInFlight"));
    rig.ledger.drop_spec_writers();
    assert_eq!(rig.send(padded("b")).await.status, 201);
}

#[tokio::test]
async fn alerts_stay_in_flight_until_their_response_is_written() {
    let rig = rig(4096, 1);
    let unread = rig.router.clone().oneshot(request(webhook(&[firing("a")]))).await.unwrap();
    assert_eq!(unread.status(), 201);
    rig.post(&[firing("b")]).await.problem(503, "overloaded");
    drop(unread);
    assert_eq!(rig.post(&[firing("b")]).await.status, 201);
}

#[tokio::test]
async fn requests_beyond_the_limit_are_shed_unread_until_others_end() {
    let rig = Rig::with(Limits { max_requests_in_flight: 1, ..Limits::default() });
    let first = held(&rig, webhook(&[firing("a")])).await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, IoError>>());
    let shed = rig.send(request(never)).await;
    assert!(shed.problem(503, "overloaded").contains("limits.maxRequestsInFlight"));
    rig.ledger.release.notify_one();
    assert_eq!(first.await.unwrap(), 201);
    assert_eq!(rig.post(&[firing("b")]).await.status, 201);
}
