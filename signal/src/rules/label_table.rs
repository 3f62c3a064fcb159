//! The labels that the rules read, each with a number. A webhook has many labels that no rule reads, so a lookup that fails
//! must be fast.

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
/// scrape has one of that name. Twice the slot, plus one for the prefix: one comparison tells two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LabelRef(u16);

impl LabelRef {
    pub(crate) const fn plain(slot: Slot) -> Self {
        Self(slot.0 * 2)
    }

    /// `exported_<label>`
    pub(crate) const fn exported(slot: Slot) -> Self {
        Self(slot.0 * 2 + 1)
    }

    pub(super) const fn slot(self) -> Slot {
        Slot(self.0 / 2)
    }

    /// The number of references to one slot.
    pub(super) const FORMS: usize = 2;

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(super) const fn is_exported(self) -> bool {
        self.0 % 2 == 1
    }
}

const EXPORTED: &str = "exported_";
/// The end of a chain.
const NONE: u16 = u16::MAX;
const CHAINS: usize = 256;

/// From a label's name to its number.
#[derive(Clone, Debug)]
pub(super) struct LabelTable {
    names: Vec<Box<str>>,
    keys: Vec<Key>,
    /// The first label of each chain.
    heads: Box<[u16]>,
    /// For each label the next one of its chain.
    next: Vec<u16>,
}

/// Length, beginning and end of a name: of a short name all of it. To compare them is cheaper than to compare strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    length: usize,
    begin: u64,
    end: u64,
}

/// The longest name that its [`Key`] determines.
const MAX_IN_KEY: usize = 16;

impl Key {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (begin, end) = match (bytes.first_chunk(), bytes.last_chunk()) {
            (Some(begin), Some(end)) => (u64::from_le_bytes(*begin), u64::from_le_bytes(*end)),
            _ => (bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
        };
        Self { length: bytes.len(), begin, end }
    }

    /// The chain of a name. A chain is never longer than the table.
    fn chain(self) -> usize {
        let mixed = (self.begin ^ self.end.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 56) as usize % CHAINS
    }
}

impl LabelTable {
    /// A table of these labels, numbered from 0.
    pub(super) fn new(names: &[&str]) -> Self {
        let heads = vec![NONE; CHAINS].into();
        let mut table = Self { names: Vec::new(), keys: Vec::new(), heads, next: Vec::new() };
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
        if exported { LabelRef::exported(slot) } else { LabelRef::plain(slot) }
    }

    /// The label of this name, if a rule reads it.
    pub(super) fn get(&self, name: &str) -> Option<LabelRef> {
        if let Some(slot) = self.slot(name) {
            return Some(LabelRef::plain(slot));
        }
        name.strip_prefix(EXPORTED).and_then(|base| self.slot(base)).map(LabelRef::exported)
    }

    fn slot(&self, name: &str) -> Option<Slot> {
        let key = Key::of(name);
        let mut at = *self.heads.get(key.chain())?;
        loop {
            let index = usize::from(at);
            let is_same = *self.keys.get(index)? == key;
            if is_same && (key.length <= MAX_IN_KEY || self.names.get(index).is_some_and(|own| **own == *name)) {
                return Some(Slot(at));
            }
            at = *self.next.get(index)?;
        }
    }

    fn add(&mut self, name: &str) -> Slot {
        let (number, key) = (u16::try_from(self.names.len()).unwrap_or(NONE), Key::of(name));
        let head = self.heads.get_mut(key.chain());
        self.next.push(head.map_or(NONE, |head| std::mem::replace(head, number)));
        self.names.push(name.into());
        self.keys.push(key);
        Slot(number)
    }
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
        assert_eq!((exported.slot(), exported.is_exported()), (node.slot(), true));
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
        let short = (0..1000).map(|n| format!("label_{n:04}"));
        // Equal at both ends.
        let long = (0..1000).map(|n| format!("beginning_{n:04}_end_of_it"));
        let names: Vec<String> = short.chain(long).chain((0..20).map(|n| "x".repeat(n))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let table = LabelTable::new(&names);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(table.get(name).unwrap().slot().index(), number, "{name}");
        }
    }
}
