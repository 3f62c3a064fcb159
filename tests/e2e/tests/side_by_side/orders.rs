//! Every order in which the calls of a sidecar and of kubernaut's gateway for one incident can follow each other. The fault
//! proxy holds the sidecar's calls, a gate the gateway's; an order says whose next call goes. Nothing waits for time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use onceway_kit::fault_proxy::{Call, Fault, LEASES, RR_STATUS, RRS, Rule, RuleHandle, Verb};
use onceway_kit::kubernaut::{Answer, Gate, KubernautGateway, lock_name};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::sync::watch;

use super::{SOON, leases, until_unlocked, with_locks};

/// The calls of a sidecar for a first signal that matter to the gateway: take the lock, list, create, count, release.
const OURS: usize = 5;
/// The gateway's: read the lock, take it, list, create, read, count, release.
const THEIRS: usize = 7;
/// Orders in flight: each is another incident.
const CONCURRENT: usize = 32;

/// Whose next call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Ours,
    Theirs,
}

/// What there is before the first call.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// Nothing.
    Fresh,
    /// A claim of a sidecar that died before it created its RR: the next one creates it without looking for others first.
    OpenClaim,
}

/// All orders of so many calls of each.
fn orders(ours: usize, theirs: usize) -> Vec<Vec<Turn>> {
    let begin = |turn, rest: Vec<Vec<Turn>>| rest.into_iter().map(move |rest| [vec![turn], rest].concat());
    match (ours, theirs) {
        (0, _) => vec![vec![Turn::Theirs; theirs]],
        (_, 0) => vec![vec![Turn::Ours; ours]],
        _ => begin(Turn::Ours, orders(ours - 1, theirs)).chain(begin(Turn::Theirs, orders(ours, theirs - 1))).collect(),
    }
}

/// The sidecar's calls for one incident, held by its fault proxy.
struct Ours {
    rig: Arc<Rig>,
    hold: RuleHandle,
    lock: String,
    /// Whether the release of the lock has arrived, which is the last call.
    releasing: Arc<AtomicBool>,
    passed: u64,
    finished: bool,
}

impl Ours {
    fn new(rig: &Arc<Rig>, incident: &Incident) -> Self {
        let lock = lock_name(incident.fingerprint());
        let (digits, name) = (incident.fingerprint().to_string()[..12].to_owned(), lock.clone());
        let releasing = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&releasing);
        // Claims and reads of RRs do not matter to the gateway: any order of them is one of these.
        let matters = move |call: &Call| {
            let of_lock = call.name.as_ref() == Some(&name);
            let of_rrs = call.is(Verb::List, RRS) || call.is(Verb::Create, RRS) || call.is(Verb::Patch, RR_STATUS);
            if of_lock && call.verb == Verb::Delete {
                seen.store(true, Ordering::Release);
            }
            of_lock || of_rrs && call.mentions(&digits)
        };
        let hold = rig.proxy(0).rule(Rule::any().only(matters), Fault::Hold);
        Self { rig: Arc::clone(rig), hold, lock, releasing, passed: 0, finished: false }
    }

    /// Lets the next call go, and waits until it has had its effect.
    async fn step(&mut self) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        self.hold.reached_times(self.passed + 1).await;
        self.finished = self.releasing.load(Ordering::Acquire);
        self.hold.release_one();
        self.passed += 1;
        if !self.finished {
            // It makes one call after the other, and the next arrives once this one has ended.
            self.hold.reached_times(self.passed + 1).await;
            return Ok(());
        }
        let released = |call: &Call| {
            call.is(Verb::Delete, LEASES) && call.name.as_ref() == Some(&self.lock) && call.ended.is_some()
        };
        let record = self.rig.record();
        poll::until(SOON, "the release ends", async || Ok((record.count_of(released) > 0).then_some(()))).await
    }
}

/// The gateway's calls for one incident, held by its gate.
struct Theirs {
    gate: Arc<Gate>,
    finished: watch::Receiver<bool>,
    passed: u64,
}

impl Theirs {
    async fn step(&mut self) {
        if self.arrived().await {
            self.gate.let_one_pass();
            self.passed += 1;
            self.arrived().await;
        }
    }

