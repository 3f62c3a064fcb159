//! The labels whose meaning the engine knows.

use super::defaults::{EXPORTER, PODS};
use super::label_table::{LabelRef, LabelTable, Slot};

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
    "cluster",
];
pub(crate) const ALERTNAME: LabelRef = LabelRef::plain(Slot::new(0));
pub(crate) const ALERT_NAME: LabelRef = LabelRef::plain(Slot::new(1));
pub(crate) const SEVERITY: LabelRef = LabelRef::plain(Slot::new(2));
pub(crate) const CLUSTER: LabelRef = LabelRef::plain(Slot::new(18));
pub(super) const NAMESPACE: Slot = Slot::new(3);
pub(super) const CONTAINER: Slot = Slot::new(4);
pub(super) const JOB: Slot = Slot::new(7);
pub(super) const SERVICE: Slot = Slot::new(8);
/// The slots of [`EXPORTER`].
const FIRST_EXPORTER: usize = 7;
/// The slots of [`PODS`].
const FIRST_POD: usize = FIRST_EXPORTER + EXPORTER.len();

/// The table of labels before any rule is compiled.
pub(super) fn fixed_labels() -> LabelTable {
    LabelTable::new(FIXED)
}

/// Whether the slot is one of [`PODS`].
pub(super) fn names_pod(slot: Slot) -> bool {
    (FIRST_POD..FIRST_POD + PODS.len()).contains(&slot.index())
}

/// Whether the label is about the scrape, so that without the prefix it never names an observer's victim: `container`,
/// `instance`, `endpoint` and those of [`EXPORTER`].
pub(super) fn is_of_scrape(slot: Slot) -> bool {
    (CONTAINER.index()..FIRST_POD).contains(&slot.index())
}

/// Whether the label is one of [`EXPORTER`].
pub(super) fn names_exporter(label: LabelRef) -> bool {
    !label.is_exported() && (FIRST_EXPORTER..FIRST_POD).contains(&label.slot().index())
}

/// Whether the label may name an observer: `container` or one of [`EXPORTER`].
pub(super) fn names_observer(label: LabelRef) -> bool {
    label == LabelRef::plain(CONTAINER) || names_exporter(label)
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER, CONTAINER, EXPORTER, FIRST_EXPORTER, FIRST_POD, FIXED, JOB, NAMESPACE, PODS, SERVICE};

    #[test]
    fn the_slots_are_those_of_the_table() {
        assert_eq!(FIXED[FIRST_EXPORTER..FIRST_POD], *EXPORTER);
        assert_eq!(FIXED[FIRST_POD..CLUSTER.slot().index()], *PODS);
        assert_eq!(FIXED[CLUSTER.slot().index()..], ["cluster"]);
        assert_eq!(FIXED[CONTAINER.index()..FIRST_EXPORTER], ["container", "instance", "endpoint"]);
        assert_eq!([NAMESPACE, JOB, SERVICE].map(|slot| FIXED[slot.index()]), ["namespace", "job", "service"]);
    }
}
