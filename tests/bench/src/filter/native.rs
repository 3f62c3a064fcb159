//! The filter's work without the proxy: natively, as a lower bound, and as a module under wasmtime, which counts the
//! instructions.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_filter::{Affinity, affinity};
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source};
use onceway_wasm_host::{Host, Request, SubResponse};
use tokio::time::Instant;

use super::case::Case;

/// How long the core runs natively per measurement.
const TIME: Duration = Duration::from_millis(100);

/// Microseconds to decode, fingerprint and split a webhook natively.
///
/// # Errors
/// If the number of sub-requests is not as expected.
pub(super) fn microseconds(case: Case, bodies: &[String]) -> Result<f64> {
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < TIME {
        for body in bodies {
            let count = black_box(work(black_box(body.as_bytes())));
            ensure!(count == case.sub_requests(), "{count} sub-requests instead of {}", case.sub_requests());
            done += 1;
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(done))
}

/// Does the work; returns the number of sub-requests.
fn work(body: &[u8]) -> usize {
    match affinity(Rules::built_in(), Origin::of(Source::Prometheus), body) {
        Affinity::One(fingerprint) => {
            black_box(fingerprint.hex());
            1
        }
        Affinity::Several { partitions, .. } => {
            for partition in &partitions {
                black_box((partition.fingerprint.hex(), partition.payload.slice(body)));
            }
            partitions.len()
        }
        Affinity::Nothing | Affinity::Undecodable(_) => 0,
    }
}

/// The fuel for a webhook in a warm VM with this plugin configuration: about one unit per wasm instruction.
///
/// # Errors
/// If the number of sub-requests is not as expected.
pub(super) fn fuel(case: Case, configuration: &str, body: &str) -> Result<f64> {
    let mut host = Host::new(configuration);
    host.respond(|_| SubResponse::new(202, r#"{"status":"duplicate","message":"","duplicate":true}"#));
    let request = Request::post(Source::Prometheus.path()).body(body);
    host.request(request.clone());
    let end = host.request(request);
    let count = end.sub_requests.len().max(usize::from(end.passed()));
    ensure!(count == case.sub_requests(), "{count} sub-requests instead of {}: {:?}", case.sub_requests(), end.end);
    Ok(end.fuel as f64)
}
