//! What became of each signal, told by somebody who sees everything.

/// One signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    /// How many writes have counted it.
    pub(crate) counted: u8,
    /// Whether its sender was answered 2xx.
    pub(crate) acknowledged: bool,
}

impl Entry {
    /// Counted at most once, and once if it was acknowledged.
    #[must_use]
    pub(crate) const fn is_exact(self) -> bool {
        self.counted <= 1 && (self.counted == 1 || !self.acknowledged)
    }
}

/// All signals of a run, by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger(Vec<Entry>);

impl Ledger {
    /// A signal is sent; its number.
    pub(crate) fn enter(&mut self) -> usize {
        self.0.push(Entry::default());
        self.0.len() - 1
    }

    /// A write has counted these signals.
    pub(crate) fn count(&mut self, signals: &[usize]) {
        for signal in signals {
            self.0[*signal].counted += 1;
        }
    }

    /// The senders of these signals were answered 2xx.
    pub(crate) fn acknowledge(&mut self, signals: &[usize]) {
        for signal in signals {
            self.0[*signal].acknowledged = true;
        }
    }

    /// What is known of one.
    pub(crate) fn entry(&self, signal: usize) -> Entry {
        self.0[signal]
    }

    /// All, by number.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// What all RRs together should say.
    #[must_use]
    pub(crate) fn counted(&self) -> u32 {
        self.0.iter().map(|entry| u32::from(entry.counted)).sum()
    }
}
