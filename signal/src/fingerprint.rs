//! The identifier of an incident.

use std::fmt::{Debug, Display, Formatter, Result as FmtResult};
use std::str::FromStr;

use crate::digest::{Digest, Hex};

/// The digest of a target; equal for all signals of one incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    pub(crate) const fn new(digest: [u8; 32]) -> Self {
        Self(Digest::from_bytes(digest))
    }

    /// The digest itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The 64 lowercase hex characters, without an allocation.
    #[must_use]
    pub fn hex(&self) -> Hex {
        self.0.hex()
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
        text.parse().map(Self).map_err(|_| FingerprintError)
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
