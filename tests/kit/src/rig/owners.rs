//! Which replica counts an incident: affinity, as the record of API calls shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::Instant;

use super::running::Rig;
use crate::fault_proxy::{RR_STATUS, Verb};
use crate::payload::Incident;

/// How long Envoy's workers may take to learn what its main thread knows about the replicas.
const LIMIT: Duration = Duration::from_secs(60);
/// Rounds that are compared even if they take longer, on a loaded machine.
const MIN_ROUNDS: u64 = 5;

/// The replica that counted each incident, by the name of the Deployment that the incident is about.
pub type Owners = BTreeMap<String, String>;

impl Rig {
    /// The replica that counted each incident first in the calls from the number `since` on.
    pub fn counters(&self, incidents: &[Incident], since: usize) -> Owners {
        let calls = self.record().calls();
        let counts: Vec<_> = calls.iter().skip(since).filter(|call| call.is(Verb::Patch, RR_STATUS)).collect();
        let counter = |incident: &Incident| {
            let prefix = format!("rr-{}-", &incident.fingerprint().hex()[..12]);
            let count = counts.iter().find(|call| call.name.as_ref().is_some_and(|name| name.starts_with(&prefix)))?;
            Some((incident.deployment().to_owned(), count.replica.clone()))
        };
        incidents.iter().filter_map(counter).collect()
    }

    /// Sends the `n`-th alert of each incident to `url` until it is acknowledged; returns which replica counted it. Envoy
    /// returns 503 for a dead replica; nothing is counted then. Without a response the alert may count twice.
    ///
    /// # Errors
    /// If there is no response, or another one than 2xx and 503.
    pub async fn owners(&self, url: &str, incidents: &[Incident], n: u64) -> Result<Owners> {
        let mut owners = Owners::new();
        for incident in incidents {
            let before = self.record().calls().len();
            let began = Instant::now();
            let send = || self.client().clone().alert(url.to_owned(), incident.webhook(n));
            let mut response = send().await;
            // No response: Envoy closes connections of a certain age, and a request may be on its way.
            while response.as_ref().map_or(true, |response| response.status == 503) && began.elapsed() < LIMIT {
                response = send().await;
            }
            let response = response?;
            ensure!(response.status.is_success(), "{}: {}", response.status, response.text());
            // Of this incident alone: others may be counted at the same time.
            let counter = self.counters(std::slice::from_ref(incident), before).pop_first();
            let (deployment, replica) = counter.context("acknowledged, and no replica counted it")?;
            owners.insert(deployment, replica);
        }
        Ok(owners)
    }

    /// The owners, once two consecutive rounds agree and each of `live` replicas owns an incident: Envoy's workers learn
    /// about a replica after its main thread, which serves the admin page. Counts the rounds.
    ///
    /// # Errors
    /// Those of [`Rig::owners`], or if they still move after a minute and some rounds.
    pub async fn settled_owners(
        &self,
        url: &str,
        incidents: &[Incident],
        rounds: &mut u64,
        live: usize,
    ) -> Result<Owners> {
        let mut before = Owners::new();
        let (began, first) = (Instant::now(), *rounds);
        while began.elapsed() < LIMIT || *rounds - first < MIN_ROUNDS {
            let now = self.owners(url, incidents, *rounds).await?;
            *rounds += 1;
            if now == before && now.values().collect::<BTreeSet<_>>().len() == live {
                return Ok(now);
            }
            before = now;
        }
        bail!("incidents still move, or do not spread over {live} replicas, after {:?}: {before:?}", began.elapsed())
    }
}
