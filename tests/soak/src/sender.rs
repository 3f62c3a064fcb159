//! Sends signals as Alertmanager does: what is answered 5xx, or not at all, is sent again, a bounded number of times; to any
//! replica, each time to another perhaps, as if there were no affinity at all.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy;
use onceway_kit::client::{self, Client};
use onceway_kit::payload::Incident;
use onceway_signal::Source;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

use super::history::{Answer, Attempt};
use super::recorder::Recorder;

/// How long a sender waits for an answer: longer than the sidecar's deadline, shorter than a replica stands still.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a signal is sent at most.
const MAX_ATTEMPTS: u32 = 20;
/// The first pause before a signal is sent again; it doubles with each attempt.
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Sends to all replicas.
pub(super) struct Sender {
    client: Client,
    urls: Vec<String>,
    recorder: Arc<Recorder>,
}

/// One signal to be sent.
pub(super) struct Signal {
    /// Its number, which no other has.
    pub(super) number: u64,
    pub(super) incident: Incident,
    pub(super) fingerprint: String,
    /// What all its sender's decisions come from.
    pub(super) seed: u64,
    /// How long to wait before it is sent.
    pub(super) pause: Duration,
}

impl Sender {
    pub(super) fn new(urls: Vec<String>, recorder: Arc<Recorder>) -> Self {
        Self { client: Client::new(), urls, recorder }
    }

    /// Sends the signal until it is acknowledged, refused for good, or given up; the RR that it is counted in.
    pub(super) async fn send(&self, signal: Signal) -> Option<String> {
        let mut rng = StdRng::seed_from_u64(signal.seed);
        let body = bytes::Bytes::from(signal.incident.webhook(signal.number));
        sleep(signal.pause).await;
        for attempt in 0..MAX_ATTEMPTS {
            let replica = rng.random_range(0..self.urls.len());
            let start = self.recorder.now();
            let answer = self.once(replica, body.clone()).await;
            let end = self.recorder.now();
            let (number, fingerprint) = (signal.number, signal.fingerprint.clone());
            let told = answer.clone();
            self.recorder.attempt(Attempt { signal: number, fingerprint, replica, start, end, answer });
            match told {
                Answer::Counted { rr, .. } => return Some(rr),
                Answer::Refused(_) => return None,
                Answer::Again(_) | Answer::Nothing | Answer::Unsent => {}
            }
            let pause = (BACKOFF * 2_u32.saturating_pow(attempt)).min(MAX_BACKOFF);
            sleep(pause.mul_f64(rng.random_range(0.5..1.0))).await;
        }
        None
    }

    async fn once(&self, replica: usize, body: bytes::Bytes) -> Answer {
        match timeout(PATIENCE, self.client.signal(&self.urls[replica], Source::Prometheus, body)).await {
            Ok(Ok(answer)) => read(&answer),
            Ok(Err(error)) if never_left(&error) => Answer::Unsent,
            Ok(Err(_)) | Err(_) => Answer::Nothing,
        }
    }
}

/// Whether the request found no connection, so that no byte of it was sent.
fn never_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect)
}

fn read(answer: &client::Answer) -> Answer {
    let (status, body) = (answer.status.as_u16(), answer.json());
    let (rr, count) = (body["remediationRequestName"].as_str(), body["metadata"]["count"].as_u64());
    match (status, rr, count) {
        (201 | 202, Some(rr), Some(count)) => Answer::Counted { created: status == 201, rr: rr.to_owned(), count },
        (500.., ..) => Answer::Again(status),
        _ => Answer::Refused(format!("{status}: {}", answer.text())),
    }
}
