//! What a body is hashed on.

use onceway_signal::{DecodeError, Fingerprint, Source, decode};

/// What a body says about where it belongs.
#[derive(Debug)]
pub enum Affinity {
    /// All its signals are of one incident.
    One(Fingerprint),
    /// Its signals are of several incidents. It goes on whole, hashed on the first of them: the sidecar serves each
    /// fingerprint wherever it lands.
    // The split into one sub-request per fingerprint starts here.
    Several {
        /// The fingerprint that appears first in the body.
        first: Fingerprint,
    },
    /// It can be read, and no signal in it has a fingerprint.
    Nothing,
    /// It cannot be read. The sidecar says so to the sender, in the one vocabulary of errors that there is.
    Undecodable(DecodeError),
}

impl Affinity {
    /// The fingerprint to hash on, if there is one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match *self {
            Affinity::One(fingerprint) | Affinity::Several { first: fingerprint } => Some(fingerprint),
            Affinity::Nothing | Affinity::Undecodable(_) => None,
        }
    }
}

/// Decodes `body`, which came from `source`, and says what to hash it on.
pub fn affinity(source: Source, body: &[u8]) -> Affinity {
    let payload = match decode(source, body) {
        Ok(payload) => payload,
        Err(error) => return Affinity::Undecodable(error),
    };
    let mut groups = payload.groups().into_iter();
    match (groups.next(), groups.next()) {
        (None, _) => Affinity::Nothing,
        (Some(only), None) => Affinity::One(only.fingerprint),
        (Some(first), Some(_)) => Affinity::Several { first: first.fingerprint },
    }
}
