//! One call's way through the proxy.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::client::Body;

use super::answer::Answer;
use super::call::{Call, Outcome};
use super::rule::{Armed, Fault};
use super::{Record, Shared, answer};

/// An error has hyper close the connection without an answer, which is how a fault cuts one.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
pub(super) struct Cut;

/// Takes a call through its fault to the API server and back.
pub(super) async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let call = Call::parse(&shared.replica, &parts.method, &parts.uri, body.clone());
    let armed = shared.rules().iter().find(|rule| rule.takes(&call)).cloned();
    let place = shared.record.arrived(call);

    let mut client = ClientThere { record: &shared.record, place, answered: false };
    // A task of its own: what the API server has been sent, or will be once it is released, does not end with the
    // client's patience. hyper drops this future when the client hangs up.
    let passage = Passage { shared: Arc::clone(&shared), place, parts, body };
    let result = tokio::spawn(passage.go(armed)).await.unwrap_or(Err(Cut));
    client.answered = true;
    result
}

/// Notes that the client hung up, by being dropped early.
struct ClientThere<'a> {
    record: &'a Record,
    place: usize,
    answered: bool,
}

impl Drop for ClientThere<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.record.abandoned(self.place);
        }
    }
}

struct Passage {
    shared: Arc<Shared>,
    place: usize,
    parts: Parts,
    body: Bytes,
}

impl Passage {
    async fn go(self, armed: Option<Arc<Armed>>) -> Result<Answer, Cut> {
        let Some(armed) = armed else {
            let response = self.forward().await?;
            return self.pass_on(response);
        };
        match armed.fault.clone() {
            Fault::Delay(time) => {
                armed.hit();
                tokio::time::sleep(time).await;
                let response = self.forward().await?;
                self.pass_on(response)
            }
            Fault::Hold => {
                armed.hit();
                armed.held().await;
                let response = self.forward().await?;
                self.pass_on(response)
            }
            Fault::HoldAnswer => {
                let response = self.forward().await?;
                armed.hit();
                armed.held().await;
                self.pass_on(response)
            }
            Fault::LoseAnswer => {
                let response = self.forward().await?;
                self.ended(Outcome::Lost(response.status()));
                armed.hit();
                Err(Cut)
            }
            Fault::CutBefore => {
                self.ended(Outcome::Cut);
                armed.hit();
                Err(Cut)
            }
            Fault::Mute => self.fake(&armed, answer::silence()),
            Fault::Expire => self.fake(&armed, answer::expired_watch()),
            Fault::Answer(status) => self.fake(&armed, answer::failure(status, None)),
            Fault::AnswerRetryAfter(status, seconds) => self.fake(&armed, answer::failure(status, Some(seconds))),
        }
    }

    /// Sends the call to the API server; it has committed it, if ever, when this returns a response.
    async fn forward(&self) -> Result<Response<Body>, Cut> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.path_and_query().map_or_else(Default::default, |path| path.clone().into());
        *request.headers_mut() = self.parts.headers.clone();
        strip(request.headers_mut());
        let sent = self.shared.upstream.send(request).await;
        sent.map_err(|error| {
            self.ended(Outcome::Unreachable(error.to_string()));
            Cut
        })
    }

    fn pass_on(&self, mut response: Response<Body>) -> Result<Answer, Cut> {
        self.ended(Outcome::Answered(response.status()));
        strip(response.headers_mut());
        Ok(response.map(BodyExt::boxed_unsync))
    }

    fn fake(&self, armed: &Armed, response: Answer) -> Result<Answer, Cut> {
        self.ended(Outcome::Faked(response.status()));
        armed.hit();
        Ok(response)
    }

    fn ended(&self, outcome: Outcome) {
        self.shared.record.ended(self.place, outcome);
    }
}

/// Removes what belongs to one connection and not to the call.
fn strip(headers: &mut HeaderMap) {
    for name in [HOST, CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
}
