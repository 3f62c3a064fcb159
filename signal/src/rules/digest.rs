//! The digest of a compiled rule set, by which filter and sidecar tell whether they have the same.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

/// Bytes of the digest that are shown.
const SHOWN: usize = 4;

/// The first bytes of the SHA-256 of `value`, as hex.
pub(super) fn digest(value: &impl Hash) -> String {
    let mut hasher = Sha256Hasher(Sha256::new());
    value.hash(&mut hasher);
    let bytes: [u8; 32] = hasher.0.finalize().into();
    bytes.iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect()
}

/// Sizes are written as 64 bits: `usize` and `isize` have 32 in the filter.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn write_usize(&mut self, size: usize) {
        self.write_u64(size as u64);
    }

    fn write_isize(&mut self, size: isize) {
        self.write_i64(size as i64);
    }

    /// Never used: the digest itself is read.
    fn finish(&self) -> u64 {
        0
    }
}
