//! Values of labels that senders choose: a bounded number of them, because each is a time series for as long as the process
//! lives.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

/// The value of a label beyond its limit.
pub(super) const OTHER: &str = "other";

/// The values of one label: those that are always known, and the first ones that come, up to a limit.
#[derive(Debug)]
pub(super) struct BoundedValues {
    known: RwLock<HashSet<Arc<str>>>,
    other: Arc<str>,
    limit: usize,
}

impl BoundedValues {
    /// The values `always`, and `limit` more.
    pub(super) fn new(always: &[&str], limit: usize) -> Self {
        let known: HashSet<Arc<str>> = always.iter().map(|value| Arc::from(*value)).collect();
        let limit = known.len() + limit;
        Self { known: RwLock::new(known), other: OTHER.into(), limit }
    }

    /// The label's value for `text`: itself, or [`OTHER`] if there are too many others.
    pub(super) fn value(&self, text: &str) -> Arc<str> {
        // A panic elsewhere cannot leave a set of strings in a broken state.
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Arc::clone(known);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.limit && !known.contains(text) {
            return Arc::clone(&self.other);
        }
        let value: Arc<str> = text.into();
        known.insert(Arc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::{BoundedValues, OTHER};

    #[test]
    fn the_first_values_are_kept_and_the_rest_are_one() {
        let values = BoundedValues::new(&["critical"], 2);
        for text in ["a", "b", "a", "critical", "b"] {
            assert_eq!(&*values.value(text), text);
        }
        for text in ["c", "", "d"] {
            assert_eq!(&*values.value(text), OTHER);
        }
        assert_eq!((&*values.value("a"), &*values.value("critical")), ("a", "critical"));
    }
}
