//! What the rules see of an alert's labels.
//!
//! An alert of an observer (an exporter that speaks about other objects) has labels of two kinds: the victim's, and those
//! of the scrape, which are the observer's own. Where both have one name, Prometheus renames the victim's to
//! `exported_<label>`, unless the scrape honors them. For an observer the renamed ones are believed, and for nobody else:
//! a workload could otherwise name an object of another namespace by a label of its metrics.

use std::borrow::Cow;

use super::defaults::{EXPORTER, PODS, View};
use super::label_table::{KnownLabel, LabelRef, LabelTable, Slot};
use super::observers::{Observer, Observers};

/// The labels whose meaning the engine knows, in the order of their slots.
pub(super) const FIXED: &[&str] = &[
    "alertname",
    "alert_name",
    "severity",
    "namespace",
    "container",
    "instance",
    "endpoint",
    "job",
    "service",
    "app_kubernetes_io_name",
    "kubernetes_name",
    "component",
    "app",
    "k8s_app",
    "pod",
    "pod_name",
    "kubernetes_pod_name",
    "k8s_pod_name",
];
pub(crate) const ALERTNAME: Slot = Slot::new(0);
pub(crate) const ALERT_NAME: Slot = Slot::new(1);
pub(crate) const SEVERITY: Slot = Slot::new(2);
const NAMESPACE: Slot = Slot::new(3);
const CONTAINER: Slot = Slot::new(4);
const INSTANCE: Slot = Slot::new(5);
const ENDPOINT: Slot = Slot::new(6);
const JOB: Slot = Slot::new(7);
const SERVICE: Slot = Slot::new(8);
/// The slots of [`EXPORTER`].
const FIRST_EXPORTER: usize = 7;
/// The slots of [`PODS`].
const FIRST_POD: usize = FIRST_EXPORTER + EXPORTER.len();

/// The table of labels before any rule is compiled.
pub(super) fn fixed_labels() -> LabelTable {
    LabelTable::new(FIXED)
}

/// Whether the slot is one of [`PODS`].
fn names_pod(slot: Slot) -> bool {
    (FIRST_POD..FIRST_POD + PODS.len()).contains(&slot.index())
}

/// Whether the label is about the scrape, so that without the prefix it never names an observer's victim.
fn is_of_scrape(slot: Slot) -> bool {
    [CONTAINER, INSTANCE, ENDPOINT].contains(&slot) || (FIRST_EXPORTER..FIRST_POD).contains(&slot.index())
}

/// The labels of one alert.
pub(super) struct AlertLabels<'l, 'a> {
    known: &'l [KnownLabel<'a>],
    observer: Option<Observer<'l>>,
    /// Whether the scrape renamed the victim's labels.
    renamed: bool,
}

impl<'l, 'a> AlertLabels<'l, 'a> {
    pub(super) fn new(known: &'l [KnownLabel<'a>], observers: &'l Observers) -> Self {
        let renames = |label: LabelRef| {
            label.exported && (names_pod(label.slot) || [NAMESPACE, CONTAINER, SERVICE].contains(&label.slot))
        };
        let renamed = known.iter().any(|known| renames(known.label) && !known.value.0.is_empty());
        let mut labels = Self { known, observer: None, renamed };
        labels.observer = labels.recognise(observers);
        labels
    }

    /// The observer that sent the metric, by the first label that names one. `container` counts only beside a label of the
    /// scrape: alone it is the container that the alert is about.
    fn recognise(&self, observers: &'l Observers) -> Option<Observer<'l>> {
        let (mut first, mut has_scrape): (Option<(Slot, Observer<'l>)>, bool) = (None, false);
        for KnownLabel { label, value } in self.known {
            if label.exported || !(FIRST_EXPORTER..FIRST_POD).contains(&label.slot.index()) {
                continue;
            }
            has_scrape |= [JOB, SERVICE].contains(&label.slot);
            if first.as_ref().is_none_or(|(slot, _)| label.slot < *slot)
                && let Some(observer) = observers.find(&value.0)
            {
                first = Some((label.slot, observer));
            }
        }
        let by_container = || observers.find(self.plain(CONTAINER)?);
        first.map(|(_, observer)| observer).or_else(|| by_container().filter(|_| has_scrape))
    }

    /// Whether the alert is an observer's.
    pub(super) fn is_of_observer(&self) -> bool {
        self.observer.is_some()
    }

    fn find(&self, slot: Slot, exported: bool) -> Option<&'l Cow<'a, str>> {
        let label = LabelRef { slot, exported };
        self.known
            .iter()
            .find(|known| known.label == label)
            .map(|known| &known.value.0)
            .filter(|value| !value.is_empty())
    }

    fn plain(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        self.find(slot, false)
    }

    /// The value that a condition compares.
    pub(super) fn condition(&self, label: LabelRef) -> Option<&'l Cow<'a, str>> {
        if label.exported || is_of_scrape(label.slot) {
            return self.find(label.slot, label.exported);
        }
        self.believed(label.slot).or_else(|| self.plain(label.slot))
    }

    /// The value that names something.
    pub(super) fn value(&self, label: LabelRef, view: View) -> Option<&'l Cow<'a, str>> {
        match view {
            _ if label.exported => self.find(label.slot, true),
            View::AsSent => self.believed(label.slot).or_else(|| self.plain(label.slot)),
            View::Victim => self.victim(label.slot),
        }
    }

    /// The value without what is the observer's own.
    fn victim(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        let Some(observer) = &self.observer else { return self.plain(slot) };
        if let Some(value) = self.believed(slot) {
            return Some(value);
        }
        // All or none: if the scrape renamed any label of the victim, those that it did not rename are its own.
        if is_of_scrape(slot) || self.renamed && (slot == NAMESPACE || names_pod(slot)) {
            return None;
        }
        self.plain(slot).filter(|value| !(names_pod(slot) && observer.owns_pod(value)))
    }

    /// The renamed label, if the alert is an observer's.
    fn believed(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        self.observer.as_ref().and_then(|_| self.find(slot, true))
    }

    /// The labels, for the choice of rules to try.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.known.iter().map(|known| known.label.slot)
    }
}
