//! Exporters that speak about other objects.

use super::pattern::{Form, Letters, Pattern};
use crate::target::workload_of;

/// All observers, found by a value's first or last byte: they are compared with the labels of every alert.
#[derive(Clone, Debug)]
pub(super) struct Observers {
    observers: Vec<Box<[Pattern]>>,
    by_first: Box<[Vec<Place>]>,
    by_last: Box<[Vec<Place>]>,
    /// Patterns that fix neither end.
    others: Vec<Place>,
}

/// One pattern of one observer.
#[derive(Clone, Copy, Debug)]
struct Place {
    observer: u16,
    pattern: u16,
}

/// One observer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observer<'r>(&'r [Pattern]);

impl Observers {
    /// Observers with their patterns; of two that match, the first counts.
    pub(super) fn new(observers: Vec<Box<[Pattern]>>) -> Self {
        let chains = || vec![Vec::new(); 256].into_boxed_slice();
        let (mut by_first, mut by_last, mut others) = (chains(), chains(), Vec::new());
        for (observer, patterns) in observers.iter().enumerate() {
            for (pattern, text) in patterns.iter().enumerate() {
                let place = Place { observer: number(observer), pattern: number(pattern) };
                let bytes = text.text().as_bytes();
                let chain = match text.form() {
                    Form::Exact | Form::Prefix => by_first.get_mut(end(bytes.first())),
                    Form::Suffix => by_last.get_mut(end(bytes.last())),
                    Form::Contains => None,
                };
                chain.unwrap_or(&mut others).push(place);
            }
        }
        Self { observers, by_first, by_last, others }
    }

    /// The number of the observer that this value, which has these letters, names.
    pub(super) fn find(&self, value: &str, letters: Letters) -> Option<u16> {
        let bytes = value.as_bytes();
        let first = self.by_first.get(end(bytes.first())).into_iter().flatten();
        let last = self.by_last.get(end(bytes.last())).into_iter().flatten();
        let places = first.chain(last).chain(&self.others);
        let matching =
            places.filter(|place| self.pattern(**place).is_some_and(|pattern| pattern.matches_with(value, letters)));
        matching.map(|place| place.observer).min()
    }

    /// The observer of this number.
    pub(super) fn get(&self, observer: u16) -> Option<Observer<'_>> {
        self.observers.get(usize::from(observer)).map(|patterns| Observer(patterns))
    }

    /// The patterns, for the digest.
    pub(super) fn patterns(&self) -> &[Box<[Pattern]>] {
        &self.observers
    }

    fn pattern(&self, place: Place) -> Option<&Pattern> {
        self.observers.get(usize::from(place.observer))?.get(usize::from(place.pattern))
    }
}

impl Observer<'_> {
    /// Whether a pod of this name is the observer's own: its workload has one of the observer's names.
    pub(super) fn owns_pod(&self, pod: &str) -> bool {
        // The workload's name is the beginning of the pod's: most pods are ruled out without it.
        let letters = Letters::of(pod);
        let mut possible = self.0.iter().filter(|pattern| pattern.is_possible(letters)).peekable();
        if possible.peek().is_none() {
            return false;
        }
        let workload = workload_of(pod).map_or(pod, |(_, name)| name);
        possible.any(|pattern| pattern.matches(workload))
    }
}

fn end(byte: Option<&u8>) -> usize {
    usize::from(byte.copied().unwrap_or_default())
}

/// The compiler bounds the numbers of both.
fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}
