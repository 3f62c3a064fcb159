//! The filter's work without the proxy: natively, which is the physical limit, and as a module under wasmtime, which counts
//! what it executes.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_filter::{Affinity, affinity};
use onceway_signal::Source;
use onceway_wasm_host::{Host, Reply, Request};
use tokio::time::Instant;

use super::case::Case;

/// How long the core runs natively to be timed.
const TIME: Duration = Duration::from_millis(100);

/// Microseconds that decoding, fingerprinting and splitting a webhook take natively.
///
/// # Errors
/// If it is not split as it should be.
pub(super) fn microseconds(case: Case, bodies: &[String]) -> Result<f64> {
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < TIME {
        for body in bodies {
            let parts = black_box(work(black_box(body.as_bytes())));
            ensure!(parts == case.parts(), "{parts} parts instead of {}", case.parts());
            done += 1;
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(done))
}

/// Does it; how many parts there are.
fn work(body: &[u8]) -> usize {
    match affinity(Source::Prometheus, body) {
        Affinity::One(fingerprint) => {
            black_box(fingerprint.hex());
            1
        }
        Affinity::Several { shares, .. } => {
            for share in &shares {
                black_box((share.fingerprint.hex(), share.part.slice(body)));
            }
            shares.len()
        }
        Affinity::Nothing | Affinity::Undecodable(_) => 0,
    }
}

/// The fuel that a webhook takes, in a VM that has served others: about one unit per wasm instruction.
///
/// # Errors
/// If it is not split as it should be.
pub(super) fn fuel(case: Case, body: &str) -> Result<f64> {
    let mut host = Host::new("");
    host.reply(|_| Reply::new(202, r#"{"status":"duplicate","message":"","duplicate":true}"#));
    let request = Request::post(Source::Prometheus.path()).body(body);
    host.request(request.clone());
    let answer = host.request(request);
    let parts = answer.http_calls.len().max(usize::from(answer.passed()));
    ensure!(parts == case.parts(), "{parts} parts instead of {}: {:?}", case.parts(), answer.end);
    Ok(answer.fuel as f64)
}
