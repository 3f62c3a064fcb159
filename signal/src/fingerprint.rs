//! The identifier of an incident: a SHA-256 digest, stored as 32 bytes and shown as 64 lowercase hex characters.

use std::fmt::{Debug, Display, Formatter, Result as FmtResult};
use std::ops::Deref;
use std::str::{FromStr, from_utf8};

/// The digest of a target; equal for all signals of one incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) const fn new(digest: [u8; 32]) -> Self {
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

/// The text of a [`Fingerprint`], on the stack.
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

impl Display for Fingerprint {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Display::fmt(&self.hex(), f)
    }
}

impl Debug for Fingerprint {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 lowercase hex characters")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(FingerprintError) };
        if pairs.len() != 32 {
            return Err(FingerprintError);
        }
        let mut digest = [0; 32];
        for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (value(high), value(low)) else { return Err(FingerprintError) };
            *byte = high << 4 | low;
        }
        Ok(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, FingerprintError};

    const TEXT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

    #[test]
    fn a_fingerprint_is_formatted_and_parsed_without_loss() {
        let fingerprint: Fingerprint = TEXT.parse().unwrap();
        assert_eq!(fingerprint.as_bytes()[..2], [0x91, 0xfc]);
        assert_eq!(&*fingerprint.hex(), TEXT);
        assert_eq!(fingerprint.to_string(), TEXT);
        assert_eq!(format!("{fingerprint:?}"), format!("Fingerprint({TEXT})"));
        assert_eq!(format!("{:?}", fingerprint.hex()), format!("{TEXT:?}"));
    }

    #[test]
    fn text_that_is_not_64_lowercase_hex_characters_is_no_fingerprint() {
        let upper = TEXT.to_uppercase();
        let long = format!("{TEXT}00");
        let foreign = TEXT.replace('f', "g");
        let wide = TEXT.replace("91", "é");
        for text in ["", &TEXT[..62], &TEXT[..63], &long, &upper, &foreign, &wide] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }
}
