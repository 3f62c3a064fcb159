//! `cargo xtask fuzz`: the filter's real `.wasm` and its own core, compiled natively, get the same requests, and must do the
//! same: same fingerprints, same parts, same answers. Nothing traps, nothing hangs, and what it costs is bounded.
//!
//! Requests are made from a corpus by changing it: bytes, tokens, JSON by its structure; cut into chunks anywhere; with any
//! headers; replied to with anything. All of it follows from a seed and a number, so that whatever is found is found again:
//! `cargo xtask fuzz --seed SEED --first NUMBER --bodies 1`.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use onceway_wasm_host::{Answer, Host};
use tokio::time::Instant;

mod case;
mod corpus;
mod mutate;
mod native;
mod replies;
mod seen;

use self::case::Case;
use self::corpus::Corpus;
use self::seen::Seen;

/// The filter's configuration: limits so low that they are met.
const CONFIG: &str = r#"{"max_body_bytes": 16384, "max_alerts": 24, "max_fingerprints": 12, "max_split_bytes": 12000,
    "max_answer_bytes": 3000, "max_subrequests_in_flight": 3}"#;
/// The filter's parts in flight that the proxy lets through.
const BREAKER: usize = 2;
/// Fuel that a request may take whatever it is.
const FUEL_PER_REQUEST: u64 = 60_000;
/// Fuel that each call into the filter may take beside: a chunk, trailers, a reply.
const FUEL_PER_EVENT: u64 = 30_000;
/// Fuel that each byte may take that goes in or out: headers, body, parts, replies, answer.
const FUEL_PER_BYTE: u64 = 150;
/// The VM's memory that no number of such requests may exceed, in bytes.
const MEMORY: usize = 16 * 1024 * 1024;
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask fuzz", bin_name = "cargo xtask fuzz")]
pub struct Args {
    /// How many requests to make
    #[arg(long, default_value_t = 10_000_000)]
    pub bodies: u64,
    /// What all of them follow from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The number of the first request
    #[arg(long, default_value_t = 0)]
    pub first: u64,
    /// How many to make at once; each thread has a VM of its own
    #[arg(long, default_value_t = 2)]
    pub threads: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Requests made.
    pub bodies: u64,
    /// Those that the filter had a fingerprint set for.
    pub fingerprinted: u64,
    /// Those that it split.
    pub split: u64,
    /// Those that it could not decode.
    pub undecodable: u64,
    /// The most fuel that a byte took, in a thousandth, of what is beyond the fixed parts.
    pub millifuel_per_byte: u64,
    /// The most memory that a VM had, in bytes.
    pub memory: usize,
}

/// Makes so many requests.
///
/// # Errors
/// If the module did not do what the native core did, trapped, hung or took too much; the error shows the request.
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
        let mut told = Instant::now();
        while !threads.iter().all(|thread| thread.is_finished()) {
            thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let done = done.load(Ordering::Relaxed);
                println!("{done} bodies in {} s, no trap, no divergence", began.elapsed().as_secs());
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

    fn count(&mut self, answer: &Answer) {
        self.bodies += 1;
        let outcomes = answer.outcomes();
        let is = |outcome: &str| u64::from(outcomes.contains(&outcome));
        self.fingerprinted += is("fingerprinted");
        self.split += is("split");
        self.undecodable += is("undecodable");
    }
}

/// A VM, and what to send to it.
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

    /// Makes every request whose turn is this thread's.
    fn run(mut self, args: &Args, thread: u64, done: &AtomicU64, broken: &AtomicBool) -> Result<Report> {
        let mut report = Report::default();
        let numbers = (args.first + thread..args.first + args.bodies).step_by(usize::try_from(args.threads)?);
        for number in numbers {
            let case = Case::new(&self.corpus, args.seed, number);
            let answer = self.send(&case);
            if let Err(problem) = self.judge(&case, &answer, &mut report) {
                bail!("--seed {} --first {number} --bodies 1: {problem}\n{}", args.seed, case.text());
            }
            report.count(&answer);
            done.fetch_add(1, Ordering::Relaxed);
            if broken.load(Ordering::Relaxed) {
                break;
            }
        }
        report.memory = self.host.memory();
        Ok(report)
    }

    fn send(&mut self, case: &Case) -> Answer {
        let mut replies = case.replies();
        self.host.reply_picking(move |calls| replies.next(calls.len(), |place| calls[place].authority().to_owned()));
        self.host.request(case.request.clone())
    }

    fn judge(&mut self, case: &Case, answer: &Answer, report: &mut Report) -> Result<(), String> {
        let (module, native) = (Seen::of_module(answer), native::run(case, CONFIG, BREAKER));
        if module != native {
            let mut text = String::new();
            let _ = write!(text, "the module and the native core differ:\n{module:#?}\n{native:#?}");
            return Err(text);
        }
        if !module.ended(case) {
            return Err(format!("it did not end: {:?}", answer.end));
        }
        let fixed = FUEL_PER_REQUEST + FUEL_PER_EVENT * (case.events() + 2 * module.parts());
        let bytes = (case.bytes() + module.bytes()).max(1);
        let variable = answer.fuel.saturating_sub(fixed);
        report.millifuel_per_byte = report.millifuel_per_byte.max(variable * 1000 / bytes);
        if variable > FUEL_PER_BYTE * bytes {
            return Err(format!("{} of fuel for {bytes} bytes, {} events", answer.fuel, case.events()));
        }
        match self.host.memory() {
            memory if memory > MEMORY => Err(format!("the VM has grown to {memory} bytes")),
            _ => Ok(()),
        }
    }
}
