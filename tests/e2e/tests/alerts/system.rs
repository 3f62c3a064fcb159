//! The running system that faults are caused in: three sidecars, Envoy, and senders.

use std::time::Duration;

use anyhow::Result;
use http::Request;
use onceway_kit::built;
use onceway_kit::client::Client;
use onceway_kit::envoy::load_module;
use onceway_kit::payload::Incident;
use onceway_kit::prometheus::Job;
use onceway_kit::rig::Rig;
use onceway_signal::Source;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::watch::Watch;

/// How often a sender sends.
const SEND_EVERY: Duration = Duration::from_millis(200);
/// Senders of the steady traffic: fewer than `maxRequestsInFlight`.
const SENDERS: u64 = 3;
/// Requests that a replica admits at once.
const REQUESTS: usize = 4;
/// The budget on active incidents.
pub(super) const BUDGET: usize = 20;

/// A rig that Prometheus watches, and its steady traffic.
pub(super) struct System {
    // Dropped before the rig, whose directory it uses.
    pub(super) watch: Watch,
    pub(super) rig: Rig,
    _traffic: Vec<Sender>,
}

/// A sender that sends again and again until it is dropped; whatever it gets.
pub(super) struct Sender(JoinHandle<()>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sender {
    /// Sends the bodies that `body` makes to `base`, one after the other.
    pub(super) fn start(client: Client, base: String, body: impl Fn(u64) -> String + Send + 'static) -> Self {
        Self(tokio::spawn(async move {
            let mut pace = interval(SEND_EVERY);
            for n in 0.. {
                pace.tick().await;
                // An error is a fault that the test causes.
                let _ = client.signal(&base, Source::Prometheus, body(n)).await;
            }
        }))
    }
}

impl System {
    /// Starts everything and waits until Prometheus has seen it.
    pub(super) async fn start() -> Result<Self> {
        let wasm = tokio::task::spawn_blocking(built::filter::trapping).await??;
        let config = json!({
            // Short, so that a fault shows as soon as a window has passed.
            "limits": {
                "deadline": "2s", "apiCallTimeout": "1s",
                "maxActiveIncidents": BUDGET, "maxRequestsInFlight": REQUESTS,
            },
            "freshness": { "maxAhead": "5m" },
            "targets": { "resolve": "verify" },
        });
        let rig = Rig::replicas(3).own_cluster().with_auth().config(config);
        let rig = rig.with_envoy_edited(move |envoy| load_module(envoy, &wasm)).start().await?;
        let sender = rig.namespace().sender("alertmanager").await?;
        sender.permit_everything().await?;
        let rig = rig.with_token(&sender.token().await?);
        let watch = Watch::start(&rig, vec![Job::sidecars(&rig), Job::envoy(&rig)]).await?;
        watch.prometheus.until_value("count(up == 1)", |up| up == 4.0).await?;
        let traffic = (0..SENDERS).map(|sender| steady(&rig, sender)).collect();
        Ok(Self { watch, rig, _traffic: traffic })
    }

    /// Sends alerts of new incidents, each another one, through Envoy.
    pub(super) fn new_incidents(&self) -> Sender {
        Sender::start(self.rig.client().clone(), self.rig.envoy().url(), |n| {
            Incident::new("flood", &format!("deployment-{n}")).webhook(n)
        })
    }

    /// More senders than the replicas admit at once, of the incidents of the steady traffic.
    pub(super) fn crowd(&self) -> Vec<Sender> {
        (0..8 * REQUESTS).map(|_| self.steady(0)).collect()
    }

    fn steady(&self, sender: u64) -> Sender {
        steady(&self.rig, sender)
    }

    /// Has the filter trap once.
    pub(super) async fn trap(&self) -> Result<()> {
        let body = Incident::new("prod", "trap").webhook(0);
        let request = Request::post(self.rig.envoy().url() + Source::Prometheus.path());
        let client = Client::http2();
        client.send(request.header("content-type", "application/json").header("x-trap", "body"), body).await.map(drop)
    }
}

/// A sender of the steady traffic: from one incident to the next, so that all replicas have work.
fn steady(rig: &Rig, sender: u64) -> Sender {
    let incidents = Incident::several("prod", 3);
    Sender::start(rig.client().clone(), rig.envoy().url(), move |n| {
        let place = (n + sender) as usize % incidents.len();
        incidents[place].webhook(n)
    })
}
