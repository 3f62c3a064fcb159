//! The latency of single signals, relative to the bare Kubernetes writes that they need.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

mod bare;
mod compare;
mod contender;
mod fixture;
mod report;
mod samples;

use self::contender::Contender;
use self::fixture::{Course, OWNED_INCIDENTS};
pub(super) use self::report::report;
use super::Depth;
use super::data::{At, Data};
use super::progress::Progress;

/// Replicas behind Envoy.
const REPLICAS: usize = 3;
/// Rounds of samples; every contender runs in every round.
const ROUNDS: u32 = 30;
/// The pause between two samples, so that work which continues after one response does not delay the next.
const PAUSE: Duration = Duration::from_millis(5);
/// The latency of one sample.
const TIME: &str = "milliseconds";
/// The replicas' API calls in a round, for all its samples together.
const API_CALLS: &str = "API calls of the round";

/// Samples of each contender in each round.
fn per_round(depth: Depth) -> usize {
    match depth {
        Depth::Quick => 3,
        Depth::Full => 10,
    }
}

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let samples = per_round(depth);
    // One round more than is measured, to warm up.
    let mut course = Course::start(REPLICAS, samples * (ROUNDS as usize + 1)).await?;
    let progress = Progress::new(Contender::ALL.len() * (ROUNDS as usize + 1));
    let (mut data, mut turns) = (Data::default(), Contender::ALL);
    for round in 0..=ROUNDS {
        progress.doing(format_args!("latency, round {round} of {ROUNDS}"));
        for contender in turns {
            let values = run_turn(&mut course, contender, samples).await?;
            // Round 0 is not measured: it warms up connections and caches.
            if let Some(round) = round.checked_sub(1) {
                data.add(At { case: CASE, contender: contender.name(), x: 0.0 }, round, values);
            }
            progress.step();
        }
        // Rotate: the first contender of a round is last in the next.
        turns.rotate_left(1);
    }
    course.verify().await?;
    Ok(data)
}

const CASE: &str = "one signal at a time";

/// Runs one contender's samples of a round.
async fn run_turn(course: &mut Course, contender: Contender, samples: usize) -> Result<Vec<(&'static str, f64)>> {
    let trials = course.prepare(contender, samples).await?;
    let calls_before = course.api_calls().await?;
    let mut values = Vec::with_capacity(samples + 1);
    for trial in trials {
        sleep(PAUSE).await;
        values.push((TIME, course.run(trial).await?.as_secs_f64() * 1e3));
    }
    // Calls after the last response still belong to this contender.
    sleep(PAUSE).await;
    values.push((API_CALLS, course.api_calls().await? - calls_before));
    Ok(values)
}

fn method() -> String {
    format!(
        "One signal at a time: in each of {ROUNDS} rounds every contender runs in turn. Signals go through Envoy with the filter \
         to {REPLICAS} sidecars; bare writes\ngo from the same process directly to the same API server, with the same client \
         library (kube), objects and permissions. Duplicates\nare spread over {OWNED_INCIDENTS} incidents, since the counts of \
         one incident are at least batching.countInterval apart. Of a pod, the API server has its ReplicaSet and \
         Deployment,\nwhich are read beside the claim; the replicas that look for nothing are others, in the same cluster. API \
         calls are per signal and\ninclude calls after the response. Brackets: 95 % bootstrap confidence interval over rounds."
    )
}
