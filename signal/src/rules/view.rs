//! What the rules see of an alert's labels.
//!
//! An alert of an observer (an exporter that speaks about other objects) has labels of two kinds: the victim's, and those
//! of the scrape, which are the observer's own. Where both have one name, Prometheus renames the victim's to
//! `exported_<label>`, unless the scrape honors them. For an observer the renamed ones are believed, and for nobody else:
//! a workload could otherwise name an object of another namespace by a label of its metrics.

use std::borrow::Cow;

use super::clauses::ClauseSet;
use super::defaults::View;
use super::fixed_labels::{CONTAINER, JOB, NAMESPACE, SERVICE, is_of_scrape, names_exporter, names_pod};
use super::known_labels::KnownLabels;
use super::label_table::{LabelRef, Slot};
use super::memo::Memo;
use super::observers::Observer;
use super::pattern::Pattern;
use super::rule_set::RuleSet;

/// The labels of one alert.
pub(super) struct AlertLabels<'l, 'a> {
    known: &'l KnownLabels<'a>,
    observer: Option<Observer<'l>>,
    /// Whether the scrape renamed any label.
    exported: bool,
    /// Whether it renamed the victim's labels.
    renamed: bool,
}

impl<'l, 'a> AlertLabels<'l, 'a> {
    /// The labels, and the clauses whose first condition holds.
    pub(super) fn new(known: &'l KnownLabels<'a>, rules: &'l RuleSet, memo: &mut Memo<'a>) -> (Self, ClauseSet) {
        let mut labels = Self { known, observer: None, exported: false, renamed: false };
        let mut holding = rules.clauses.always();
        labels.recognise(rules, memo, &mut holding);
        for (label, _) in known.iter().filter(|(label, _)| !names_exporter(*label)) {
            labels.add_holding(LabelRef::plain(label.slot()), rules, memo, &mut holding);
            if label.is_exported() {
                labels.add_holding(label, rules, memo, &mut holding);
            }
        }
        (labels, holding)
    }

    /// Finds the observer that sent the metric, by the first label that names one. `container` counts only beside a label
    /// of the scrape: alone it is the container that the alert is about.
    fn recognise(&mut self, rules: &'l RuleSet, memo: &mut Memo<'a>, holding: &mut ClauseSet) {
        let (mut first, mut has_scrape): (Option<(Slot, u16)>, bool) = (None, false);
        for (label, value) in self.known.iter() {
            let slot = label.slot();
            if label.is_exported() {
                self.exported = true;
                self.renamed |= names_pod(slot) || [NAMESPACE, CONTAINER, SERVICE].contains(&slot);
            } else if names_exporter(label)
                && let Some(facts) = memo.facts(rules, label, value)
            {
                has_scrape |= [JOB, SERVICE].contains(&slot);
                rules.clauses.add_all(holding, &facts.clauses);
                if first.is_none_or(|(of, _)| slot < of) {
                    first = facts.observer.map(|observer| (slot, observer)).or(first);
                }
            }
        }
        let by_container = || {
            let container = self.plain(CONTAINER).filter(|_| has_scrape)?;
            memo.facts(rules, LabelRef::plain(CONTAINER), container)?.observer
        };
        let observer = first.map(|(_, observer)| observer).or_else(by_container);
        self.observer = observer.and_then(|observer| rules.observers.get(observer));
    }

    fn add_holding(&self, label: LabelRef, rules: &RuleSet, memo: &mut Memo<'a>, holding: &mut ClauseSet) {
        if rules.clauses.read(label)
            && let Some(value) = self.condition(label)
            && let Some(facts) = memo.facts(rules, label, value)
        {
            rules.clauses.add_all(holding, &facts.clauses);
        }
    }

    /// Whether the alert is an observer's.
    pub(super) fn is_of_observer(&self) -> bool {
        self.observer.is_some()
    }

    /// Whether any of the labels that name the exporter matches.
    pub(super) fn exporter_matches(&self, pattern: &Pattern) -> bool {
        self.known.iter().any(|(label, value)| names_exporter(label) && pattern.matches(value))
    }

    fn find(&self, label: LabelRef) -> Option<&'l Cow<'a, str>> {
        self.known.get(label)
    }

    fn plain(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        self.find(LabelRef::plain(slot))
    }

    /// The value that a condition compares.
    pub(super) fn condition(&self, label: LabelRef) -> Option<&'l Cow<'a, str>> {
        if label.is_exported() || is_of_scrape(label.slot()) {
            return self.find(label);
        }
        self.believed(label.slot()).or_else(|| self.find(label))
    }

    /// The value that names something.
    pub(super) fn value(&self, label: LabelRef, view: View) -> Option<&'l Cow<'a, str>> {
        match view {
            _ if label.is_exported() => self.find(label),
            View::AsSent => self.believed(label.slot()).or_else(|| self.find(label)),
            View::Victim => self.victim(label.slot()),
        }
    }

    /// The value without what is the observer's own.
    fn victim(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        let Some(observer) = &self.observer else { return self.plain(slot) };
        if let Some(value) = self.believed(slot) {
            return Some(value);
        }
        // All or none: if the scrape renamed any label of the victim, those that it did not rename are its own.
        if is_of_scrape(slot) || self.renamed && (slot == NAMESPACE || names_pod(slot)) {
            return None;
        }
        self.plain(slot).filter(|value| !(names_pod(slot) && observer.owns_pod(value)))
    }

    /// The renamed label, if the alert is an observer's.
    fn believed(&self, slot: Slot) -> Option<&'l Cow<'a, str>> {
        if self.exported && self.observer.is_some() { self.find(LabelRef::exported(slot)) } else { None }
    }
}
