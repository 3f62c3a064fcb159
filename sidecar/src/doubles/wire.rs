//! The wire to the API server, with answers that a test has written down. What is tested over it is which requests are
//! made and how their answers are read; races are not, for a script has none.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body as RequestBody;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::service_fn;

/// What a request meets.
#[derive(Clone, Debug)]
pub(crate) enum Met {
    /// This answer.
    Response(u16, Value),
    /// An answer of several lines, as a watch gives; then silence.
    Stream(Vec<Value>),
    /// Silence.
    Silence,
    /// A connection that breaks.
    Break,
}

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The method and the path; `WATCH` is the method of a GET that watches.
    pub(crate) line: String,
    /// The query.
    pub(crate) query: String,
    /// The body; null where there is none.
    pub(crate) body: Value,
    /// When it was made.
    pub(crate) at: Instant,
}

/// See the module's documentation. What is asked for and not written down is not found.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    answers: Mutex<HashMap<String, VecDeque<Met>>>,
    made: Mutex<Vec<Made>>,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Writes down what `line` (`GET /apis/...`) meets, after all that is written down for it already. The last stays.
    pub(crate) fn on(&self, line: &str, met: Met) -> &Self {
        self.answers.lock().unwrap().entry(line.to_owned()).or_default().push_back(met);
        self
    }

    /// A client at the near end of the wire.
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
        let method = if query.contains("watch=true") { "WATCH" } else { head.method.as_str() };
        let line = format!("{method} {}", head.uri.path());
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        self.made.lock().unwrap().push(Made { line: line.clone(), query, body, at: Instant::now() });
        match self.next(&line) {
            Met::Response(status, body) => Ok(answer(status, body.to_string().into())),
            Met::Stream(lines) => Ok(answer(200, endless(&lines))),
            Met::Silence => pending().await,
            Met::Break => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the wire is cut")),
        }
    }

    fn next(&self, line: &str) -> Met {
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(line) {
            Some(written) if written.len() > 1 => written.pop_front().unwrap(),
            Some(written) => written[0].clone(),
            None => status(404, "NotFound"),
        }
    }
}

/// What the API server says of a failure.
pub(crate) fn status(code: u16, reason: &str) -> Met {
    let message = format!("the object is {reason}");
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code });
    Met::Response(code, status)
}

fn answer(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// Lines, and then nothing more, for ever.
fn endless(lines: &[Value]) -> Body {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Body::from_stream(stream::iter([io::Result::Ok(text)]).chain(stream::pending()))
}
