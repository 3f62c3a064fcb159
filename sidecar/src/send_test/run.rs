//! Sends the signal, follows it, and cleans up.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use onceway_signal::Fingerprint;
use tokio::pin;
use tokio::time::{Instant, sleep_until, timeout};

use super::objects::{Cleaned, FoundRr, Left, counted, remove, search};
use super::report::Way;
use super::response::{Accepted, judge};
use super::signal::TestSignal;
use crate::cluster_access::Cluster;
use crate::config::{Config, DEADLINE_GRACE};
use crate::http_request::{self, Authorities, Exchange, RequestError};

/// The largest response that is read, in bytes.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;
/// The longest time that a signal without an acknowledgement is waited for before its objects are looked for.
const MAX_SETTLE: Duration = Duration::from_secs(30);
/// The time for the removal.
const REMOVAL: Duration = Duration::from_secs(20);

/// What is to be sent, and where it is to be looked for.
pub(super) struct Test {
    pub(super) signal: TestSignal,
    pub(super) cluster: Cluster,
    pub(super) authorities: Option<Authorities>,
    pub(super) request: Request<Full<Bytes>>,
    /// As this program computes it: a replica with other rules has another.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The time for the response, and then for the count.
    pub(super) limit: Duration,
    /// How long a replica may go on with a signal that it has not acknowledged.
    pub(super) settle: Duration,
    pub(super) keep: bool,
}

/// How long a replica with this configuration may go on with a signal that it has not acknowledged.
pub(super) fn settle(config: &Config) -> Duration {
    (config.limits.deadline + DEADLINE_GRACE + config.limits.api_call_timeout).min(MAX_SETTLE)
}

impl Test {
    /// Runs the test; `interrupted` ends when the user wants it to end.
    pub(super) async fn run(self, mut interrupted: Pin<&mut impl Future<Output = ()>>) -> Way {
        let began = Instant::now();
        let mut way = Way::new(&self.signal.id, self.signal.target());
        let sending = timeout(
            self.limit,
            http_request::send(self.request.clone(), self.authorities.as_ref(), MAX_RESPONSE_BYTES),
        );
        pin!(sending);
        // What is on its way cannot be called back: its response says what there is to clean up.
        let (response, stop) = tokio::select! {
            response = &mut sending => (response, false),
            () = &mut interrupted => (sending.await, true),
        };
        let accepted = self.read_response(response.ok(), &mut way);
        let mut rrs = Vec::new();
        if let Accepted::In { namespace, name } = &accepted
            && !stop
        {
            let counting =
                counted(&self.cluster, &self.signal, (namespace.as_str(), name.as_str()), Instant::now() + self.limit);
            tokio::select! {
                found = counting => match found {
                    Ok(rr) => {
                        report_count(&rr, began, &mut way);
                        rrs.push(rr);
                    }
                    Err(why) => way.failed(why),
                },
                () = &mut interrupted => way.interrupted(),
            }
        }
        if stop {
            way.interrupted();
        }
        if self.keep {
            way.keep();
        } else if !matches!(accepted, Accepted::Nothing) {
            way.cleaned(self.clean(rrs, &accepted, began).await);
            way.step("cleaned", began.elapsed(), "");
        }
        way
    }

    /// What the response says; `None` if there is none in time.
    fn read_response(&self, response: Option<Result<Exchange, RequestError>>, way: &mut Way) -> Accepted {
        let exchange = match response {
            Some(Ok(exchange)) => exchange,
            Some(Err(error)) => {
                way.failed(error.to_string());
                let was_sent = matches!(error, RequestError::Http { .. } | RequestError::Body { .. });
                return if was_sent { Accepted::Perhaps } else { Accepted::Nothing };
            }
            None => {
                way.failed(format!("no response within {} s", self.limit.as_secs()));
                return Accepted::Perhaps;
            }
        };
        way.step("connected", exchange.times.connected, "");
        if let Some(secured) = exchange.times.secured {
            way.step("secured", secured, "TLS");
        }
        way.step("answered", exchange.times.responded, exchange.status.to_string());
        judge(&exchange, way)
    }

    /// Removes what the test has made.
    async fn clean(&self, mut rrs: Vec<FoundRr>, accepted: &Accepted, began: Instant) -> Cleaned {
        if matches!(accepted, Accepted::Perhaps) {
            // A replica may go on with it until its deadline.
            sleep_until(began + self.settle).await;
        }
        let deadline = Instant::now() + REMOVAL;
        let namespace = accepted.namespace().unwrap_or(&self.cluster.namespace);
        let mut unsearched = None;
        if rrs.is_empty() {
            match search(&self.cluster, namespace, &self.signal, deadline).await {
                Ok(found) => rrs = found,
                Err(why) => unsearched = Some(why),
            }
        }
        let fingerprint = rrs.first().and_then(|rr| rr.fingerprint).or(self.fingerprint);
        let claim = fingerprint.map(|fingerprint| (namespace, fingerprint));
        let mut cleaned = remove(&self.cluster, &rrs, claim, deadline).await;
        if let Some(why) = unsearched {
            cleaned.left.push(Left {
                object: format!("perhaps a RemediationRequest about {}", self.signal.target()),
                why: format!("cannot look for it: {why}"),
                command: format!(
                    "kubectl get remediationrequests --namespace {namespace} | grep {}",
                    self.signal.target()
                ),
            });
        }
        cleaned
    }
}

fn report_count(rr: &FoundRr, began: Instant, way: &mut Way) {
    let name = format!("{}/{}", rr.namespace, rr.name);
    let replica = rr.replica.as_deref().unwrap_or("an unknown replica");
    way.step("created", began.elapsed(), format!("RemediationRequest {name}, by {replica}"));
    // Envoy sends a request again where it lost the first attempt's response: both count.
    let note = if rr.count == 1 { "" } else { ": a proxy has sent the request again" };
    way.step("counted", began.elapsed(), format!("{}{note}", rr.count));
    way.counted_in(name);
}
