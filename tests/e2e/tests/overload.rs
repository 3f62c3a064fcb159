//! The filter in real Envoy under load: large, slow, aborted, pipelined and concurrent requests. Afterwards no request
//! is in flight and no memory is held.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use futures::stream::{self, StreamExt, TryStreamExt};
use onceway_kit::client::{Client, ClientResponse};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::split::{of_each, results, until_idle};

/// The limit of each read.
const LIMIT: Duration = Duration::from_secs(60);

fn head(length: usize) -> String {
    let path = Source::Prometheus.path();
    format!("POST {path} HTTP/1.1\r\nhost: o\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
}

async fn connect(rig: &Rig) -> Result<TcpStream> {
    Ok(TcpStream::connect(rig.envoy().url().trim_start_matches("http://")).await?)
}

async fn send(client: &Client, rig: &Rig, body: impl Into<Bytes>) -> Result<ClientResponse> {
    client.signal(&rig.envoy().url(), Source::Prometheus, body).await
}

/// Reads this number of responses with a status of `HTTP/1.1 2..`.
async fn read_answers(connection: &mut TcpStream, count: usize) -> Result<String> {
    let mut received = String::new();
    let mut buffer = vec![0; 65536];
    while received.matches("HTTP/1.1 2").count() < count || !received.trim_end().ends_with('}') {
        let read = timeout(LIMIT, connection.read(&mut buffer)).await.context("no more responses")??;
        ensure!(read > 0, "closed after {received}");
        received += std::str::from_utf8(&buffer[..read])?;
    }
    Ok(received)
}

#[tokio::test]
async fn webhooks_of_almost_5_mib_are_split_and_counted() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 60);
    let large = |n| {
        let text = "x".repeat(80_000);
        webhook(&incidents.iter().map(|incident| incident.alert(n).annotation("text", &text)).collect::<Vec<_>>())
    };
    for client in [Client::new(), Client::http2()] {
        let body = large(0);
        assert!((4_800_000..5 * 1024 * 1024).contains(&body.len()), "{}", body.len());
        let response = send(&client, &rig, body).await?;
        assert_eq!((response.status.as_u16(), results(&response).len()), (207, 60));
    }
    assert!(rig.rrs().await?.iter().all(|rr| rr.count() == 2));
    until_idle(&rig).await
}

#[tokio::test]
async fn slow_bodies_are_served_and_aborted_ones_leave_nothing_behind() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_long_timeouts().start().await?;
    let body = of_each(&Incident::several("prod", 4), 0);
    let slow = async || {
        let mut connection = connect(&rig).await?;
        connection.write_all(head(body.len()).as_bytes()).await?;
        for piece in body.as_bytes().chunks(body.len() / 15) {
            connection.write_all(piece).await?;
            sleep(Duration::from_millis(20)).await;
        }
        read_answers(&mut connection, 1).await
    };
    let aborted = async |part: usize| {
        let mut connection = connect(&rig).await?;
        let request = head(body.len()) + &body;
        connection.write_all(&request.as_bytes()[..request.len() * part / 100]).await?;
        anyhow::Ok(())
    };
    let (slow, aborted) = tokio::join!(try_join_all((0..10).map(|_| slow())), try_join_all((0..100).map(aborted)));
    aborted?;
    assert!(slow?.iter().all(|response| response.starts_with("HTTP/1.1 207 ")));
    until_idle(&rig).await?;
    assert!(rig.rrs().await?.iter().all(|rr| rr.count() == 10));
    Ok(())
}

#[tokio::test]
async fn pipelined_and_multiplexed_requests_each_get_their_own_response() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 3);
    let (several, one) = (of_each(&incidents, 0), incidents[0].webhook(0));
    let mut connection = connect(&rig).await?;
    let request = |body: &str| head(body.len()) + body;
    connection.write_all(format!("{0}{1}{0}{1}{0}", request(&several), request(&one)).as_bytes()).await?;
    let responses = read_answers(&mut connection, 5).await?;
    let statuses: Vec<&str> = responses.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
    assert_eq!(statuses, ["207", "202", "207", "202", "207"], "in the order in which they were sent");
    let client = Client::http2();
    let responses =
        join_all((0..100).map(|n| send(&client, &rig, if n % 2 == 0 { several.clone() } else { one.clone() })));
    for (n, response) in responses.await.into_iter().enumerate() {
        assert_eq!(response?.status, if n % 2 == 0 { 207 } else { 202 });
    }
    assert_eq!(rig.rrs_of(&incidents[0]).await?[0].count(), 105);
    assert_eq!(rig.rrs_of(&incidents[1]).await?[0].count(), 53);
    until_idle(&rig).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_webhooks_at_once_are_all_accepted_or_get_503_and_all_gauges_return_to_zero() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().start().await?;
    let incidents = Incident::several("prod", 6);
    assert_eq!(send(rig.client(), &rig, of_each(&incidents, 0)).await?.status, 207);
    // A hundred on each of ten connections: some machines do not allow a thousand connections.
    let clients: Vec<Client> = (0..10).map(|_| Client::http2()).collect();
    // How many are accepted at once depends on the machine. Those that get a 503 are sent again; each round accepts
    // some.
    let (mut left, mut attempts) = (1000, 0);
    while left > 0 {
        attempts += left as u64;
        let responses = join_all((0..left).map(|n| send(&clients[n % 10], &rig, of_each(&incidents, n as u64)))).await;
        let mut rejected = 0;
        for response in responses {
            let response = response?;
            assert!([207, 503].contains(&response.status.as_u16()), "{}: {}", response.status, response.text());
            assert_eq!(response.status == 503, response.header("retry-after").is_some());
            rejected += usize::from(response.status == 503);
        }
        assert!(rejected < left, "none of {left} was accepted");
        left = rejected;
    }
    for rr in rig.rrs().await? {
        assert!((1001..=1 + attempts).contains(&rr.count()), "{} counted, {attempts} attempts", rr.count());
    }
    until_idle(&rig).await
}

/// Envoy's resident memory in MiB, including its VMs.
fn resident(rig: &Rig) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", rig.envoy().service().process()?.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_hundred_thousand_requests_memory_stays_bounded() -> Result<()> {
    const REQUESTS: usize = 100_000;
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let incidents = Incident::several("prod", 2);
    let (resolved, several) = (webhook(&[incidents[0].alert(0).resolved()]), of_each(&incidents, 0));
    let broken = several[..several.len() / 2].to_owned();
    let bodies = [resolved, several, broken].map(Bytes::from);
    let serve = async |count: usize| {
        let sent = stream::iter(0..count).map(|n| {
            let (client, url) = (rig.client().clone(), rig.envoy().url());
            // Of twenty, one is split and one is undecodable. The split one waits for the API server, which may be too
            // slow on a loaded machine.
            let (body, expected): (_, &[u16]) = match n % 20 {
                0 => (bodies[1].clone(), &[207, 503]),
                1 => (bodies[2].clone(), &[400]),
                _ => (bodies[0].clone(), &[200]),
            };
            async move {
                let status = client.signal(&url, Source::Prometheus, body).await?.status.as_u16();
                ensure!(expected.contains(&status), "{status}, not {expected:?}");
                Ok(())
            }
        });
        sent.buffer_unordered(64).try_collect::<Vec<()>>().await?;
        resident(&rig)
    };
    let early = serve(REQUESTS / 10).await?;
    let late = serve(REQUESTS - REQUESTS / 10).await?;
    println!("{early} MiB after a tenth of the requests, {late} MiB after all");
    assert!(late <= early + 24, "Envoy has grown from {early} to {late} MiB");
    until_idle(&rig).await
}
