//! What all contenders run on: one rig and one API server. The state that a trial needs is prepared before its time is taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway::config::Config;
use onceway_kit::cluster::Object;
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::rig::{Rig, RigBuilder, Rr, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::bare::Bare;
use super::contender::Contender;

/// Incidents that duplicates are spread over: enough that none gets two within `batching.countInterval`, which would measure
/// the write interval instead of the latency.
pub(super) const OWNED_INCIDENTS: usize = 50;
/// `limits.incidentIdle`: short, so that incidents can recur at a replica that has dropped them from memory.
const IDLE: Duration = Duration::from_secs(3);
/// The maximum time until the replicas have dropped all incidents.
const FORGET_LIMIT: Duration = Duration::from_secs(60);
/// How often this is checked.
const FORGET_POLL: Duration = Duration::from_millis(100);

/// The rigs, and the incidents in each state that trials need.
pub(super) struct Course {
    rig: Rig,
    /// In the same cluster, with replicas that look for no workload.
    named: Rig,
    bare: Bare,
    /// Incidents created so far; each has a unique name.
    incidents: u64,
    /// Incidents whose RR is terminal and that no replica has in memory.
    forgotten: VecDeque<Incident>,
    /// Incidents that duplicates are sent about.
    owned: Vec<Incident>,
    /// The RRs that the API server must hold at the end.
    rrs: usize,
    /// The sum of their counts.
    counted: u64,
    /// The pods that signals name.
    pods: u64,
}

/// An operation whose time is taken.
pub(super) enum Trial {
    /// Create this RR and write its status.
    Open(Box<Rr>),
    /// Write the status of the `n`-th RR.
    Count(usize),
    /// Send this webhook through the Envoy of this rig; the response must have this status.
    Signal { to: To, webhook: String, status: u16 },
}

/// A rig of the course.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// That of the defaults.
    Rig,
    /// That which looks for no workload.
    Named,
}

impl Course {
    /// Starts the rig and prepares `recurring` incidents for [`Contender::Recurring`], which takes time.
    pub(super) async fn start(replicas: usize, recurring: usize) -> Result<Self> {
        let config = json!({ "limits": { "incidentIdle": format!("{}s", IDLE.as_secs()) } });
        let rig = replicas_of(replicas, config.clone()).own_cluster().start().await?;
        let mut named = config;
        named["targets"] = json!({ "resolve": "named" });
        let named = replicas_of(replicas, named).in_cluster(Arc::clone(rig.namespace().cluster())).start().await?;
        let bare = Bare::new(rig.namespace())?;
        let (forgotten, owned) = (VecDeque::new(), Vec::new());
        let mut course = Self { rig, named, bare, incidents: 0, forgotten, owned, rrs: 0, counted: 0, pods: 0 };
        for _ in 0..OWNED_INCIDENTS {
            let incident = course.fresh();
            course.signal(&incident, 201).await?;
            course.owned.push(incident);
        }
        let drafts = (0..OWNED_INCIDENTS).map(|_| course.draft()).collect::<Result<Vec<Rr>>>()?;
        course.bare.own(&drafts).await?;
        course.expect(OWNED_INCIDENTS, OWNED_INCIDENTS);
        for _ in 0..recurring {
            let incident = course.terminal().await?;
            course.forgotten.push_back(incident);
        }
        course.until_forgotten().await?;
        Ok(course)
    }

    /// Prepares `count` trials of a contender.
    pub(super) async fn prepare(&mut self, contender: Contender, count: usize) -> Result<Vec<Trial>> {
        let mut trials = Vec::with_capacity(count);
        for n in 0..count {
            trials.push(match contender {
                Contender::BareOpening => Trial::Open(Box::new(self.draft()?)),
                Contender::BareCount => Trial::Count(n),
                Contender::First => signal(&self.fresh(), n, 201),
                Contender::Verified => self.of_pod(To::Rig).await?,
                Contender::Named => self.of_pod(To::Named).await?,
                Contender::Recurring => {
                    let incident = self.forgotten.pop_front().context("no incident left that can recur")?;
                    signal(&incident, n, 201)
                }
                Contender::JustEnded => signal(&self.terminal().await?, n, 201),
                Contender::Duplicate => {
                    let incident = self.owned[n % OWNED_INCIDENTS].clone();
                    // Its owner may have dropped it since the last round.
                    if n < OWNED_INCIDENTS {
                        self.signal(&incident, 202).await?;
                    }
                    signal(&incident, n, 202)
                }
            });
        }
        // Counts of the preparation must not delay the next count of the same incident.
        sleep(Config::default().batching.count_interval).await;
        self.expect(if contender.opens() { count } else { 0 }, count);
        Ok(trials)
    }

