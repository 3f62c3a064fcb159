//! The labels that the rules read, each with a number. A webhook has many labels that no rule reads, so a lookup that fails
//! must be fast.

use crate::json::Text;

/// The number of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u16);

impl Slot {
    pub(super) const fn new(number: u16) -> Self {
        Self(number)
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A label of an alert: itself, or with the prefix that Prometheus gives to a metric's own label when the target of the
/// scrape has one of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LabelRef {
    pub(crate) slot: Slot,
    /// Whether it is `exported_<label>`.
    pub(crate) exported: bool,
}

/// A label that the rules read, with its value.
pub(crate) struct KnownLabel<'a> {
    pub(crate) label: LabelRef,
    pub(crate) value: Text<'a>,
}

const EXPORTED: &str = "exported_";
/// The end of a chain.
const NONE: u16 = u16::MAX;
const CHAINS: usize = 256;

/// From a label's name to its number.
#[derive(Clone, Debug)]
pub(super) struct LabelTable {
    names: Vec<Box<str>>,
    /// The first label of each chain, by [`chain`].
    heads: Box<[u16]>,
    /// For each label the next one of its chain.
    next: Vec<u16>,
}

impl LabelTable {
    /// A table of these labels, numbered from 0.
    pub(super) fn new(names: &[&str]) -> Self {
        let mut table = Self { names: Vec::new(), heads: vec![NONE; CHAINS].into(), next: Vec::new() };
        for name in names {
            table.intern(name);
        }
        table
    }

    /// The labels, by their numbers.
    pub(super) fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The number of labels in the table.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The label of this name, which is added if it is new. The caller bounds their number.
    pub(super) fn intern(&mut self, name: &str) -> LabelRef {
        let (base, exported) = name.strip_prefix(EXPORTED).map_or((name, false), |base| (base, true));
        let slot = self.slot(base).unwrap_or_else(|| self.add(base));
        LabelRef { slot, exported }
    }

    /// The label of this name, if a rule reads it.
    pub(super) fn get(&self, name: &str) -> Option<LabelRef> {
        if let Some(slot) = self.slot(name) {
            return Some(LabelRef { slot, exported: false });
        }
        Some(LabelRef { slot: self.slot(name.strip_prefix(EXPORTED)?)?, exported: true })
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        let mut at = *self.heads.get(chain(name.as_bytes()))?;
        loop {
            if **self.names.get(usize::from(at))? == *name {
                return Some(Slot(at));
            }
            at = *self.next.get(usize::from(at))?;
        }
    }

    fn add(&mut self, name: &str) -> Slot {
        let number = u16::try_from(self.names.len()).unwrap_or(NONE);
        let head = self.heads.get_mut(chain(name.as_bytes()));
        self.next.push(head.map_or(NONE, |head| std::mem::replace(head, number)));
        self.names.push(name.into());
        Slot(number)
    }
}

/// The chain of a name: from its length and two of its bytes, which is cheap. A chain is never longer than the table.
fn chain(name: &[u8]) -> usize {
    let first = name.first().copied().unwrap_or_default();
    let middle = name.get(name.len() / 2).copied().unwrap_or_default();
    let sum = usize::from(first) * 7 + usize::from(middle) * 31 + name.len() * 57;
    sum % CHAINS
}

#[cfg(test)]
mod tests {
    use super::LabelTable;

    #[test]
    fn a_label_is_found_by_its_name_alone_or_with_the_prefix_of_a_renamed_one() {
        let mut table = LabelTable::new(&["pod", "namespace"]);
        let node = table.intern("node");
        assert_eq!(table.get("node"), Some(node));
        assert_eq!(table.intern("node"), node);
        let exported = table.get("exported_node").unwrap();
        assert_eq!((exported.slot, exported.exported), (node.slot, true));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn other_labels_are_unknown() {
        let table = LabelTable::new(&["pod", "namespace"]);
        for name in ["", "po", "podd", "exported_", "exported_exported_pod", "Pod", "namespac"] {
            assert_eq!(table.get(name), None, "{name}");
        }
    }

    #[test]
    fn labels_of_one_chain_are_told_apart() {
        let names: Vec<String> = (0..1000).map(|n| format!("label_{n:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let table = LabelTable::new(&names);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(table.get(name).unwrap().slot.index(), number, "{name}");
        }
    }
}
