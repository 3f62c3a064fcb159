//! Serves one call: applies its fault, forwards it, forwards the response.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::client::Body;

use super::answer::ProxyResponse;
use super::call::{Call, CallResult};
use super::rule::{ActiveRule, Fault};
use super::{Record, Shared, answer};

/// A service error makes hyper close the connection without a response.
#[derive(Debug, thiserror::Error)]
#[error("the fault proxy cut the connection")]
pub(super) struct Cut;

/// Serves a call, with a fault if a rule applies.
pub(super) async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<ProxyResponse, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let call = Call::parse(&shared.replica, &parts.method, &parts.uri, body.clone());
    let rule = shared.rules().iter().find(|rule| rule.applies_to(&call)).cloned();
    let index = shared.record.arrived(call);

    let mut guard = AbandonGuard { record: &shared.record, index, responded: false };
    // A separate task, because hyper drops this future when the client disconnects: a forwarded or held call must still
    // complete on the API server.
    let exchange = Exchange { shared: Arc::clone(&shared), index, parts, body };
    let result = tokio::spawn(exchange.run(rule)).await.unwrap_or(Err(Cut));
    guard.responded = true;
    result
}

/// Records that the client disconnected, if dropped before the response.
struct AbandonGuard<'a> {
    record: &'a Record,
    index: usize,
    responded: bool,
}

impl Drop for AbandonGuard<'_> {
    fn drop(&mut self) {
        if !self.responded {
            self.record.abandoned(self.index);
        }
    }
}

struct Exchange {
    shared: Arc<Shared>,
    index: usize,
    parts: Parts,
    body: Bytes,
}

impl Exchange {
    async fn run(self, rule: Option<Arc<ActiveRule>>) -> Result<ProxyResponse, Cut> {
        let Some(rule) = rule else {
            let response = self.forward().await?;
            return self.forward_response(response);
        };
        match rule.fault.clone() {
            Fault::Delay(time) => {
                rule.count_injection();
                tokio::time::sleep(time).await;
                let response = self.forward().await?;
                self.forward_response(response)
            }
            Fault::Hold => {
                rule.count_injection();
                rule.wait_for_release().await;
                let response = self.forward().await?;
                self.forward_response(response)
            }
            Fault::HoldResponse => {
                let response = self.forward().await?;
                rule.count_injection();
                rule.wait_for_release().await;
                self.forward_response(response)
            }
            Fault::LoseResponse => {
                let response = self.forward().await?;
                self.ended(CallResult::Lost(response.status()));
                rule.count_injection();
                Err(Cut)
            }
            Fault::CutBefore => {
                self.ended(CallResult::Cut);
                rule.count_injection();
                Err(Cut)
            }
            Fault::Mute => self.respond(&rule, answer::silent_watch()),
            Fault::Expire => self.respond(&rule, answer::expired_watch()),
            Fault::Respond(status) => self.respond(&rule, answer::failure(status, None)),
            Fault::RespondRetryAfter(status, seconds) => self.respond(&rule, answer::failure(status, Some(seconds))),
        }
    }

    /// Sends the call to the API server. Once this returns a response, the API server has committed the call or
    /// rejected it.
    async fn forward(&self) -> Result<Response<Body>, Cut> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.path_and_query().map_or_else(Default::default, |path| path.clone().into());
        *request.headers_mut() = self.parts.headers.clone();
        strip(request.headers_mut());
        let sent = self.shared.upstream.send(request).await;
        sent.map_err(|error| {
            self.ended(CallResult::Unreachable(error.to_string()));
            Cut
        })
    }

    fn forward_response(&self, mut response: Response<Body>) -> Result<ProxyResponse, Cut> {
        self.ended(CallResult::Forwarded(response.status()));
        strip(response.headers_mut());
        Ok(response.map(BodyExt::boxed_unsync))
    }

    fn respond(&self, rule: &ActiveRule, response: ProxyResponse) -> Result<ProxyResponse, Cut> {
        self.ended(CallResult::Canned(response.status()));
        rule.count_injection();
        Ok(response)
    }

    fn ended(&self, result: CallResult) {
        self.shared.record.ended(self.index, result);
    }
}

/// Removes headers that belong to one connection, not to the call.
fn strip(headers: &mut HeaderMap) {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
}
