//! The bearer token of a request.

use std::fmt;
use std::str::from_utf8;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The longest token that is reviewed, in bytes. Kubernetes' own have about 1 KiB; one with many groups has more.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The authentication scheme, in any case.
const SCHEME: &str = "bearer";

/// Why a sender is not authenticated. The texts are for the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// No credentials.
    #[error("the request has no credentials; send a ServiceAccount token as `Authorization: Bearer TOKEN`")]
    Missing,
    /// Not one bearer token.
    #[error("the header Authorization is not one bearer token; send `Authorization: Bearer TOKEN`")]
    Malformed,
    /// Longer than any token that is reviewed.
    #[error("the token is longer than {limit} bytes; send a ServiceAccount token")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The API server does not accept it.
    #[error("the token is not valid: it is expired, revoked, or for another audience; send a new one")]
    Invalid,
    /// The API server did not decide. The one error that a retry can mend.
    #[error("the token could not be checked; send the signals again")]
    Unavailable,
}

/// SHA-256 of a token: what is kept of it.
pub(super) type TokenDigest = [u8; 32];

/// A token as a sender sent it. It is kept only while it is reviewed.
#[derive(Clone)]
pub(super) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// The bearer token in `headers`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Unauthenticated> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(Unauthenticated::Missing)?;
        if values.next().is_some() {
            return Err(Unauthenticated::Malformed);
        }
        let text = from_utf8(value.as_bytes()).map_err(|_| Unauthenticated::Malformed)?;
        let (scheme, token) = text.trim().split_once(' ').ok_or(Unauthenticated::Malformed)?;
        let token = token.trim_start();
        if !scheme.eq_ignore_ascii_case(SCHEME)
            || token.is_empty()
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Unauthenticated::Malformed);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Unauthenticated::TooLong { limit: MAX_TOKEN_BYTES });
        }
        Ok(Self(token.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> TokenDigest {
        Sha256::digest(&self.0).into()
    }

    /// How long the token says that it is still valid; `None` if it does not say. Not verified: a token that the API server
    /// accepts is never trusted for longer than this.
    pub(super) fn valid_for(&self, now: Timestamp) -> Option<Duration> {
        #[derive(Deserialize)]
        struct Claims {
            exp: f64,
        }
        let payload = URL_SAFE_NO_PAD.decode(self.0.split('.').nth(1)?).ok()?;
        let Claims { exp } = serde_json::from_slice(&payload).ok()?;
        let left = exp - now.as_millisecond() as f64 / 1000.0;
        Some(Duration::try_from_secs_f64(left.max(0.0)).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::header::AUTHORIZATION;
    use http::{HeaderMap, HeaderValue};
    use jiff::Timestamp;

    use super::{MAX_TOKEN_BYTES, Token};
    use crate::auth::Unauthenticated;

    fn token(values: &[&[u8]]) -> Result<String, Unauthenticated> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        Token::of(&headers).map(|token| token.0)
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer a.b-c", "bearer a.b-c", "BEARER   a.b-c ", "Bearer a.b-c"] {
            assert_eq!(token(&[value.as_bytes()]), Ok("a.b-c".to_owned()), "{value:?}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_a_review() {
        assert_eq!(token(&[]), Err(Unauthenticated::Missing));
        let malformed: [&[u8]; 7] =
            [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"a.b.c", b"Bearer a b", b"Bearer \xff"];
        for value in malformed {
            assert_eq!(token(&[value]), Err(Unauthenticated::Malformed), "{value:?}");
        }
        assert_eq!(token(&[b"Bearer a", b"Bearer b"]), Err(Unauthenticated::Malformed), "which of them?");
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES));
        assert_eq!(token(&[long.as_bytes()]).unwrap().len(), MAX_TOKEN_BYTES);
        let limit = MAX_TOKEN_BYTES;
        assert_eq!(token(&[format!("{long}a").as_bytes()]), Err(Unauthenticated::TooLong { limit }));
    }

    #[test]
    fn the_rest_of_its_time_is_read_of_a_jwt_alone() {
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let valid_for = |payload: String| Token(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))).valid_for(now);
        let exp = |seconds: i64| format!(r#"{{"iss":"x","exp":{}}}"#, now.as_second() + seconds);
        assert_eq!(valid_for(exp(30)), Some(Duration::from_secs(30)));
        assert_eq!(valid_for(exp(-30)), Some(Duration::ZERO));
        assert_eq!(valid_for(r#"{"exp":1e300}"#.into()), Some(Duration::MAX));
        for payload in ["{}", r#"{"exp":"x"}"#, "[]", "\u{0}"] {
            assert_eq!(valid_for(payload.into()), None, "{payload}");
        }
        assert_eq!(Token("opaque".into()).valid_for(now), None);
    }

    #[test]
    fn a_token_is_not_shown_in_debug_output() {
        assert_eq!(format!("{:?}", Token("secret".into())), "Token(..)");
    }
}
