//! Silent, slow and idle peers.

use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::{LIMIT, LIMITS, Rig, SOON, closed, request, used};
use crate::http::server::SocketLimits;

const EVICTED: &str = "gateway_http_connections_evicted_total{port=\"signals\",reason=\"peer\"}";

async fn status(rig: &Rig) -> u16 {
    timeout(SOON, async { rig.h1().await.send_request(request("/fast")).await.unwrap().status().as_u16() })
        .await
        .expect("a response")
}

#[tokio::test]
async fn silent_connections_of_the_same_address_shut_nobody_out() {
    let rig = Rig::new(8, SOON).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(rig.connect().await);
    }
    for _ in 0..20 {
        assert_eq!(status(&rig).await, 200);
    }
    closed(&mut silent[0]).await;
    let text = rig.metrics.render().unwrap();
    let evicted = text.lines().find_map(|line| line.strip_prefix(EVICTED)?.trim().parse::<u32>().ok());
    assert!(evicted.is_some_and(|evicted| evicted >= 92), "{text}");
}

#[tokio::test]
async fn idle_connections_that_were_used_shut_nobody_out() {
    let rig = Rig::new(8, SOON).await;
    let mut idle = Vec::new();
    for _ in 0..30 {
        idle.push(used(&rig).await);
    }
    assert_eq!(status(&rig).await, 200);
    closed(&mut idle[0]).await;
}

#[tokio::test]
async fn unfinished_headers_shut_nobody_out() {
    let rig = Rig::new(8, SOON).await;
    let mut slow = Vec::new();
    for _ in 0..30 {
        let mut stream = rig.connect().await;
        stream.write_all(b"POST /fast HTTP/1.1\r\nHost:").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(status(&rig).await, 200);
}

#[tokio::test]
async fn a_request_in_flight_is_not_evicted_and_without_others_the_newcomer_is_closed() {
    let rig = Rig::with(SocketLimits { connections: 2, ..LIMITS }).await;
    let (mut first, mut second) = (rig.h1().await, rig.h1().await);
    let first = tokio::spawn(async move { first.send_request(request("/slow")).await.unwrap().status().as_u16() });
    rig.slow_started.notified().await;
    let second = tokio::spawn(async move { second.send_request(request("/slow")).await.unwrap().status().as_u16() });
    rig.slow_started.notified().await;
    let mut newcomer = rig.connect().await;
    assert_eq!(closed(&mut newcomer).await, 0);
    rig.release.notify_one();
    rig.release.notify_one();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (200, 200));
    let text = rig.metrics.render().unwrap();
    let mut refused = text.lines().filter(|line| line.starts_with("gateway_http_connections_refused_total{"));
    assert!(refused.any(|line| !line.ends_with(" 0")), "{text}");
    assert_eq!(status(&rig).await, 200);
}

#[tokio::test]
async fn an_evicted_http_2_connection_is_asked_to_close() {
    let rig = Rig::with(SocketLimits { connections: 1, ..LIMITS }).await;
    let mut idle = rig.h2().await;
    idle.send_request(request("/fast")).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(status(&rig).await, 200);
    let gone = async {
        while idle.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, gone).await.expect("it is closed");
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed_and_a_busy_one_is_not() {
    let rig = Rig::with(SocketLimits { idle_timeout: LIMIT, ..LIMITS }).await;
    let (mut idle, mut busy) = (rig.h2().await, rig.h2().await);
    idle.send_request(request("/fast")).await.unwrap().into_body().collect().await.unwrap();
    let response = tokio::spawn(async move { busy.send_request(request("/slow")).await });
    rig.slow_started.notified().await;
    let gone = async {
        while idle.ready().await.is_ok() {
            tokio::time::sleep(LIMIT / 10).await;
        }
    };
    // A connection is looked at when its time for headers ends, which is SOON, and from then on for idleness.
    timeout(SOON * 3, gone).await.expect("the idle one is closed");
    tokio::time::sleep(LIMIT * 2).await;
    rig.release.notify_one();
    assert_eq!(response.await.unwrap().unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn an_http_2_peer_that_ignores_the_goaway_is_closed() {
    let rig = Rig::with(SocketLimits { idle_timeout: LIMIT, write_timeout: LIMIT, ..LIMITS }).await;
    let mut stream = rig.connect().await;
    // The preface, empty settings, and a GET of / with static header fields; then nothing, not even acknowledgements.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    stream.write_all(&[0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x84, 0x86]).await.unwrap();
    let started = Instant::now();
    assert!(closed(&mut stream).await > 0);
    assert!(started.elapsed() >= LIMIT);
}
