//! The labels of an alert that the rules read.

use std::borrow::Cow;

use super::label_table::{LabelRef, Slot};
use crate::json::Text;

/// More labels than most alerts have.
const USUAL: usize = 16;

/// A label with its value.
struct KnownLabel<'a> {
    label: LabelRef,
    value: Text<'a>,
}

/// The labels of an alert, found in one step. Cleared and used again for the next alert, so that no alert costs an
/// allocation.
pub(crate) struct KnownLabels<'a> {
    labels: Vec<KnownLabel<'a>>,
    /// For each label that a rule set reads the index of its value plus one; 0: the alert does not have it.
    indices: Box<[u16]>,
}

impl<'a> KnownLabels<'a> {
    /// Room for the labels of a rule set, of which there are `known`.
    pub(super) fn of(known: usize) -> Self {
        Self { labels: Vec::with_capacity(USUAL), indices: vec![0; known * LabelRef::FORMS].into() }
    }

    pub(crate) fn clear(&mut self) {
        for KnownLabel { label, .. } in self.labels.drain(..) {
            if let Some(index) = self.indices.get_mut(label.index()) {
                *index = 0;
            }
        }
    }

    /// Adds a label; `None` if it is there already.
    pub(crate) fn add(&mut self, label: LabelRef, value: Text<'a>) -> Option<()> {
        let index = self.indices.get_mut(label.index()).filter(|index| **index == 0)?;
        self.labels.push(KnownLabel { label, value });
        *index = u16::try_from(self.labels.len()).ok()?;
        Some(())
    }

    /// The value of a label, unless it is empty: an empty label counts as absent.
    pub(crate) fn get(&self, label: LabelRef) -> Option<&Cow<'a, str>> {
        let index = usize::from(*self.indices.get(label.index())?).checked_sub(1)?;
        self.labels.get(index).map(|known| &known.value.0).filter(|value| !value.is_empty())
    }

    /// The labels with their values, without empty ones.
    pub(super) fn iter(&self) -> impl Iterator<Item = (LabelRef, &Cow<'a, str>)> {
        self.labels.iter().map(|known| (known.label, &known.value.0)).filter(|(_, value)| !value.is_empty())
    }

    /// The labels that are there, with and without the prefix.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + Clone {
        self.labels.iter().map(|known| known.label.slot())
    }
}

#[cfg(test)]
mod tests {
    use super::KnownLabels;
    use crate::json::Text;
    use crate::rules::label_table::LabelTable;

    #[test]
    fn each_label_is_there_once_and_gone_after_a_clear() {
        let table = LabelTable::new(&["pod", "node"]);
        let mut known = KnownLabels::of(table.len());
        let [pod, exported] = ["pod", "exported_pod"].map(|name| table.get(name).unwrap());
        assert!(known.add(pod, Text("a".into())).is_some());
        assert!(known.add(exported, Text("b".into())).is_some());
        assert!(known.add(pod, Text("c".into())).is_none());
        assert_eq!(known.get(pod).map(|value| &**value), Some("a"));
        assert_eq!(known.get(exported).map(|value| &**value), Some("b"));
        assert_eq!(known.get(table.get("node").unwrap()), None);
        known.clear();
        assert_eq!((known.get(pod), known.iter().count()), (None, 0));
        assert!(known.add(pod, Text("".into())).is_some());
        assert_eq!(known.get(pod), None, "an empty label counts as absent");
    }
}
