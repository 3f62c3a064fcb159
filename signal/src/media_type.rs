//! Media types of requests and responses.

/// The media type of payloads and responses.
pub const JSON: &str = "application/json";

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Whether a `content-type` is JSON; its parameters are ignored.
#[must_use]
pub fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes())
}

/// Whether a request with this `content-type` may have a JSON body: one without it may, as many senders send none.
#[must_use]
pub fn may_be_json(content_type: Option<&[u8]>) -> bool {
    content_type.is_none_or(|value| value.trim_ascii().is_empty() || is_json(value))
}

/// Whether a `content-encoding` leaves the body unencoded.
#[must_use]
pub const fn is_plain(content_encoding: &[u8]) -> bool {
    content_encoding.eq_ignore_ascii_case(b"identity")
}

#[cfg(test)]
mod tests {
    use super::{is_json, is_plain, may_be_json};

    #[test]
    fn json_is_recognised_in_any_case_and_with_parameters_and_nothing_else_is() {
        for json in ["application/json", "Application/JSON", " application/json ; charset=utf-8"] {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        for other in ["", "text/json", "application/json5", "application/problem+json", "x; application/json"] {
            assert!(!is_json(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_request_without_a_content_type_may_have_a_json_body() {
        assert!(may_be_json(None) && may_be_json(Some(b" ")) && may_be_json(Some(b"application/json")));
        assert!(!may_be_json(Some(b"text/plain")));
    }

    #[test]
    fn only_identity_is_plain() {
        assert!(is_plain(b"identity") && is_plain(b"Identity"));
        assert!(!is_plain(b"gzip") && !is_plain(b"") && !is_plain(b"identity, gzip"));
    }
}
