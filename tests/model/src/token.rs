//! Opaque names, and a hasher that tells states apart only as far as the protocol can.
//!
//! Versions, uids and identities are compared for equality and nothing else. Two states that differ only in what these are
//! called therefore behave alike, and exploring one of them is enough: the hasher calls them by the order in which
//! they appear. That takes most of the states away and none of the behaviours.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What a token begins with, and nothing else does.
const MARK: char = '#';

/// A token: `kind` is for people who read it.
pub(crate) fn token(kind: char, number: u32) -> Arc<str> {
    format!("{MARK}{kind}{number}").into()
}

/// The identity of a process: the replica's index, and how often it had crashed before.
pub(crate) fn identity(index: usize, incarnation: u8) -> Arc<str> {
    format!("{MARK}{index}_{incarnation}").into()
}

/// Hashes tokens by the order in which they appear, all else by what it is.
#[derive(Clone, Default)]
pub(crate) struct Renaming {
    inner: DefaultHasher,
    seen: Vec<Box<[u8]>>,
    signals: Vec<usize>,
}

impl Renaming {
    /// Hashes a signal's number, likewise by the order of appearance. Whether it is new.
    pub(crate) fn signal(&mut self, signal: usize) -> bool {
        let known = self.signals.iter().position(|seen| *seen == signal);
        known.unwrap_or(self.signals.len()).hash(&mut self.inner);
        if known.is_none() {
            self.signals.push(signal);
        }
        known.is_none()
    }

    /// Whether this signal has appeared.
    pub(crate) fn has_signal(&self, signal: usize) -> bool {
        self.signals.contains(&signal)
    }
}

impl Hasher for Renaming {
    fn finish(&self) -> u64 {
        self.inner.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        if bytes.first() != Some(&(MARK as u8)) {
            return self.inner.write(bytes);
        }
        let known = self.seen.iter().position(|seen| **seen == *bytes);
        self.inner.write_usize(known.unwrap_or(self.seen.len()));
        if known.is_none() {
            self.seen.push(bytes.into());
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.inner.write_u8(value);
    }

    fn write_u16(&mut self, value: u16) {
        self.inner.write_u16(value);
    }

    fn write_u32(&mut self, value: u32) {
        self.inner.write_u32(value);
    }

    fn write_u64(&mut self, value: u64) {
        self.inner.write_u64(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.inner.write_usize(value);
    }

    fn write_isize(&mut self, value: isize) {
        self.inner.write_isize(value);
    }
}

#[cfg(test)]
mod tests {
    use super::{Renaming, token};
    use std::hash::{Hash, Hasher};

    fn hash(value: impl Hash) -> u64 {
        let mut hasher = Renaming::default();
        value.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn what_tokens_are_called_makes_no_difference() {
        let [a, b, c] = [1, 2, 3].map(|number| token('v', number));
        assert_eq!(hash((&a, &b, &a)), hash((&c, &a, &c)));
    }

    #[test]
    fn which_tokens_are_the_same_makes_a_difference() {
        let [a, b] = [1, 2].map(|number| token('v', number));
        assert_ne!(hash((&a, &b, &a)), hash((&a, &b, &b)));
    }

    #[test]
    fn what_is_no_token_is_hashed_as_it_is() {
        assert_ne!(hash("rr-100"), hash("rr-101"));
    }
}
