//! `cargo xtask fuzz`: differential fuzzing. The filter's `.wasm` and its core, compiled natively, get the same
//! requests and must behave identically: same fingerprints, sub-requests and responses. Neither may trap or hang, and
//! cost is bounded.
//!
//! Requests are mutated corpus entries (bytes, tokens, JSON structure), cut into chunks anywhere, with random headers
//! and random responses to sub-requests. A seed and a number determine a request, so every finding can be repeated:
//! `cargo xtask fuzz --seed SEED --first NUMBER --bodies 1`.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use onceway_wasm_host::{Host, RequestResult};
use tokio::time::Instant;

mod case;
mod corpus;
mod mutate;
mod native;
mod replies;
mod seen;

use self::case::Case;
use self::corpus::Corpus;
use self::seen::Behavior;

/// The filter's configuration. Its limits are low, so that requests exceed them.
const CONFIG: &str = r#"{"max_body_bytes": 16384, "max_alerts": 24, "max_fingerprints": 12, "max_split_bytes": 12000,
    "max_answer_bytes": 3000, "max_subrequests_in_flight": 3}"#;
/// Sub-requests in flight that the proxy's circuit breaker allows.
const BREAKER: usize = 2;
/// Fuel that any request may use.
const FUEL_PER_REQUEST: u64 = 60_000;
/// Additional fuel for each call into the filter: a chunk, trailers, a response to a sub-request.
const FUEL_PER_EVENT: u64 = 30_000;
/// Additional fuel for each byte in or out: headers, body, sub-requests, their responses, the response.
const FUEL_PER_BYTE: u64 = 150;
/// The VM's memory limit over all requests, in bytes.
const MAX_MEMORY: usize = 16 * 1024 * 1024;
/// How often progress is printed.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// Send generated requests to the filter's module and to its native core, and compare.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask fuzz", bin_name = "cargo xtask fuzz")]
pub struct Args {
    /// Number of requests
    #[arg(long, default_value_t = 10_000_000)]
    pub bodies: u64,
    /// Seed of all requests
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of the first request
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// Number of threads; each has its own VM
    #[arg(long, default_value_t = 2)]
    pub threads: u64,
}

/// The result of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Requests sent.
    pub bodies: u64,
    /// Requests that got the fingerprint header.
    pub fingerprinted: u64,
    /// Requests that the filter split.
    pub split: u64,
    /// Requests that the filter could not decode.
    pub undecodable: u64,
    /// The most fuel per byte beyond the fixed allowances, in thousandths.
    pub millifuel_per_byte: u64,
    /// The most memory that a VM used, in bytes.
    pub memory: usize,
}

/// Sends the requests.
///
/// # Errors
/// If module and native core differ, or the module traps, hangs or exceeds a cost limit; the error shows the request.
pub fn run(args: &Args) -> Result<Report> {
    let (done, broken) = (AtomicU64::new(0), AtomicBool::new(false));
    let began = Instant::now();
    thread::scope(|scope| {
        let run_thread = |thread| {
            let (done, broken) = (&done, &broken);
            scope.spawn(move || {
                let report = Fuzzer::new().run(args, thread, done, broken);
                broken.fetch_or(report.is_err(), Ordering::Relaxed);
                report
            })
        };
        let threads: Vec<_> = (0..args.threads).map(run_thread).collect();
        let mut printed = Instant::now();
        while !threads.iter().all(|thread| thread.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if printed.elapsed() >= PROGRESS_EVERY {
                printed = Instant::now();
                let done = done.load(Ordering::Relaxed);
                println!("{done} bodies in {} s, no trap, no difference", began.elapsed().as_secs());
            }
        }
        threads.into_iter().try_fold(Report::default(), |sum, thread| {
            let report = thread.join().unwrap_or_else(|_| bail!("a thread panicked"))?;
            Ok(sum.plus(report))
        })
    })
}

impl Report {
    fn plus(self, other: Report) -> Report {
        Report {
            bodies: self.bodies + other.bodies,
            fingerprinted: self.fingerprinted + other.fingerprinted,
            split: self.split + other.split,
            undecodable: self.undecodable + other.undecodable,
            millifuel_per_byte: self.millifuel_per_byte.max(other.millifuel_per_byte),
            memory: self.memory.max(other.memory),
        }
    }

    fn count(&mut self, result: &RequestResult) {
        self.bodies += 1;
        let decisions = result.decisions();
        let is = |decision: &str| u64::from(decisions.contains(&decision));
        self.fingerprinted += is("fingerprinted");
        self.split += is("split");
        self.undecodable += is("undecodable");
    }
}

/// A VM and the corpus of its requests.
struct Fuzzer {
    host: Host,
    corpus: Corpus,
}

impl Fuzzer {
    fn new() -> Fuzzer {
        let mut host = Host::new(CONFIG);
        host.breaker(BREAKER);
        Fuzzer { host, corpus: Corpus::load() }
    }

    /// Sends this thread's share of the requests.
    fn run(mut self, args: &Args, thread: u64, done: &AtomicU64, broken: &AtomicBool) -> Result<Report> {
        let mut report = Report::default();
        let numbers = (args.first + thread..args.first + args.bodies).step_by(usize::try_from(args.threads)?);
        for number in numbers {
            let case = Case::new(&self.corpus, args.seed, number);
            let result = self.send(&case);
            if let Err(problem) = self.check(&case, &result, &mut report) {
                bail!("--seed {} --first {number} --bodies 1: {problem}\n{}", args.seed, case.text());
            }
            report.count(&result);
            done.fetch_add(1, Ordering::Relaxed);
            if broken.load(Ordering::Relaxed) {
                break;
            }
        }
        report.memory = self.host.memory();
        Ok(report)
    }

    fn send(&mut self, case: &Case) -> RequestResult {
        let mut responses = case.sub_responses();
        self.host
            .respond_picking(move |calls| responses.next(calls.len(), |place| calls[place].authority().to_owned()));
        self.host.request(case.request.clone())
    }

    fn check(&mut self, case: &Case, result: &RequestResult, report: &mut Report) -> Result<(), String> {
        let (module, native) = (Behavior::of_module(result), native::run(case, CONFIG, BREAKER));
        if module != native {
            let mut text = String::new();
            let _ = write!(text, "the module and the native core differ:\n{module:#?}\n{native:#?}");
            return Err(text);
        }
        if !module.has_ended(case) {
            return Err(format!("the request did not end: {:?}", result.end));
        }
        let fixed = FUEL_PER_REQUEST + FUEL_PER_EVENT * (case.events() + 2 * module.sub_requests());
        let bytes = (case.bytes() + module.bytes()).max(1);
        let variable = result.fuel.saturating_sub(fixed);
        report.millifuel_per_byte = report.millifuel_per_byte.max(variable * 1000 / bytes);
        if variable > FUEL_PER_BYTE * bytes {
            return Err(format!("{} units of fuel for {bytes} bytes and {} events", result.fuel, case.events()));
        }
        match self.host.memory() {
            memory if memory > MAX_MEMORY => Err(format!("the VM uses {memory} bytes of memory")),
            _ => Ok(()),
        }
    }
}
