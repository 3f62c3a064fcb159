//! A scripted connection to the API server, to test which requests are sent and how responses are read. Races are not
//! tested with it: a script has none.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body as RequestBody;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::service_fn;

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Met {
    /// This response.
    Response(u16, Value),
    /// A response of several lines, as a watch sends them; then silence.
    Stream(Vec<Value>),
    /// The same after this time.
    Late(Duration, Vec<Value>),
    /// No response.
    Silence,
    /// The connection breaks.
    Break,
}

/// A request that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The method and the path; `WATCH` is the method of a GET that watches.
    pub(crate) line: String,
    /// The query.
    pub(crate) query: String,
    /// The header `Accept`; empty where there is none.
    pub(crate) accept: String,
    /// The body; null where there is none.
    pub(crate) body: Value,
    /// When it was sent.
    pub(crate) at: Instant,
}

/// See the module documentation. A request that is not scripted gets a 404.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    responses: Mutex<HashMap<String, VecDeque<Met>>>,
    made: Mutex<Vec<Made>>,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Scripts what happens to the next `line` (`GET /apis/...`); calls for the same line queue up, and the last repeats.
    pub(crate) fn on(&self, line: &str, met: Met) -> &Self {
        self.responses.lock().unwrap().entry(line.to_owned()).or_default().push_back(met);
        self
    }

    /// A client whose requests go over this wire.
    pub(crate) fn client(self: &Arc<Self>) -> Client {
        let wire = Arc::clone(self);
        Client::new(service_fn(move |request| Arc::clone(&wire).meet(request)), "default")
    }

    /// The lines of all requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.made.lock().unwrap().iter().map(|made| made.line.clone()).collect()
    }

    /// All requests of this line so far.
    pub(crate) fn made(&self, line: &str) -> Vec<Made> {
        self.made.lock().unwrap().iter().filter(|made| made.line == line).cloned().collect()
    }

    async fn meet(self: Arc<Self>, request: Request<RequestBody>) -> io::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let accept = head.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
        let accept = accept.unwrap_or_default().to_owned();
        let method = if query.contains("watch=true") { "WATCH" } else { head.method.as_str() };
        let line = format!("{method} {}", head.uri.path());
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.made.lock().unwrap().push(Made { line: line.clone(), query, accept, body, at: Instant::now() });
        match self.next(&line) {
            Met::Response(status, body) => Ok(response(status, body.to_string().into())),
            Met::Stream(lines) => Ok(response(200, endless(&lines))),
            Met::Late(after, lines) => {
                sleep(after).await;
                Ok(response(200, endless(&lines)))
            }
            Met::Silence => pending().await,
            Met::Break => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the connection is reset")),
        }
    }

    fn next(&self, line: &str) -> Met {
        let mut responses = self.responses.lock().unwrap();
        match responses.get_mut(line) {
            Some(script) if script.len() > 1 => script.pop_front().unwrap(),
            Some(script) => script[0].clone(),
            None => status(404, "NotFound"),
        }
    }
}

/// The API server's response to a failed request.
pub(crate) fn status(code: u16, reason: &str) -> Met {
    let message = format!("the object is {reason}");
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code });
    Met::Response(code, status)
}

fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// The lines; the body then stays open without more data.
fn endless(lines: &[Value]) -> Body {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Body::from_stream(stream::iter([io::Result::Ok(text)]).chain(stream::pending()))
}
