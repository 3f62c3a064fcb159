//! The one answer that the filter gives itself, in the sidecar's vocabulary.

use serde::Serialize;

/// A refusal as RFC 7807 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Names the kind of problem, for programs.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Names the kind of problem, for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to do about it.
    pub detail: String,
    /// What the proxy's access log shows of it (`%RESPONSE_CODE_DETAILS%`).
    #[serde(skip)]
    pub response_code_details: &'static str,
}

impl Problem {
    /// The media type of a problem.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The body is larger than `limit` bytes.
    pub fn payload_too_large(limit: u32) -> Problem {
        Problem {
            kind: "https://onceway.io/problems/payload-too-large",
            title: "Payload too large",
            status: 413,
            response_code_details: "onceway_payload_too_large",
            detail: format!(
                "the body is larger than {limit} bytes, the limit here; send fewer alerts in one webhook \
                 (in Alertmanager by a finer group_by), or raise max_body_bytes in the filter's configuration and \
                 the limits behind it"
            ),
        }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> String {
        // Numbers and strings into memory: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
