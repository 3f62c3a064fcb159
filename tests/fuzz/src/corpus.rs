//! What requests are made from: the bodies in `tests/fuzz/corpus` and the golden vectors of `signal/`.

use std::fs;
use std::path::PathBuf;

use onceway_kit::cluster::deploy::repository;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bodies that mean something.
pub(super) struct Corpus {
    bodies: Vec<Vec<u8>>,
}

/// What is read of a golden vector.
#[derive(Deserialize)]
struct Vector {
    payload: Box<RawValue>,
}

impl Corpus {
    /// Reads it from the repository, in an order of its own.
    ///
    /// # Panics
    /// If it is not there.
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

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.bodies.len()
    }

    /// The body at this place.
    pub(super) fn body(&self, place: usize) -> &[u8] {
        &self.bodies[place % self.bodies.len()]
    }
}
