//! The seeds of the fuzzer: the bodies in `tests/fuzz/corpus` and the golden vectors of `signal/`.

use std::fs;
use std::path::PathBuf;

use onceway_kit::cluster::deploy::repository;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bodies that the filter understands.
pub(super) struct Corpus {
    bodies: Vec<Vec<u8>>,
}

/// The field of a golden vector that is used.
#[derive(Deserialize)]
struct Vector {
    payload: Box<RawValue>,
}

impl Corpus {
    /// Reads the corpus from the repository, in a fixed order.
    ///
    /// # Panics
    /// If it is missing.
    pub(super) fn load() -> Corpus {
        let folder = repository().join("tests/fuzz/corpus");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort_unstable();
        let mut bodies: Vec<Vec<u8>> = paths.iter().filter_map(|path| fs::read(path).ok()).collect();
        let vectors: Vec<Vector> = fs::read(repository().join("signal/tests/vectors.json"))
            .ok()
            .and_then(|vectors| serde_json::from_slice(&vectors).ok())
            .unwrap_or_default();
        bodies.extend(vectors.iter().map(|vector| vector.payload.get().as_bytes().to_vec()));
        assert!(bodies.len() > 30, "{} bodies", bodies.len());
        Corpus { bodies }
    }

    /// The number of bodies.
    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }

    /// The body at this index, modulo the number of bodies.
    pub(super) fn body(&self, index: usize) -> &[u8] {
        &self.bodies[index % self.bodies.len()]
    }
}
