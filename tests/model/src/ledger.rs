//! The true history of each signal, which no replica knows: how often it was counted, and whether it was acknowledged.

/// The history of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    /// How many writes have counted it.
    pub(crate) counted: u8,
    /// Whether its sender was answered 2xx.
    pub(crate) acknowledged: bool,
}

impl Entry {
    /// Counted at most once, and exactly once if acknowledged.
    #[must_use]
    pub(crate) const fn is_exact(self) -> bool {
        self.counted <= 1 && (self.counted == 1 || !self.acknowledged)
    }
}

/// All signals of a run, by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger(Vec<Entry>);

impl Ledger {
    /// Adds a signal and returns its number.
    pub(crate) fn enter(&mut self) -> usize {
        self.0.push(Entry::default());
        self.0.len() - 1
    }

    /// Records a write that counted these signals.
    pub(crate) fn count(&mut self, signals: &[usize]) {
        for signal in signals {
            self.0[*signal].counted += 1;
        }
    }

    /// Records that the senders of these signals were answered 2xx.
    pub(crate) fn acknowledge(&mut self, signals: &[usize]) {
        for signal in signals {
            self.0[*signal].acknowledged = true;
        }
    }

    /// The history of one signal.
    pub(crate) fn entry(&self, signal: usize) -> Entry {
        self.0[signal]
    }

    /// The history of all signals, by number.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The sum that the counts of all RRs must have.
    #[must_use]
    pub(crate) fn counted(&self) -> u32 {
        self.0.iter().map(|entry| u32::from(entry.counted)).sum()
    }
}
