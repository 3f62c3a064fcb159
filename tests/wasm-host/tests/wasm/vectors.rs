//! The golden vectors of `signal/` through the module.

use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};
use onceway_wasm_host::{Host, Request};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Vector {
    what: String,
    source: String,
    /// The body, byte for byte.
    payload: Box<RawValue>,
    /// Per alert; null for an alert without one.
    fingerprints: Vec<Option<String>>,
}

#[test]
fn every_golden_vector_has_its_fingerprint_in_the_module() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../../../signal/tests/vectors.json")).unwrap();
    assert!(vectors.len() >= 25);
    let mut host = Host::new("");
    let mut sent = |source: Source, body: &str| host.request(Request::post(source.path()).body(body)).fingerprint();
    for Vector { what, source, payload, fingerprints } in vectors {
        let source = Source::ALL.into_iter().find(|known| known.as_str() == source).expect("a source");
        // Each alert in a body of its own, which is not split.
        let whole = decode(Rules::built_in(), Origin::of(source), payload.get().as_bytes()).expect("a payload");
        for (index, fingerprint) in fingerprints.into_iter().enumerate() {
            assert_eq!(sent(source, &whole.excerpt(&[index], None)), fingerprint, "{what}: alert {index}");
        }
    }
}
