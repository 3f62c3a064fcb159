//! The golden vectors, which the tests of the wasm filter also read. The digests are SHA-256 of the texts in `targets`,
//! computed by another implementation (Python's).

use onceway_signal::Source;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::support::{decode, identity, sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    what: String,
    /// The source: `prometheus` or `kubernetes-events`.
    source: String,
    /// The body, byte for byte.
    payload: Box<RawValue>,
    /// The hashed text of each entry; null for a rejected one.
    targets: Vec<Option<String>>,
    /// The digest of each.
    fingerprints: Vec<Option<String>>,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json")
}

#[test]
fn every_vector_decodes_to_its_targets_and_fingerprints() {
    let vectors = vectors();
    assert!(vectors.len() >= 25);
    for Vector { what, source, payload, targets, fingerprints } in vectors {
        let source = Source::ALL.into_iter().find(|known| known.as_str() == source).expect("a source");
        let decoded = decode(source, payload.get().as_bytes()).expect("a payload");
        let signals: Vec<_> = decoded.entries().iter().map(|entry| entry.signal.as_ref().ok()).collect();
        let found: Vec<_> = signals.iter().map(|signal| signal.map(identity)).collect();
        assert_eq!(found, targets, "{what}");
        let found: Vec<_> =
            signals.iter().map(|signal| signal.map(|signal| signal.fingerprint().to_string())).collect();
        assert_eq!(found, fingerprints, "{what}");
    }
}

#[test]
fn the_documented_digests_are_those_of_their_texts() {
    for (text, digest) in [
        ("prod:Deployment:payment-api", "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1"),
        (":Node:worker-node-1", "54010c454af195aadec824d25dba6fa52adfcc717f0b3f0430e4111acddfe728"),
        ("east-1:prod:Deployment:payment-api", "c6189eee9f796bf7e1f59d52e7ec00716a4fed0b7e1fb82ac214fdae74f15e36"),
    ] {
        assert_eq!(sha256(text).to_string(), digest);
        let known = vectors().iter().any(|vector| vector.fingerprints.iter().flatten().any(|found| found == digest));
        assert!(known, "{text} is in no vector");
    }
}
