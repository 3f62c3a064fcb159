//! A storm of alerts, sent as Alertmanager sends them: retried after a 5xx or without a response, never after a 4xx.
//!
//! ```no_run
//! # async fn example(urls: Vec<String>) -> anyhow::Result<()> {
//! use onceway_kit::payload::Incident;
//! use onceway_kit::storm::Storm;
//!
//! let report = Storm::new(urls, Incident::several("prod", 5)).signals(5_000).concurrency(200).run().await;
//! for incident in report.incidents.values() {
//!     assert_eq!(incident.names.len(), 1);
//! }
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onceway_signal::{Fingerprint, Source};
use rand::random_range;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::client::Client;
use crate::payload::Incident;

mod report;

pub use self::report::{IncidentReport, Report};

/// The first pause before a retry; it doubles with each attempt.
const BACKOFF: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// The number of signals of a storm that continues until [`Running::end`].
const ENDLESS: u64 = u64::MAX / 2;

/// A storm that is not started yet.
#[derive(Clone)]
pub struct Storm {
    urls: Vec<String>,
    incidents: Vec<(Fingerprint, Incident)>,
    signals: u64,
    concurrency: usize,
    max_attempts: u32,
    first: u64,
    client: Client,
}

/// The progress of a storm; all numbers only grow.
#[derive(Debug, Default)]
pub struct Progress {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    retried: AtomicU64,
}

impl Progress {
    /// Signals sent, each counted once.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Signals with a 2xx response.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Attempts with a 5xx response or without a response.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }
}

/// A running storm.
pub struct Running {
    began: Instant,
    progress: Arc<Progress>,
    /// The number of the next signal.
    next: Arc<AtomicU64>,
    report: JoinHandle<Report>,
}

impl Storm {
    /// A storm about `incidents`; each attempt goes to a random one of `urls`.
    pub fn new(urls: Vec<String>, incidents: Vec<Incident>) -> Self {
        let incidents = incidents.into_iter().map(|incident| (incident.fingerprint(), incident)).collect();
        Self { urls, incidents, signals: 100, concurrency: 100, max_attempts: 12, first: 0, client: Client::new() }
    }

    /// The number of signals, spread evenly over the incidents; 100 by default.
    #[must_use]
    pub fn signals(self, signals: u64) -> Self {
        Self { signals, ..self }
    }

    /// Sends signals until [`Running::end`].
    #[must_use]
    pub fn endless(self) -> Self {
        self.signals(ENDLESS)
    }

    /// The number of concurrent senders; 100 by default.
    #[must_use]
    pub fn concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    /// Attempts per signal at most; 12 by default.
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// The number of the first signal, so that the signals of a later storm differ from those of an earlier one.
    #[must_use]
    pub fn first(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Sends with this token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        Self { client: self.client.with_token(token), ..self }
    }

    /// Sends all signals and waits for the last response.
    pub async fn run(self) -> Report {
        self.start().report().await
    }

    /// Starts to send, on this runtime.
    pub fn start(self) -> Running {
        let (progress, next) = (Arc::new(Progress::default()), Arc::new(AtomicU64::new(0)));
        let report = tokio::spawn(self.send(Arc::clone(&progress), Arc::clone(&next)));
        Running { began: Instant::now(), progress, next, report }
    }

    async fn send(self, progress: Arc<Progress>, next: Arc<AtomicU64>) -> Report {
        let began = Instant::now();
        let client = self.client.clone();
        let storm = Arc::new(self);
        let mut senders = JoinSet::new();
        for _ in 0..storm.concurrency {
            let (storm, client, next) = (Arc::clone(&storm), client.clone(), Arc::clone(&next));
            let progress = Arc::clone(&progress);
            senders.spawn(async move {
                let mut report = Report::default();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= storm.signals {
                        return report;
                    }
                    storm.send_one(n, &client, &progress, &mut report).await;
                }
            });
        }
        let mut report = senders.join_all().await.into_iter().fold(Report::default(), Report::merge);
        report.elapsed = began.elapsed();
        report
    }

    /// Sends one signal until it is acknowledged, rejected permanently, or given up.
    async fn send_one(&self, n: u64, client: &Client, progress: &Progress, report: &mut Report) {
        let Some((fingerprint, incident)) = self.incidents.get(n as usize % self.incidents.len().max(1)) else {
            return;
        };
        let body = bytes::Bytes::from(incident.webhook(self.first + n));
        let began = Instant::now();
        let entry = report.incident(*fingerprint);
        entry.signals += 1;
        progress.sent.fetch_add(1, Ordering::Relaxed);
        for attempt in 0..self.max_attempts {
            let url = &self.urls[random_range(0..self.urls.len())];
            entry.attempts += 1;
            let response = client.signal(url, Source::Prometheus, body.clone()).await;
            match &response {
                Ok(response) => entry.record(response),
                Err(_) => entry.without_response += 1,
            }
            match response.map(|response| response.status) {
                Ok(status) if status.is_success() => {
                    progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                    return report.acknowledged_after(began.elapsed());
                }
                Ok(status) if status.is_client_error() => return,
                // 5xx or no response: whether it was counted is unknown.
                _ => progress.retried.fetch_add(1, Ordering::Relaxed),
            };
            let pause = (BACKOFF * 2_u32.saturating_pow(attempt)).min(MAX_BACKOFF);
            // Jitter: senders that failed together must not retry together.
            sleep(pause.mul_f64(random_range(0.5..1.0))).await;
        }
        entry.given_up += 1;
    }
}

impl Running {
    /// Its progress.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// The time since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the last response has arrived.
    pub fn is_finished(&self) -> bool {
        self.report.is_finished()
    }

    /// Sends no further signals. Those in flight are retried as before, until they are acknowledged.
    pub fn end(&self) {
        self.next.store(ENDLESS, Ordering::Relaxed);
    }

    /// Waits until `count` signals are acknowledged, or the storm has ended.
    pub async fn until_acknowledged(&self, count: u64) {
        while self.progress.acknowledged() < count && !self.report.is_finished() {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits for the last response.
    ///
    /// # Panics
    /// If the storm itself panicked.
    pub async fn report(self) -> Report {
        self.report.await.expect("a storm does not panic")
    }
}
