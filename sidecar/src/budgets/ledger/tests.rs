use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use onceway_signal::Fingerprint;
use tokio::time::Instant;

use crate::metrics::BudgetUse;

use super::{Budget, Ended, Exceeded, Known, Ledger, Request};

/// An index: the namespace of each active incident.
#[derive(Default)]
struct Shown(RefCell<HashMap<Fingerprint, Arc<str>>>);

impl Shown {
    fn show(&self, request: &Request) {
        self.0.borrow_mut().insert(request.fingerprint, Arc::clone(&request.namespace));
    }
}

impl Known for Shown {
    fn is_active(&self, fingerprint: Fingerprint) -> bool {
        self.0.borrow().contains_key(&fingerprint)
    }
    fn active(&self) -> usize {
        self.0.borrow().len()
    }
    fn active_in(&self, namespace: &str) -> usize {
        self.0.borrow().values().filter(|of| &***of == namespace).count()
    }
    fn by_namespace(&self) -> HashMap<Arc<str>, usize> {
        let mut all = HashMap::new();
        for namespace in self.0.borrow().values() {
            *all.entry(Arc::from(&**namespace)).or_default() += 1;
        }
        all
    }
}

const NONE: Budget = Budget { active: 0, active_per_namespace: 0, new_per_minute: 0 };

fn request(number: u8, namespace: &str, sender: &str) -> Request {
    let fingerprint: Fingerprint = format!("{number:064x}").parse().unwrap();
    Request { fingerprint, namespace: namespace.into(), sender: sender.into() }
}

fn limit(result: Result<(), Exceeded>) -> &'static str {
    result.expect_err("a limit").limit
}

#[test]
fn incidents_count_once_whether_the_index_shows_them_yet_or_not() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active: 3, ..NONE });
    let incidents: Vec<_> = (0..5).map(|number| request(number, "prod", "a")).collect();
    for incident in &incidents[..3] {
        ledger.admit(incident, &shown, now).unwrap();
        ledger.end(incident.fingerprint, Ended::Created);
    }
    assert_eq!(limit(ledger.admit(&incidents[3], &shown, now)), "limits.maxActiveIncidents");
    for incident in &incidents[..3] {
        shown.show(incident);
    }
    assert_eq!(limit(ledger.admit(&incidents[3], &shown, now)), "limits.maxActiveIncidents");
    // One has ended.
    shown.0.borrow_mut().remove(&incidents[0].fingerprint);
    ledger.admit(&incidents[3], &shown, now).unwrap();
    assert_eq!(limit(ledger.admit(&incidents[4], &shown, now)), "limits.maxActiveIncidents");
}

#[test]
fn further_submissions_of_an_admitted_incident_are_not_limited() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active: 1, active_per_namespace: 1, new_per_minute: 1 });
    let incident = request(1, "prod", "a");
    for _ in 0..10 {
        ledger.admit(&incident, &shown, now).unwrap();
    }
    assert_eq!(limit(ledger.admit(&request(2, "prod", "a"), &shown, now)), "limits.maxActiveIncidents");
}

#[test]
fn a_namespace_that_used_its_budget_up_leaves_that_of_others() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active_per_namespace: 1, ..NONE });
    ledger.admit(&request(1, "prod", "a"), &shown, now).unwrap();
    assert_eq!(limit(ledger.admit(&request(2, "prod", "a"), &shown, now)), "limits.maxActiveIncidentsPerNamespace");
    ledger.admit(&request(3, "test", "a"), &shown, now).unwrap();
    ledger.admit(&request(4, "", "a"), &shown, now).unwrap();
    assert_eq!(limit(ledger.admit(&request(5, "", "a"), &shown, now)), "limits.maxActiveIncidentsPerNamespace");
}

