//! Prometheus and Alertmanager, and what has reached them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::alertmanager::{Alertmanager, Receiver};
use onceway_kit::poll;
use onceway_kit::prometheus::{Job, Pace, Prometheus, Settings};
use onceway_kit::rig::Rig;
use tokio::time::Instant;

use super::source::{Alert, alerts, text};

/// How much faster than in reality durations are: that of a scrape is half a second.
pub(super) const PACE: Pace = Pace::MINUTE_IN_A_SECOND;
/// Seconds that a minute takes at that pace.
const SECONDS_A_MINUTE: u64 = 1;
/// The longest window that must pass beside an alert's `for` before it can fire, in minutes.
const WINDOW_MINUTES: u64 = 30;
/// What does not get faster: that the system notices a fault, that a loaded machine gets to it.
const SLACK: Duration = Duration::from_secs(75);
/// How long alerts may take to be resolved: the longest of their windows, and the slack.
const RESOLVED: Duration = Duration::from_secs(120);

/// A Prometheus that evaluates the shipped rules and notifies an Alertmanager.
pub(super) struct Watch {
    pub(super) prometheus: Prometheus,
    alertmanager: Alertmanager,
    alerts: BTreeMap<String, Alert>,
    rows: Mutex<Vec<String>>,
}

impl Watch {
    /// Starts both for these jobs.
    pub(super) async fn start(rig: &Rig, jobs: Vec<Job>) -> Result<Self> {
        // Whom it notifies is another matter: what it holds is looked at.
        let nobody = Receiver::at(String::from("http://127.0.0.1:9"));
        let alertmanager = Alertmanager::start("alertmanager", rig.dir(), nobody).await?;
        let settings = Settings { jobs, rules: text()?, pace: PACE, alertmanager: Some(alertmanager.addr()) };
        let prometheus = Prometheus::start("prometheus", rig.dir(), settings).await?;
        let alerts = alerts()?.into_iter().map(|alert| (alert.name.clone(), alert)).collect();
        Ok(Self { prometheus, alertmanager, alerts, rows: Mutex::default() })
    }

    /// Waits until Alertmanager holds these alerts, each within its time since `caused`, and notes how long each took.
    pub(super) async fn until_active(&self, fault: &str, caused: Instant, names: &[&str]) -> Result<()> {
        let mut missing: Vec<&Alert> = Vec::new();
        for name in names {
            missing.push(self.alerts.get(*name).with_context(|| format!("no alert {name}"))?);
        }
        let minutes = missing.iter().map(|alert| alert.minutes + WINDOW_MINUTES).max().unwrap_or_default();
        let limit = Duration::from_secs(minutes * SECONDS_A_MINUTE) + SLACK;
        let what = format!("{fault}: {names:?} at Alertmanager");
        let waited = poll::until(limit, &what, async || {
            let active = self.alertmanager.active().await?;
            missing.retain(|alert| {
                let reached = active.contains(&alert.name);
                if reached {
                    self.note(fault, alert, caused.elapsed());
                }
                !reached
            });
            Ok(missing.is_empty().then_some(()))
        });
        let waited = waited.await;
        let active = self.alertmanager.active().await?;
        waited.with_context(|| format!("without {missing:?}; active are {active:?}"))
    }

    /// Waits until Alertmanager holds none of these alerts any more.
    pub(super) async fn until_resolved(&self, names: &[&str]) -> Result<()> {
        let mut last = Vec::new();
        let what = format!("resolved: {names:?}");
        let waited = poll::until(RESOLVED, &what, async || {
            let active = self.alertmanager.active().await?;
            last = names.iter().filter(|name| active.contains(**name)).copied().collect();
            Ok(last.is_empty().then_some(()))
        });
        let waited = waited.await;
        waited.with_context(|| format!("still active: {last:?}"))
    }

    /// Waits until no alert is firing, nor held by Alertmanager.
    pub(super) async fn until_quiet(&self) -> Result<()> {
        let mut last = None;
        let waited = poll::until(RESOLVED, "no alert", async || {
            let (firing, active) = (self.prometheus.firing().await?, self.alertmanager.active().await?);
            let quiet = firing.is_empty() && active.is_empty();
            last = Some((firing, active));
            Ok(quiet.then_some(()))
        });
        let waited = waited.await;
        waited.with_context(|| format!("firing and active: {last:?}"))
    }

    fn note(&self, fault: &str, alert: &Alert, took: Duration) {
        let (name, severity, minutes) = (&alert.name, &alert.severity, alert.minutes);
        let row = format!("| {fault} | {name} | {severity} | {minutes} min | {:.1} s |\n", took.as_secs_f64());
        eprint!("{row}");
        self.rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(row);
    }

    /// The table of all faults so far.
    pub(super) fn table(&self) -> String {
        let mut table =
            String::from("| fault | alert | severity | `for` | at Alertmanager after |\n|---|---|---|---|---|\n");
        for row in self.rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
            let _ = write!(table, "{row}");
        }
        table
    }
}
