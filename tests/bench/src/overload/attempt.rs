//! One attempt at a webhook.

use std::time::Duration;

use onceway_kit::client::Client;
use onceway_signal::Source;
use tokio::time::{Instant, timeout};

use super::webhooks::Webhook;

/// How long the sender waits for a response, as Alertmanager does.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP/2 connections of the sender: Envoy spreads them over its workers.
pub(super) const CONNECTIONS: usize = 16;

/// Where webhooks are sent.
#[derive(Clone)]
pub(super) struct Sender {
    url: String,
    clients: Vec<Client>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Acknowledged,
    Refused,
    /// No response, or none in time.
    Silent,
}

impl Sender {
    pub(super) fn to(url: String) -> Self {
        Self { url, clients: (0..CONNECTIONS).map(|_| Client::http2()).collect() }
    }

    /// Sends a webhook once. Returns how long the answer took, too.
    pub(super) async fn attempt(&self, webhook: &Webhook) -> (Answer, Duration) {
        // A repeat goes to another connection than the attempt before it.
        let connection = webhook.number.wrapping_add(u64::from(webhook.attempts)) as usize % CONNECTIONS;
        let began = Instant::now();
        let response = self.clients[connection].signal(&self.url, Source::Prometheus, webhook.body.clone());
        let answer = match timeout(TIMEOUT, response).await {
            Ok(Ok(response)) if response.status.is_success() => Answer::Acknowledged,
            Ok(Ok(_)) => Answer::Refused,
            Ok(Err(_)) | Err(_) => Answer::Silent,
        };
        (answer, began.elapsed())
    }
}
