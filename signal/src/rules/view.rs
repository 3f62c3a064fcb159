//! What the rules see of an alert's labels.
//!
//! An alert of an observer (an exporter that speaks about other objects) has labels of two kinds: the victim's, and those
//! of the scrape, which are the observer's own. Where both have one name, Prometheus renames the victim's to
//! `exported_<label>`, unless the scrape honors them. For an observer the renamed ones are believed, and for nobody else:
//! a workload could otherwise name an object of another namespace by a label of its metrics.

use std::borrow::Cow;

use super::defaults::{EXPORTER, PODS, View};
use super::known_labels::KnownLabels;
use super::label_table::{LabelRef, LabelTable, Slot};
use super::observers::{Observer, Observers};
use super::pattern::{Letters, Pattern};

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
pub(crate) const ALERTNAME: LabelRef = LabelRef::plain(Slot::new(0));
pub(crate) const ALERT_NAME: LabelRef = LabelRef::plain(Slot::new(1));
pub(crate) const SEVERITY: LabelRef = LabelRef::plain(Slot::new(2));
const NAMESPACE: Slot = Slot::new(3);
const CONTAINER: Slot = Slot::new(4);
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

/// Whether the label is about the scrape, so that without the prefix it never names an observer's victim: `container`,
/// `instance`, `endpoint` and those of [`EXPORTER`].
fn is_of_scrape(slot: Slot) -> bool {
    (CONTAINER.index()..FIRST_POD).contains(&slot.index())
}

/// The labels of one alert.
pub(super) struct AlertLabels<'l, 'a> {
    known: &'l KnownLabels<'a>,
    /// The values that name the exporter, with their letters, in the order of the body; the first `exporters` are there.
    names: [(&'l str, Letters); EXPORTER.len()],
    exporters: usize,
    observer: Option<Observer<'l>>,
    /// Whether the scrape renamed any label.
    exported: bool,
    /// Whether it renamed the victim's labels.
    renamed: bool,
}

impl<'l, 'a> AlertLabels<'l, 'a> {
    pub(super) fn new(known: &'l KnownLabels<'a>, observers: &'l Observers) -> Self {
        let mut labels = Self {
            known,
            names: [("", Letters::of("")); EXPORTER.len()],
            exporters: 0,
            observer: None,
            exported: false,
            renamed: false,
        };
        labels.recognise(observers);
        labels
    }

    /// Finds the observer that sent the metric, by the first label that names one. `container` counts only beside a label
    /// of the scrape: alone it is the container that the alert is about.
    fn recognise(&mut self, observers: &'l Observers) {
        let (mut first, mut has_scrape): (Option<(Slot, Observer<'l>)>, bool) = (None, false);
        for (label, value) in self.known.iter().filter(|(_, value)| !value.is_empty()) {
            let slot = label.slot();
            if label.is_exported() {
                self.exported = true;
                self.renamed |= names_pod(slot) || [NAMESPACE, CONTAINER, SERVICE].contains(&slot);
                continue;
            }
            if !(FIRST_EXPORTER..FIRST_POD).contains(&slot.index()) {
                continue;
            }
            has_scrape |= [JOB, SERVICE].contains(&slot);
            let letters = Letters::of(value);
            // A label is there only once.
            if let Some(name) = self.names.get_mut(self.exporters) {
                *name = (value, letters);
                self.exporters += 1;
            }
            if first.as_ref().is_none_or(|(of, _)| slot < *of)
                && let Some(observer) = observers.find(value, letters)
            {
                first = Some((slot, observer));
            }
        }
        let by_container = || {
            let container = self.plain(CONTAINER).filter(|_| has_scrape)?;
            observers.find(container, Letters::of(container))
        };
        self.observer = first.map(|(_, observer)| observer).or_else(by_container);
    }

    /// Whether the alert is an observer's.
    pub(super) fn is_of_observer(&self) -> bool {
        self.observer.is_some()
    }

    /// Whether any of the labels that name the exporter matches.
    pub(super) fn exporter_matches(&self, pattern: &Pattern) -> bool {
        self.names.iter().take(self.exporters).any(|(name, letters)| pattern.matches_with(name, *letters))
    }

    fn find(&self, label: LabelRef) -> Option<&'l Cow<'a, str>> {
        self.known.get(label)
    }

    fn plain(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        self.find(LabelRef::plain(slot))
    }

    /// The value that a condition compares.
    pub(super) fn condition(&self, label: LabelRef) -> Option<&'l Cow<'a, str>> {
        if label.is_exported() || is_of_scrape(label.slot()) {
            return self.find(label);
        }
        self.believed(label.slot()).or_else(|| self.find(label))
    }

    /// The value that names something.
    pub(super) fn value(&self, label: LabelRef, view: View) -> Option<&'l Cow<'a, str>> {
        match view {
            _ if label.is_exported() => self.find(label),
            View::AsSent => self.believed(label.slot()).or_else(|| self.find(label)),
            View::Victim => self.victim(label.slot()),
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
        if self.exported && self.observer.is_some() { self.find(LabelRef::exported(slot)) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTAINER, EXPORTER, FIRST_EXPORTER, FIRST_POD, FIXED, JOB, NAMESPACE, PODS, SERVICE};

    #[test]
    fn the_slots_are_those_of_the_table() {
        assert_eq!(FIXED[FIRST_EXPORTER..FIRST_POD], *EXPORTER);
        assert_eq!(FIXED[FIRST_POD..], *PODS);
        assert_eq!(FIXED[CONTAINER.index()..FIRST_EXPORTER], ["container", "instance", "endpoint"]);
        assert_eq!([NAMESPACE, JOB, SERVICE].map(|slot| FIXED[slot.index()]), ["namespace", "job", "service"]);
    }
}
