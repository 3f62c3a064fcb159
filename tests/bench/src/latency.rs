//! How long one signal takes, one at a time, over the bare Kubernetes writes that it cannot do without.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

mod bare;
mod compare;
mod contender;
mod course;
mod report;
mod samples;

use self::contender::Contender;
use self::course::{Course, OWNED_INCIDENTS};
pub(super) use self::report::report;
use super::Depth;
use super::data::{At, Data};
use super::progress::Progress;

/// Replicas behind Envoy.
const REPLICAS: usize = 3;
/// Rounds that the samples are taken in; in each round every contender has its turn.
const ROUNDS: u32 = 30;
/// Between two samples, so that what is done off the path of one is not in the way of the next.
const PAUSE: Duration = Duration::from_millis(5);
/// The time of one sample.
const TIME: &str = "milliseconds";
/// Calls that the replicas made to the API server in a round, for all of its samples together.
const API_CALLS: &str = "API calls of the round";

/// Samples of each contender in each round.
fn per_round(depth: Depth) -> usize {
    match depth {
        Depth::Quick => 3,
        Depth::Full => 10,
    }
}

/// Measures.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    let samples = per_round(depth);
    // One round more than is measured.
    let mut course = Course::start(REPLICAS, samples * (ROUNDS as usize + 1)).await?;
    let progress = Progress::new(Contender::ALL.len() * (ROUNDS as usize + 1));
    let (mut data, mut turns) = (Data::default(), Contender::ALL);
    for round in 0..=ROUNDS {
        progress.doing(format_args!("latency, round {round} of {ROUNDS}"));
        for contender in turns {
            let values = take(&mut course, contender, samples).await?;
            // Connections and caches of all parts are warm after a round that is not measured.
            if let Some(round) = round.checked_sub(1) {
                data.add(At { case: CASE, contender: contender.name(), x: 0.0 }, round, values);
            }
            progress.step();
        }
        // Who was first is last in the next round.
        turns.rotate_left(1);
    }
    course.verify().await?;
    Ok(data)
}

const CASE: &str = "one signal at a time";

/// Gives a contender its turn.
async fn take(course: &mut Course, contender: Contender, samples: usize) -> Result<Vec<(&'static str, f64)>> {
    let trials = course.prepare(contender, samples).await?;
    let calls_before = course.api_calls().await?;
    let mut values = Vec::with_capacity(samples + 1);
    for trial in trials {
        sleep(PAUSE).await;
        values.push((TIME, course.run(trial).await?.as_secs_f64() * 1e3));
    }
    // What the last one leaves to do off its path is a call of this contender's too.
    sleep(PAUSE).await;
    values.push((API_CALLS, course.api_calls().await? - calls_before));
    Ok(values)
}

fn method() -> String {
    format!(
        "One signal at a time: in each of {ROUNDS} rounds every contender has its turn. Signals go through Envoy with the filter \
         to {REPLICAS} sidecars; bare writes\ngo from the same process straight to the same API server, with the same client \
         library (kube), objects and rights. Duplicates\nare spread over {OWNED_INCIDENTS} incidents, since counts of one are \
         paced (batching.countInterval). API calls are per signal and include\nthose that are made after the answer. In \
         brackets: what 95 % of figures are within when the rounds are drawn anew."
    )
}
