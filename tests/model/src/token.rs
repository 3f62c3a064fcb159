//! Opaque names, and a hasher that ignores which name is which, as the protocol does.
//!
//! Versions, uids and identities are compared for equality and nothing else. Two states that differ only in these names
//! therefore behave alike, and exploring one of them is enough: the hasher replaces each name by its order of first
//! appearance. That removes most of the states and none of the behaviours.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The first character of every token, and of no other text.
const MARK: char = '#';

/// A token; `kind` is for readers only.
pub(crate) fn token(kind: char, number: u32) -> Arc<str> {
    format!("{MARK}{kind}{number}").into()
}

/// The identity of a process: the replica's index, and how often it has crashed.
pub(crate) fn identity(index: usize, incarnation: u8) -> Arc<str> {
    format!("{MARK}{index}_{incarnation}").into()
}

/// Hashes tokens by their order of first appearance, everything else by value.
#[derive(Clone, Default)]
pub(crate) struct Renaming {
    inner: DefaultHasher,
    seen: Vec<Box<[u8]>>,
    signals: Vec<usize>,
}

impl Renaming {
    /// Hashes a signal's number, likewise by order of first appearance. Returns whether it is new.
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
    fn the_names_of_tokens_make_no_difference() {
        let [a, b, c] = [1, 2, 3].map(|number| token('v', number));
        assert_eq!(hash((&a, &b, &a)), hash((&c, &a, &c)));
    }

    #[test]
    fn which_tokens_are_equal_makes_a_difference() {
        let [a, b] = [1, 2].map(|number| token('v', number));
        assert_ne!(hash((&a, &b, &a)), hash((&a, &b, &b)));
    }

    #[test]
    fn text_that_is_no_token_is_hashed_by_value() {
        assert_ne!(hash("rr-100"), hash("rr-101"));
    }
}
