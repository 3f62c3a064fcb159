//! Which owner a body goes to: one, or several with a partition each.

use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::rules::Rules;
use onceway_signal::{DecodeError, Fingerprint, Group, Origin, PartialPayload, Payload, decode};

/// Where a body goes.
#[derive(Debug)]
pub enum Affinity {
    /// One incident fires: the whole body goes to its owner. If none fires, the first incident decides.
    One(Fingerprint),
    /// Several incidents fire: each owner gets a partition.
    Several {
        /// Number of alerts in the body, usable or not.
        alerts: usize,
        /// The partitions, in the order in which the body first names their incidents.
        partitions: Vec<Partition>,
    },
    /// Decodable, but no signal in it has a fingerprint.
    Nothing,
    /// Not decodable; the sidecar rejects it.
    Undecodable(DecodeError),
}

/// What one owner gets of a body.
#[derive(Clone, Debug)]
pub struct Partition {
    /// The firing incident.
    pub fingerprint: Fingerprint,
    /// The incident's alerts. The first partition also carries the alerts without an owner: those of resolved incidents and
    /// unusable ones. The sidecar reports them as in any webhook, and they cost no sub-request.
    pub payload: PartialPayload,
    /// Index of the incident's first alert in the body.
    pub position: usize,
    /// The index in the body of each alert of the partition.
    pub entries: Vec<usize>,
    /// For each outcome that the response will contain, in its order: the index in the body of the alert that it is
    /// reported for. An incident is reported for its first alert.
    pub outcome_positions: Vec<usize>,
}

impl Affinity {
    /// The fingerprint to hash the whole body on, if any.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Affinity::One(fingerprint) => Some(*fingerprint),
            Affinity::Several { partitions, .. } => partitions.first().map(|partition| partition.fingerprint),
            Affinity::Nothing | Affinity::Undecodable(_) => None,
        }
    }
}

/// Decodes `body` from `origin` by these rules, and decides where it goes.
pub fn affinity(rules: &Rules, origin: &Origin, body: &[u8]) -> Affinity {
    let payload = match decode(rules, origin, body) {
        Ok(payload) => payload,
        Err(error) => return Affinity::Undecodable(error),
    };
    let groups = payload.groups();
    let Some(leading) = Group::leading(&groups) else { return Affinity::Nothing };
    if groups.iter().filter(|group| group.firing).nth(1).is_none() {
        return Affinity::One(leading);
    }
    Affinity::Several { alerts: payload.entries().len(), partitions: partition(&payload, groups) }
}

fn partition(payload: &Payload<'_>, groups: Vec<Group>) -> Vec<Partition> {
    let (firing, resolved): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| group.firing);
    // Taken by the first partition; empty for the others.
    let mut ownerless = Ownerless::of(payload, resolved);
    let partition = |group: Group| {
        let position = group.entries.first().copied().unwrap_or_default();
        let (mut outcome_positions, mut entries) = (vec![position], group.entries);
        outcome_positions.append(&mut ownerless.outcome_positions);
        outcome_positions.sort_unstable();
        entries.append(&mut ownerless.entries);
        entries.sort_unstable();
        let payload = payload.partial(&entries);
        Partition { fingerprint: group.fingerprint, payload, position, entries, outcome_positions }
    };
    firing.into_iter().map(partition).collect()
}

/// The alerts that need no owner.
struct Ownerless {
    entries: Vec<usize>,
    outcome_positions: Vec<usize>,
}

impl Ownerless {
    fn of(payload: &Payload<'_>, resolved: Vec<Group>) -> Ownerless {
        let rejected = payload.entries().iter().enumerate().filter(|(_, entry)| entry.signal.is_err());
        let mut entries: Vec<usize> = rejected.map(|(index, _)| index).collect();
        // Beyond MAX_REJECTIONS the response has one outcome for all the others.
        let mut outcome_positions: Vec<usize> = entries.iter().copied().take(MAX_REJECTIONS + 1).collect();
        for mut group in resolved {
            outcome_positions.extend(group.entries.first());
            entries.append(&mut group.entries);
        }
        Ownerless { entries, outcome_positions }
    }
}
