//! One request, derived from a seed and a number.

use std::fmt::Write;

use onceway_signal::Source;
use onceway_wasm_host::Request;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::corpus::Corpus;
use super::mutate::{mutate, random_bytes};
use super::replies::SubResponses;

/// A request and the responses to its sub-requests.
pub(super) struct Case {
    pub(super) request: Request,
    /// Seed of the responses to its sub-requests.
    response_seed: u64,
}

impl Case {
    /// The request with this seed and number.
    pub(super) fn new(corpus: &Corpus, seed: u64, number: u64) -> Case {
        let mut rng = StdRng::seed_from_u64(seed.rotate_left(32) ^ number);
        let body = mutate(&mut rng, corpus);
        let request = with_headers(&mut rng, &body).chunks(cut(&mut rng, &body));
        let request = match rng.random_range(0..40) {
            0..8 => request.trailers(),
            8 => request.hangs_up(),
            9 => request.leaves(),
            _ => request,
        };
        Case { request, response_seed: rng.random() }
    }

    /// The responses to its sub-requests, from the first one.
    pub(super) fn sub_responses(&self) -> SubResponses {
        SubResponses::new(self.response_seed)
    }

    /// Whether the client disconnects before the response.
    pub(super) fn client_disconnects(&self) -> bool {
        self.request.hangs_up || self.request.leaves
    }

    /// The number of calls into the filter, without the responses to sub-requests.
    pub(super) fn events(&self) -> u64 {
        2 + self.request.chunks.len() as u64
    }

    /// Its size in bytes: headers and body. The limits leave room for the responses to sub-requests.
    pub(super) fn bytes(&self) -> u64 {
        let headers: usize = self.request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        let body: usize = self.request.chunks.iter().map(Vec::len).sum();
        (headers + body) as u64
    }

    /// The whole request as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let lossy = |bytes: &[u8]| bytes.escape_ascii().to_string();
        for (name, value) in &self.request.headers {
            let _ = writeln!(text, "{}: {}", lossy(name), lossy(value));
        }
        for chunk in &self.request.chunks {
            let _ = writeln!(text, "\n{}", lossy(chunk));
        }
        let Request { trailers, hangs_up, leaves, .. } = self.request;
        let _ = writeln!(text, "trailers: {trailers}, hangs up: {hangs_up}, leaves: {leaves}");
        text
    }
}

/// Mostly a `POST` of JSON to a signal path; otherwise a random method, path or headers.
fn with_headers(rng: &mut StdRng, body: &[u8]) -> Request {
    let path = match rng.random_range(0..20) {
        0 => String::from_utf8_lossy(&random_bytes(rng, 30)).into_owned(),
        1 => format!("{}?{}", Source::Prometheus.path(), rng.random::<u16>()),
        2 => Source::Prometheus.path().to_uppercase(),
        3..6 => Source::KubernetesEvent.path().to_owned(),
        _ => Source::Prometheus.path().to_owned(),
    };
    let mut request = match rng.random_range(0..30) {
        0 => Request::new("GET", &path),
        1 => Request::new("POST", &path),
        _ => Request::post(&path),
    };
    for _ in 0..rng.random_range(0..3) {
        request = match rng.random_range(0..9) {
            0 => request.header("content-length", body.len().to_string()),
            1 => request.header("content-length", rng.random::<u32>().to_string()),
            2 => request.header("content-length", random_bytes(rng, 5)),
            3 => request.header("X-Onceway-Fingerprint", "0".repeat(64)),
            4 => request.header("x-onceway-".to_owned() + &rng.random::<u8>().to_string(), random_bytes(rng, 9)),
            5 => request.header("authorization", random_bytes(rng, 30)),
            6 => request.header("content-encoding", if rng.random() { "identity" } else { "gzip" }),
            7 => request.header("content-type", random_bytes(rng, 20)),
            _ => request.header(random_bytes(rng, 12), random_bytes(rng, 40)),
        };
    }
    request
}

/// Cuts a body into chunks anywhere; one in eight ends with an empty chunk.
fn cut(rng: &mut StdRng, body: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = body;
    for _ in 0..[0, 0, 1, 2, 6][rng.random_range(0..5)] {
        let (piece, more) = rest.split_at(rng.random_range(0..=rest.len()));
        pieces.push(piece.to_vec());
        rest = more;
    }
    pieces.push(rest.to_vec());
    if rng.random_ratio(1, 8) {
        pieces.push(Vec::new());
    }
    pieces
}