    /// Runs a trial and returns its duration.
    pub(super) async fn run(&mut self, trial: Trial) -> Result<Duration> {
        let began = Instant::now();
        match trial {
            Trial::Open(draft) => drop(self.bare.open(&draft).await?),
            Trial::Count(n) => self.bare.count(n).await?,
            Trial::Signal { to, webhook, status } => drop(self.send(to, webhook, status).await?),
        }
        Ok(began.elapsed())
    }

    /// The API calls of all replicas so far.
    pub(super) async fn api_calls(&self) -> Result<f64> {
        self.sum("gateway_api_calls_total").await
    }

    /// Checks that all trials had their intended effect.
    ///
    /// # Errors
    /// If the API server holds other RRs or counts than expected.
    pub(super) async fn verify(&self) -> Result<()> {
        let mut rrs = self.rig.rrs().await?;
        rrs.extend(self.named.rrs().await?);
        let counted: u64 = rrs.iter().map(RrExt::count).sum();
        ensure!(
            (rrs.len(), counted) == (self.rrs, self.counted),
            "the API server holds {} RRs that count {counted}, instead of {} that count {}",
            rrs.len(),
            self.rrs,
            self.counted
        );
        Ok(())
    }

    fn expect(&mut self, rrs: usize, counted: usize) {
        self.rrs += rrs;
        self.counted += counted as u64;
    }

    fn fresh(&mut self) -> Incident {
        self.incidents += 1;
        Incident::new("prod", &format!("service-{}", self.incidents))
    }

    fn draft(&mut self) -> Result<Rr> {
        let incident = self.fresh();
        let webhook = incident.webhook(self.incidents);
        Bare::draft(&incident, webhook)
    }

    /// A signal that names a pod, which has a ReplicaSet and a Deployment.
    async fn of_pod(&mut self, to: To) -> Result<Trial> {
        self.pods += 1;
        let namespace = self.to(to).namespace();
        let (objects, pod) = Object::deployment(&format!("deployed-{}", self.pods));
        for object in objects {
            namespace.create(&object).await?;
        }
        let alert = Alert::firing("KubePodCrashLooping").label("namespace", namespace.name()).label("pod", &pod);
        Ok(Trial::Signal { to, webhook: webhook(&[alert]), status: 201 })
    }

    /// An incident whose RR is terminal.
    async fn terminal(&mut self) -> Result<Incident> {
        let incident = self.fresh();
        let name = self.signal(&incident, 201).await?;
        self.rig.set_phase(&name, "Completed").await?;
        Ok(incident)
    }

    /// Sends a signal that is not measured; returns the name of its RR.
    async fn signal(&mut self, incident: &Incident, status: u16) -> Result<String> {
        let name = self.send(To::Rig, incident.webhook(0), status).await?;
        self.expect(usize::from(status == 201), 1);
        Ok(name)
    }

    fn to(&self, to: To) -> &Rig {
        match to {
            To::Rig => &self.rig,
            To::Named => &self.named,
        }
    }

    async fn send(&self, to: To, webhook: String, status: u16) -> Result<String> {
        let rig = self.to(to);
        let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, webhook).await?;
        ensure!(response.status.as_u16() == status, "{} instead of {status}: {}", response.status, response.text());
        let name = response.json()["remediationRequestName"].as_str().map(str::to_owned);
        name.with_context(|| format!("a response without an RR name: {}", response.text()))
    }

    async fn until_forgotten(&self) -> Result<()> {
        let forgotten = async {
            while self.sum("gateway_incidents_in_hand").await? > 0.0 {
                sleep(FORGET_POLL).await;
            }
            // An incident without a task stays in the table for `limits.incidentIdle`.
            sleep(IDLE).await;
            Ok(())
        };
        timeout(FORGET_LIMIT, forgotten).await.context("the replicas still have incidents in memory")?
    }

    async fn sum(&self, metric: &str) -> Result<f64> {
        let mut sum = 0.0;
        for sidecar in self.rig.sidecars().iter().chain(self.named.sidecars()) {
            sum += sidecar.scrape().await?.sum(metric, &[]);
        }
        Ok(sum)
    }
}

fn signal(incident: &Incident, n: usize, status: u16) -> Trial {
    Trial::Signal { to: To::Rig, webhook: incident.webhook(n as u64), status }
}

/// A rig of these replicas.
fn replicas_of(replicas: usize, config: Value) -> RigBuilder {
    Rig::replicas(replicas).with_envoy().without_fault_proxies().config(config).label("bench")
}
