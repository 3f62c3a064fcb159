//! A SHA-256 digest, stored as 32 bytes and shown as 64 lowercase hex characters.

use std::fmt::{Debug, Display, Formatter, Result as FmtResult};
use std::ops::Deref;
use std::str::{FromStr, from_utf8};

use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes, one after the other.
    #[must_use]
    pub fn of<const PARTS: usize>(parts: [&[u8]; PARTS]) -> Self {
        let mut hash = Sha256::new();
        parts.into_iter().for_each(|part| hash.update(part));
        Self(hash.finalize().into())
    }

    /// The digest of these bytes, read back.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 lowercase hex characters, without an allocation.
    #[must_use]
    pub fn hex(&self) -> Hex {
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        Hex(hex)
    }
}

/// The lowercase hex digit of a value below 16.
const fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

/// The value of a lowercase hex digit.
const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The text of a [`Digest`], on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hex([u8; 64]);

impl Deref for Hex {
    type Target = str;

    fn deref(&self) -> &str {
        // Hex digits are ASCII, so this never falls back to the default.
        from_utf8(&self.0).unwrap_or_default()
    }
}

impl Display for Hex {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.pad(self)
    }
}

impl Debug for Hex {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Debug::fmt(&**self, f)
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Display::fmt(&self.hex(), f)
    }
}

impl Debug for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "Digest({self})")
    }
}

/// The text is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lowercase hex characters")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(DigestError) };
        if pairs.len() != 32 {
            return Err(DigestError);
        }
        let mut digest = [0; 32];
        for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (value(high), value(low)) else { return Err(DigestError) };
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn a_digest_is_of_the_bytes_together() {
        let whole = Digest::of([b"abc"]);
        assert_eq!(whole.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::of([b"a", b"", b"bc"]), whole);
    }
}
