//! In the place of kubernaut's gateway: its contract, point by point, held against the real program with `profile: kubernaut`, once
//! directly and once through Envoy and the filter. `docs/kubernaut.md` explains the points.
//!
//! A further point is a further line in [`POINTS`] and a function beside it.

mod events;
mod http;
mod metrics;
mod place;
mod signals;

use anyhow::{Result, bail};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use self::place::Place;

/// A point of the contract.
struct Point {
    what: &'static str,
    check: for<'p> fn(&'p Place) -> LocalBoxFuture<'p, Result<()>>,
}

/// A row of [`POINTS`].
macro_rules! point {
    ($what:literal, $check:path) => {
        Point { what: $what, check: |place| $check(place).boxed_local() }
    };
}

/// All points, by subject.
const POINTS: &[Point] = &[
    point!("a request without Content-Type is accepted", http::no_content_type),
    point!("a request with another Content-Type gets 415, which says what is accepted", http::other_content_type),
    point!("a request gets an id, in the response and in the log", http::request_id),
    point!("every response has the security headers, on every port", http::security_headers),
    point!("the problem of each status has kubernaut's type and title", http::problem_types),
    point!("malformed JSON gets 400 that says what is malformed, and where", http::malformed_json),
    point!("/healthz and /readyz are JSON with kubernaut's fields", http::probes),
    point!("who may create services/gateway-service may signal, nobody else", http::authorization),
    point!("X-Timestamp may be 5 minutes old and 2 minutes ahead", http::freshness_of_requests),
    point!("an alert may be 2 minutes ahead, and of any age", signals::freshness),
    point!("commonLabels.cluster is the cluster of an alert without one", signals::common_cluster),
    point!("two firing alerts of one target count 2 and get one response", signals::two_alerts_of_one_target),
    point!("an RR is about the verified workload", signals::workload),
    point!("what has no label kubernaut.ai/managed is rejected with 200, and why", signals::scope),
    point!("an event may be 5 minutes old and 2 minutes ahead", events::freshness),
    point!("an event of type Normal gets 400", events::normal),
    point!("metrics are plain text unless OpenMetrics is asked for", metrics::formats),
    point!("metrics have kubernaut's labels", metrics::labels),
    point!("there are metrics of the process", metrics::process),
];

/// Checks every point, and names each that does not hold.
async fn check(place: Place) -> Result<()> {
    let mut broken = Vec::new();
    for Point { what, check } in POINTS {
        match check(&place).await {
            Ok(()) => println!("holds: {what}"),
            Err(error) => broken.push(format!("does not hold: {what}: {error:#}")),
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

#[tokio::test]
async fn the_contract_of_its_gateway_holds_directly() -> Result<()> {
    check(Place::direct().await?).await
}

#[tokio::test]
async fn the_contract_of_its_gateway_holds_through_envoy() -> Result<()> {
    check(Place::behind_envoy().await?).await
}