    /// Waits until the next call arrives; false if there is none.
    async fn arrived(&mut self) -> bool {
        tokio::select! {
            () = self.gate.reached_times(self.passed + 1) => true,
            _ = self.finished.wait_for(|finished| *finished) => false,
        }
    }
}

/// Plays one order for an incident of its own.
async fn play(rig: &Arc<Rig>, start: Start, incident: Incident, order: &[Turn]) -> Result<()> {
    if let Start::OpenClaim = start {
        leases(rig).create(&PostParams::default(), &open_claim(&incident)?).await?;
    }
    let mut ours = Ours::new(rig, &incident);
    let (finishing, finished) = watch::channel(false);
    let gate = Arc::new(Gate::closed());
    let mut theirs = Theirs { gate: Arc::clone(&gate), finished, passed: 0 };
    let gateway = KubernautGateway::new(rig.namespace(), &format!("gateway-of-{}", incident.deployment()));
    let signal = incident.clone();
    let played = tokio::spawn(async move {
        let played = gateway.signal(&signal, &gate).await;
        finishing.send_replace(true);
        played
    });
    let answered = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident.webhook(0)));
    for turn in order {
        match turn {
            Turn::Ours => ours.step().await?,
            Turn::Theirs => theirs.step().await,
        }
    }
    ours.hold.release();
    theirs.gate.let_all_pass();
    let (played, response) = (played.await??, answered.await??);
    until_unlocked(rig, &incident).await?;

    let (answer, _) = played.answer.context("kubernaut's gateway got no lock")?;
    ensure!(played.counted, "kubernaut's gateway did not count");
    let created = (answer == Answer::Created, response.status == 201);
    ensure!([(true, false), (false, true)].contains(&created), "{answer:?}, {}: {}", response.status, response.text());
    let rrs = rig.rrs_of(&incident).await?;
    let counts: Vec<u64> = rrs.iter().map(RrExt::count).collect();
    ensure!(counts == [2], "RRs with the counts {counts:?}");
    Ok(())
}

/// The claim of a sidecar that died between claiming a name and creating its RR.
fn open_claim(incident: &Incident) -> Result<Lease> {
    let fingerprint = incident.fingerprint().to_string();
    let second = 1_770_000_000;
    Ok(serde_json::from_value(json!({
        "metadata": {
            "name": format!("onceway-{fingerprint}"),
            "labels": { "app.kubernetes.io/managed-by": "onceway", "app.kubernetes.io/component": "remediation" },
            "annotations": {
                "onceway.io/intent": format!("rr-{}-{second}", &fingerprint[..12]),
                "onceway.io/created": "false",
                "onceway.io/floor": second.to_string(),
            },
        },
        "spec": { "holderIdentity": "onceway-9_gone", "leaseDurationSeconds": 30, "leaseTransitions": 0 },
    }))?)
}

async fn play_all(start: Start, ours: usize, theirs: usize) -> Result<()> {
    let config = json!({ "lease": { "takeoverAfter": "25ms" } });
    let rig = Arc::new(Rig::replicas(1).config(with_locks(config)).with_long_timeouts().start().await?);
    let orders = orders(ours, theirs);
    let all = orders.iter().enumerate().map(|(n, order)| {
        let (rig, incident) = (Arc::clone(&rig), Incident::new("prod", &format!("order-{n}")));
        async move { play(&rig, start, incident, order).await.with_context(|| format!("{start:?}, {order:?}")) }
    });
    stream::iter(all).buffer_unordered(CONCURRENT).try_collect::<Vec<()>>().await?;
    Ok(())
}

#[test]
fn the_orders_are_all_ways_to_merge_the_calls_of_both() {
    use Turn::{Ours, Theirs};
    let all = orders(2, 1);
    assert_eq!(all, [[Ours, Ours, Theirs], [Ours, Theirs, Ours], [Theirs, Ours, Ours]]);
    assert_eq!(orders(OURS, THEIRS).len(), 792, "12 choose 5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_every_order_of_a_first_incident_there_is_one_rr_and_it_counts_both_signals() -> Result<()> {
    play_all(Start::Fresh, OURS, THEIRS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_every_order_after_a_crash_that_left_an_open_claim_there_is_one_rr_and_it_counts_both_signals() -> Result<()>
{
    // When the lock is released makes no difference to what precedes it: the other test has those orders.
    play_all(Start::OpenClaim, OURS - 1, THEIRS).await
}
