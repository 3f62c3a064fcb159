//! From the object that a signal names to the workload at the end of its chain of controllers: which read follows from what is
//! known, and what is known at each moment. Pure: `lookup` makes the reads.

use std::collections::VecDeque;
use std::sync::Arc;

use onceway_signal::Resource;

use super::derive::{referenced, with_api_version};
use super::named::Named;
use super::read::{Controller, Metadata, ObjectRef, Unread};
use crate::rr::TargetResource;

/// Objects that are read for one RR at most: a chain of references could be a circle.
const MAX_READS: usize = 8;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the RR names.
    pub target: TargetResource,
    /// How it was found.
    pub how: How,
    /// The value of the scope's label, if one of the objects that were read has it: of the workload, else of the object nearest to
    /// it.
    pub managed: Option<bool>,
}

/// How a target was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was read: it exists.
    Verified,
    /// An object that exists names it as its controller; it is of a kind that is not read.
    Referenced,
    /// The object is gone, and the workload that its name implies exists.
    Implied,
    /// It is of a kind that is not read, or is not to be looked for.
    Named,
    /// By its name alone, as configured.
    Derived,
    /// It exists nowhere: the object and everything that its name may imply were looked for.
    Missing,
    /// The right to read is missing; by names alone.
    NoRight,
    /// The time was up; the best that was known.
    Late,
    /// A read failed; the best that was known.
    Failed,
}

impl How {
    /// The metrics' label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Referenced => "referenced",
            Self::Implied => "implied",
            Self::Named => "named",
            Self::Derived => "derived",
            Self::Missing => "missing",
            Self::NoRight => "no_right",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }

    /// Whether something that matters could not be read: another attempt may find more.
    pub fn is_uncertain(self) -> bool {
        matches!(self, Self::NoRight | Self::Late | Self::Failed)
    }
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read this object, and resume.
    Read(ObjectRef),
    /// The end.
    Done(Found),
}

/// A search for the workload.
pub(super) struct Chain {
    named: Named,
    /// The scope's label.
    label: Option<Arc<str>>,
    /// What its name may imply, the likeliest first: looked for where an object does not exist.
    candidates: VecDeque<ObjectRef>,
    /// The last object that exists.
    last: Option<ObjectRef>,
    /// How [`Self::last`] was found.
    how: How,
    /// The best that is known so far.
    best: TargetResource,
    managed: Option<bool>,
    reads: usize,
}

impl Chain {
    /// Begins with what the signal says; `label` is the scope's.
    pub(super) fn begin(named: Named, label: Option<Arc<str>>) -> (Self, Step) {
        let (best, candidates) = (named.derived(), candidates(&named));
        let first = ObjectRef::of(&named.object);
        let mut chain =
            Self { named, label, candidates, last: None, how: How::Verified, best, managed: None, reads: 0 };
        let step = match first {
            Some(object) => chain.read(object),
            None => chain.done(How::Named),
        };
        (chain, step)
    }

    /// Goes on with what was read of `object`.
    pub(super) fn resume(&mut self, object: ObjectRef, read: Result<Option<Metadata>, Unread>) -> Step {
        match read {
            Ok(Some(metadata)) => self.exists(object, metadata),
            Ok(None) => self.is_missing(&object),
            Err(Unread::NoRight) => self.done(How::NoRight),
            Err(Unread::Failed(_)) => self.done(How::Failed),
        }
    }

    /// The best that is known, where no more is to be read.
    pub(super) fn done(&self, how: How) -> Step {
        Step::Done(self.found(how))
    }

    pub(super) fn found(&self, how: How) -> Found {
        Found { target: self.best.clone(), how, managed: self.managed }
    }

    fn exists(&mut self, object: ObjectRef, metadata: Metadata) -> Step {
        let Metadata { controller, labels } = metadata;
        let value = self.label.as_ref().and_then(|label| labels.get(&**label));
        self.managed = value.and_then(|value| value.parse().ok()).or(self.managed);
        self.best = object.target();
        let namespace = object.namespace.clone();
        self.last = Some(object);
        let Some(controller) = controller.filter(|controller| !controller.is_cluster_scoped()) else {
            return self.done(self.how);
        };
        self.best = reduced(&controller, namespace.as_deref());
        let Controller { kind, name, api_version } = &controller;
        match ObjectRef::new(kind, api_version.as_deref(), namespace.as_deref(), name) {
            Some(next) if self.reads < MAX_READS => self.read(next),
            _ => {
                self.best = referenced(&controller, namespace.as_deref());
                self.done(How::Referenced)
            }
        }
    }

    fn is_missing(&mut self, object: &ObjectRef) -> Step {
        self.candidates.retain(|candidate| candidate != object);
        if self.reads < MAX_READS
            && let Some(candidate) = self.candidates.pop_front()
        {
            if self.last.is_none() {
                self.how = How::Implied;
            }
            return self.read(candidate);
        }
        // A controller that is gone leaves the object that refers to it.
        match &self.last {
            Some(last) => {
                self.best = last.target();
                self.done(self.how)
            }
            None => {
                self.best = with_api_version(self.named.object.clone());
                self.done(How::Missing)
            }
        }
    }

    fn read(&mut self, object: ObjectRef) -> Step {
        self.reads += 1;
        Step::Read(object)
    }
}

/// A controller, or the workload that its own generated name tells.
fn reduced(controller: &Controller, namespace: Option<&str>) -> TargetResource {
    let Controller { kind, name, api_version } = controller;
    let resource = Resource {
        kind: kind.as_str().into(),
        name: name.as_str().into(),
        namespace: namespace.map(Into::into),
        api_version: api_version.as_deref().map(Into::into),
    };
    let target = resource.target();
    if (&*target.kind, &*target.name) == (kind.as_str(), name.as_str()) {
        return referenced(controller, namespace);
    }
    let owner = Controller { kind: target.kind.into_owned(), name: target.name.into_owned(), api_version: None };
    referenced(&owner, namespace)
}

/// What the name of an object implies that may be gone, the likeliest first.
fn candidates(named: &Named) -> VecDeque<ObjectRef> {
    let Named { object, owner, implied, .. } = named;
    let namespace = object.namespace.as_deref();
    let of = |kind: &str, name: &str| ObjectRef::new(kind, None, namespace, name);
    let stated = owner.as_ref();
    let stated =
        stated.and_then(|owner| ObjectRef::new(&owner.kind, owner.api_version.as_deref(), namespace, &owner.name));
    let implied_ref = implied.as_ref().and_then(|(kind, name)| of(kind, name));
    // A pod is named after its direct controller, which may outlive it, and may be of another kind than its name tells.
    let base = object.name.rsplit_once('-').map(|(base, _)| base).filter(|_| object.kind == "Pod");
    let direct: &[&str] = match implied.as_ref().map(|(kind, _)| kind.as_str()) {
        Some("Deployment") => &["ReplicaSet"],
        Some("CronJob") => &["Job"],
        Some("DaemonSet") => &["Job", "ReplicaSet"],
        _ => &[],
    };
    let direct = direct.iter().filter_map(|kind| of(kind, base?));
    // Its owner by its own words comes before what names tell.
    let mut candidates: VecDeque<ObjectRef> = VecDeque::new();
    for candidate in stated.into_iter().chain(implied_ref).chain(direct) {
        if !candidates.contains(&candidate) {
            candidates.push_back(candidate);
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
