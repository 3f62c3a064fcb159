//! Where a body belongs: to one owner, or in shares to several.

use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::{DecodeError, Fingerprint, Group, PartialPayload, Payload, Source, decode};

/// What a body says about where it belongs.
#[derive(Debug)]
pub enum Affinity {
    /// What is to be done in it is one incident's: it goes to that one's owner as it is. Where nothing is to be done, the
    /// first incident stands for it.
    One(Fingerprint),
    /// There is something to do for several incidents: each owner gets its share.
    Several {
        /// How many alerts there are, of whatever use.
        alerts: usize,
        /// The shares, in the order in which the body first names their incidents.
        shares: Vec<Share>,
    },
    /// It can be read, and no signal in it has a fingerprint.
    Nothing,
    /// It cannot be read. The sidecar says so to the sender, in the one vocabulary of errors that there is.
    Undecodable(DecodeError),
}

/// What one owner gets of a body.
#[derive(Clone, Debug)]
pub struct Share {
    /// The incident that fires.
    pub fingerprint: Fingerprint,
    /// Its alerts. With those of the first share ride all that need no owner: incidents that are resolved, and alerts of no
    /// use. Whoever is asked tells what they are, as for any webhook, and no request is spent on them.
    pub part: PartialPayload,
    /// Where the body first names the incident.
    pub place: usize,
    /// The places in the body of what the answer will tell of, in its order: alerts, an incident by its first one.
    pub places: Vec<usize>,
}

impl Affinity {
    /// The fingerprint to hash the body on if it goes as a whole, if there is one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Affinity::One(fingerprint) => Some(*fingerprint),
            Affinity::Several { shares, .. } => shares.first().map(|share| share.fingerprint),
            Affinity::Nothing | Affinity::Undecodable(_) => None,
        }
    }
}

/// Decodes `body`, which came from `source`, and says where it belongs.
pub fn affinity(source: Source, body: &[u8]) -> Affinity {
    let payload = match decode(source, body) {
        Ok(payload) => payload,
        Err(error) => return Affinity::Undecodable(error),
    };
    let groups = payload.groups();
    let Some(leading) = Group::leading(&groups) else { return Affinity::Nothing };
    if groups.iter().filter(|group| group.firing).nth(1).is_none() {
        return Affinity::One(leading);
    }
    Affinity::Several { alerts: payload.entries().len(), shares: divide(&payload, groups) }
}

fn divide(payload: &Payload<'_>, groups: Vec<Group>) -> Vec<Share> {
    let (firing, resting): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| group.firing);
    let mut riders = Riders::of(payload, resting);
    let share = |group: Group| {
        let place = group.entries.first().copied().unwrap_or_default();
        let (mut places, mut entries) = (vec![place], group.entries);
        places.append(&mut riders.places);
        places.sort_unstable();
        entries.append(&mut riders.entries);
        entries.sort_unstable();
        Share { fingerprint: group.fingerprint, part: payload.partial(&entries), place, places }
    };
    firing.into_iter().map(share).collect()
}

/// The alerts that need no owner.
struct Riders {
    entries: Vec<usize>,
    places: Vec<usize>,
}

impl Riders {
    fn of(payload: &Payload<'_>, resting: Vec<Group>) -> Riders {
        let rejected = payload.entries().iter().enumerate().filter(|(_, entry)| entry.signal.is_err());
        let mut entries: Vec<usize> = rejected.map(|(place, _)| place).collect();
        // One more stands for all that are not named one by one.
        let mut places: Vec<usize> = entries.iter().copied().take(MAX_REJECTIONS + 1).collect();
        for mut group in resting {
            places.extend(group.entries.first());
            entries.append(&mut group.entries);
        }
        Riders { entries, places }
    }
}