#[test]
fn a_senders_new_incidents_of_the_last_minute_are_limited_and_it_is_told_how_long_to_wait() {
    let (shown, start) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { new_per_minute: 2, ..NONE });
    let second = Duration::from_secs(1);
    ledger.admit(&request(1, "prod", "a"), &shown, start).unwrap();
    ledger.admit(&request(2, "prod", "a"), &shown, start + 10 * second).unwrap();
    let exceeded = ledger.admit(&request(3, "prod", "a"), &shown, start + 20 * second).unwrap_err();
    assert_eq!(exceeded, Exceeded { limit: "limits.maxNewIncidentsPerMinute", retry_after: 40 * second });
    ledger.admit(&request(3, "prod", "b"), &shown, start + 20 * second).unwrap();
    ledger.admit(&request(4, "prod", "a"), &shown, start + 60 * second).unwrap();
    assert!(ledger.admit(&request(5, "prod", "a"), &shown, start + 60 * second).is_err());
}

#[test]
fn what_created_nothing_costs_no_budget() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active: 1, active_per_namespace: 1, new_per_minute: 1 });
    for number in 0..10 {
        let incident = request(number, "prod", "a");
        ledger.admit(&incident, &shown, now).unwrap();
        ledger.admit(&incident, &shown, now).unwrap();
        ledger.end(incident.fingerprint, Ended::Nothing);
        ledger.end(incident.fingerprint, Ended::Nothing);
    }
    assert!(ledger.admitted.is_empty() && ledger.namespaces.is_empty());
}

#[test]
fn a_refused_incident_is_not_active_but_one_of_the_senders_minute() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active: 1, new_per_minute: 3, ..NONE });
    for number in 0..3 {
        let incident = request(number, "prod", "a");
        ledger.admit(&incident, &shown, now).unwrap();
        ledger.end(incident.fingerprint, Ended::Refused);
    }
    assert_eq!(limit(ledger.admit(&request(3, "prod", "a"), &shown, now)), "limits.maxNewIncidentsPerMinute");
    ledger.admit(&request(3, "prod", "b"), &shown, now).unwrap();
}

#[test]
fn an_incident_that_one_of_its_submissions_created_costs_budget_though_the_others_created_nothing() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { new_per_minute: 1, ..NONE });
    let incident = request(1, "prod", "a");
    ledger.admit(&incident, &shown, now).unwrap();
    ledger.admit(&incident, &shown, now).unwrap();
    ledger.end(incident.fingerprint, Ended::Created);
    ledger.end(incident.fingerprint, Ended::Nothing);
    assert_eq!(limit(ledger.admit(&request(2, "prod", "a"), &shown, now)), "limits.maxNewIncidentsPerMinute");
}

#[test]
fn an_incident_that_the_index_never_shows_is_forgotten_and_memory_stays_small() {
    let (shown, start) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(NONE);
    for round in 0..100 {
        for number in 0..200 {
            let incident = request(number, &format!("ns-{number}"), &format!("s-{round}-{number}"));
            let now = start + Duration::from_secs(11) * round;
            ledger.admit(&incident, &shown, now).unwrap();
            ledger.end(incident.fingerprint, Ended::Created);
        }
    }
    assert!(
        ledger.order.len() <= 800 && ledger.admitted.len() <= 200,
        "{} {}",
        ledger.order.len(),
        ledger.admitted.len()
    );
    assert!(ledger.senders.len() <= super::MAX_SENDERS.get());
}

#[test]
fn the_use_of_each_budget_is_that_of_the_fullest_namespace_and_the_busiest_sender() {
    let (shown, now) = (Shown::default(), Instant::now());
    let mut ledger = Ledger::new(Budget { active: 10, active_per_namespace: 0, new_per_minute: 5 });
    let [first, second] = [request(1, "prod", "a"), request(2, "prod", "a")];
    for incident in [&first, &second, &request(3, "test", "b")] {
        ledger.admit(incident, &shown, now).unwrap();
        ledger.end(incident.fingerprint, Ended::Created);
    }
    // One that the index shows is not counted twice.
    shown.show(&first);
    let usage = |ledger: &mut Ledger, now| ledger.usage(&shown, now).map(|BudgetUse { used, of, .. }| (used, of));
    assert_eq!(usage(&mut ledger, now), [(3, Some(10)), (2, None), (2, Some(5))]);
    assert_eq!(usage(&mut ledger, now + Duration::from_secs(61)), [(1, Some(10)), (1, None), (0, Some(5))]);
}
