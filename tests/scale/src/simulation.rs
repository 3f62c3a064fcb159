//! A burst of new incidents, in steps of a millisecond.
//!
//! Each incident makes its writes one after the other. A write waits for one of the replicas' calls, then for a seat, in the order of
//! arrival. A write that has a seat shares the cores of the API server equally with the others that have one, until it has had its
//! CPU time, and then waits for etcd's disk. An incident that has not made its last write by the deadline ends with 503.

use std::collections::VecDeque;

use crate::cluster::{Cluster, Installation};
use crate::cost;
use crate::random::Random;

/// A step, in microseconds.
const STEP_US: f64 = 1_000.0;
const SEED: u64 = 20;

/// New incidents, all of them admitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Incidents in a second.
    pub incidents_per_s: u32,
    /// Incidents in all.
    pub incidents: u32,
}

/// What became of a burst.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Incidents with an RR that counts, within the deadline.
    pub done: u32,
    /// Incidents whose deadline passed.
    pub late: u32,
    /// Their response times in milliseconds, of those that are done: the median and the 99th percentile.
    pub p50_ms: u32,
    /// The 99th percentile.
    pub p99_ms: u32,
    /// The most seats in use.
    pub seats: u32,
    /// The most writes that waited for a seat in the API server.
    pub waiting: u32,
    /// When the last incident was done or late, in seconds after the first.
    pub ended_s: f64,
}

/// One write of an incident.
#[derive(Clone, Copy)]
struct Write {
    arrived_us: f64,
    /// Writes of the incident after this one.
    left: u32,
    cpu_us: f64,
    disk_us: f64,
}

impl Write {
    fn first(arrived_us: f64) -> Self {
        let (cpu_us, disk_us) = (cost::WRITE_CPU_US.into(), cost::WRITE_DISK_US.into());
        Self { arrived_us, left: cost::FIRST_WRITES - 1, cpu_us, disk_us }
    }

    fn next(self) -> Self {
        Self { left: self.left - 1, ..Self::first(self.arrived_us) }
    }
}

/// Simulates `burst`; the same burst has always the same outcome.
pub fn simulate(burst: &Burst, installation: &Installation, cluster: &Cluster) -> Outcome {
    let seats = installation.seats(cluster) as usize;
    let calls = (installation.calls_in_flight * installation.replicas) as usize;
    let deadline_us = f64::from(installation.deadline_s) * 1e6;
    let mut arrivals = arrivals(burst).into_iter().peekable();
    let (mut queue, mut executing) = (VecDeque::<Write>::new(), Vec::<Write>::new());
    let mut times_ms = Vec::new();
    let mut outcome = Outcome { done: 0, late: 0, p50_ms: 0, p99_ms: 0, seats: 0, waiting: 0, ended_s: 0.0 };
    let mut now_us = 0.0;
    while arrivals.peek().is_some() || !queue.is_empty() || !executing.is_empty() {
        while let Some(arrived_us) = arrivals.next_if(|at| *at <= now_us) {
            queue.push_back(Write::first(arrived_us));
        }
        let before = queue.len();
        queue.retain(|write| now_us - write.arrived_us < deadline_us);
        outcome.late += (before - queue.len()) as u32;
        while executing.len() < seats
            && let Some(write) = queue.pop_front()
        {
            executing.push(write);
        }
        outcome.seats = outcome.seats.max(executing.len() as u32);
        // The others wait in the replicas.
        outcome.waiting = outcome.waiting.max(queue.len().min(calls - executing.len().min(calls)) as u32);
        now_us += STEP_US;
        for ended in step(&mut executing, cluster.cores) {
            if ended.left > 0 {
                queue.push_back(ended.next());
            } else if now_us - ended.arrived_us <= deadline_us {
                outcome.done += 1;
                times_ms.push(((now_us - ended.arrived_us) / 1e3) as u32);
            } else {
                outcome.late += 1;
            }
        }
    }
    times_ms.sort_unstable();
    outcome.p50_ms = percentile(&times_ms, 50);
    outcome.p99_ms = percentile(&times_ms, 99);
    outcome.ended_s = now_us / 1e6;
    outcome
}

/// When the incidents arrive, in microseconds, independently of each other.
fn arrivals(burst: &Burst) -> Vec<f64> {
    let mut random = Random::new(SEED);
    let mean_us = 1e6 / f64::from(burst.incidents_per_s);
    let mut at_us = 0.0;
    let next = |_| {
        at_us += random.exponential(mean_us);
        at_us
    };
    (0..burst.incidents).map(next).collect()
}

/// One step of the writes that have a seat; returns those that end.
fn step(executing: &mut Vec<Write>, cores: u32) -> Vec<Write> {
    let computing = executing.iter().filter(|write| write.cpu_us > 0.0).count();
    let each_us = STEP_US * (f64::from(cores) / computing.max(1) as f64).min(1.0);
    for write in executing.iter_mut() {
        if write.cpu_us > 0.0 {
            write.cpu_us -= each_us;
        } else {
            write.disk_us -= STEP_US;
        }
    }
    executing.extract_if(.., |write| write.cpu_us <= 0.0 && write.disk_us <= 0.0).collect()
}

fn percentile(sorted: &[u32], percent: usize) -> u32 {
    let place = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Burst, Outcome, simulate};
    use crate::cluster::{Cluster, Installation};
    use crate::cost;

    fn outcome(incidents_per_s: u32, incidents: u32) -> Outcome {
        simulate(&Burst { incidents_per_s, incidents }, &Installation::default(), &Cluster::default())
    }

    #[test]
    fn a_single_incident_takes_its_three_writes() {
        let alone = outcome(1, 1);
        let write_ms = (cost::WRITE_CPU_US + cost::WRITE_DISK_US) / 1_000;
        assert_eq!((alone.done, alone.late, alone.seats), (1, 0, 1));
        // Arrival and writes are rounded up to steps.
        let least = cost::FIRST_WRITES * write_ms;
        assert!((least..=least + 4).contains(&alone.p50_ms), "{alone:?}");
    }

    #[test]
    fn every_incident_is_done_or_late() {
        for (rate, incidents) in [(10, 600), (100, 6_000), (1_000, 20_000)] {
            let outcome = outcome(rate, incidents);
            assert_eq!(outcome.done + outcome.late, incidents, "{outcome:?}");
        }
    }

    #[test]
    fn no_more_seats_are_taken_than_the_level_has() {
        assert_eq!(outcome(1_000, 5_000).seats, Installation::default().seats(&Cluster::default()));
    }

    #[test]
    fn what_the_api_server_can_do_is_done() {
        let cluster = Cluster::default();
        let per_s = cluster.cores * 1_000_000 / (cost::WRITE_CPU_US * cost::FIRST_WRITES);
        let below = outcome(per_s * 8 / 10, per_s * 30);
        assert_eq!(below.late, 0, "{below:?}");
        let above = outcome(per_s * 2, per_s * 2 * 60);
        assert!(above.late > 0 && above.waiting > 0, "{above:?}");
    }
}
