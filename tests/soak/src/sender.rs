//! Sends signals as Alertmanager does: it retries after a 5xx or no response, a bounded number of times. Each attempt
//! goes to a random replica, which is the worst case of routing: no affinity at all. The attempts at half of the signals carry one
//! id each, as those do that the filter splits.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper_util::client::legacy;
use onceway_kit::client::{self, Client};
use onceway_kit::payload::Incident;
use onceway_signal::{Digest, Source, WEBHOOK_HEADER};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

use super::history::{Attempt, Observation};
use super::recorder::Recorder;

/// How long a sender waits for a response: longer than the sidecar's deadline, shorter than a freeze beyond the lease.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// The most attempts per signal.
const MAX_ATTEMPTS: u32 = 20;
/// The pause before the first retry; it doubles with each attempt.
const BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Sends to all replicas.
pub(super) struct Sender {
    client: Client,
    urls: Vec<String>,
    recorder: Arc<Recorder>,
}

/// A signal to send.
pub(super) struct Signal {
    /// Its unique number.
    pub(super) number: u64,
    pub(super) incident: Incident,
    pub(super) fingerprint: String,
    /// Seed of its sender's decisions.
    pub(super) seed: u64,
    /// How long to wait before the first attempt.
    pub(super) pause: Duration,
}

impl Signal {
    /// Whether its attempts carry one id, as the parts of a webhook that the filter has split: those of every other signal do.
    fn is_marked(&self) -> bool {
        self.number % 2 == 1
    }

    /// The id of its attempts.
    fn id(&self) -> Option<String> {
        let id = || Digest::of([&self.number.to_be_bytes(), self.fingerprint.as_bytes()]).hex().to_string();
        self.is_marked().then(id)
    }
}

impl Sender {
    pub(super) fn new(urls: Vec<String>, recorder: Arc<Recorder>) -> Self {
        Self { client: Client::new(), urls, recorder }
    }

    /// Sends the signal until it is acknowledged, rejected, or out of attempts. Returns the RR that counts it.
    pub(super) async fn send(&self, signal: Signal) -> Option<String> {
        let mut rng = StdRng::seed_from_u64(signal.seed);
        let body = bytes::Bytes::from(signal.incident.webhook(signal.number));
        sleep(signal.pause).await;
        for attempt in 0..MAX_ATTEMPTS {
            let replica = rng.random_range(0..self.urls.len());
            let start = self.recorder.now();
            let observation = self.send_once(replica, signal.id(), body.clone()).await;
            let end = self.recorder.now();
            let (number, fingerprint) = (signal.number, signal.fingerprint.clone());
            let observed = observation.clone();
            let marked = signal.is_marked();
            self.recorder.attempt(Attempt { signal: number, fingerprint, marked, replica, start, end, observation });
            match observed {
                Observation::Counted { rr, .. } => return Some(rr),
                Observation::Rejected(_) => return None,
                Observation::Retry(_) | Observation::NoResponse | Observation::NotSent => {}
            }
            let pause = (BACKOFF * 2_u32.saturating_pow(attempt)).min(MAX_BACKOFF);
            sleep(pause.mul_f64(rng.random_range(0.5..1.0))).await;
        }
        None
    }

    async fn send_once(&self, replica: usize, id: Option<String>, body: bytes::Bytes) -> Observation {
        let url = format!("{}{}", self.urls[replica], Source::Prometheus.path());
        let request = Request::post(url).header("content-type", "application/json");
        let request = id.into_iter().fold(request, |request, id| request.header(WEBHOOK_HEADER, id));
        match timeout(RESPONSE_TIMEOUT, self.client.send(request, body)).await {
            Ok(Ok(response)) => observe(&response),
            Ok(Err(error)) if not_connected(&error) => Observation::NotSent,
            Ok(Err(_)) | Err(_) => Observation::NoResponse,
        }
    }
}

/// Whether the client could not connect, so that it sent no byte.
fn not_connected(error: &anyhow::Error) -> bool {
    error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect)
}

fn observe(response: &client::ClientResponse) -> Observation {
    let (status, body) = (response.status.as_u16(), response.json());
    let (rr, count) = (body["remediationRequestName"].as_str(), body["metadata"]["count"].as_u64());
    match (status, rr, count) {
        (201 | 202, Some(rr), Some(count)) => Observation::Counted { created: status == 201, rr: rr.to_owned(), count },
        (500.., ..) => Observation::Retry(status),
        _ => Observation::Rejected(format!("{status}: {}", response.text())),
    }
}
