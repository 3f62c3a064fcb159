//! What the response says of the signal.

use onceway_signal::response::{Status, read};

use super::report::Way;
use crate::http_request::Exchange;

/// What a response says of an RR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// It counts the signal.
    In { namespace: String, name: String },
    /// There may be one, or may be soon.
    Perhaps,
    /// There is none, and will be none.
    Nothing,
}

impl Accepted {
    /// The namespace of the RR, if the response names it: that of the replicas, whatever the user named.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::In { namespace, .. } => Some(namespace),
            Self::Perhaps | Self::Nothing => None,
        }
    }
}

/// Reads it; why the signal is not counted goes to `way`.
pub(super) fn judge(exchange: &Exchange, way: &mut Way) -> Accepted {
    let status = exchange.status.as_u16();
    let outcomes = read(status, None, &exchange.body).unwrap_or_default();
    let outcome = outcomes.into_iter().next();
    let message = outcome.as_ref().map(|outcome| outcome.message.clone()).unwrap_or_default();
    match (status, outcome) {
        (201 | 202, Some(outcome)) if matches!(outcome.status, Status::Created | Status::Duplicate) => {
            match (outcome.remediation_request_namespace, outcome.remediation_request_name) {
                (Some(namespace), Some(name)) => Accepted::In { namespace, name },
                _ => {
                    way.failed("the response names no RemediationRequest");
                    Accepted::Perhaps
                }
            }
        }
        (200, Some(_)) => {
            way.failed(format!("200, and no incident: {message}"));
            Accepted::Nothing
        }
        (401, _) => refused(
            way,
            format!("401: {}", detail(exchange, &message)),
            "check the token and its audience with `onceway doctor --token-file FILE`",
        ),
        (403, _) => refused(
            way,
            format!("403: {}", detail(exchange, &message)),
            "give the sender the right to signal in the target's namespace (docs/senders.md)",
        ),
        (400..=499, _) => {
            refused(way, format!("{status}: {}", detail(exchange, &message)), "the problem says what to change")
        }
        (500..=599, _) => {
            way.failed(format!("{status}: {}", detail(exchange, &message)));
            Accepted::Perhaps
        }
        _ => {
            way.failed(format!("{status}, and the response is none of Onceway's: check the URL"));
            Accepted::Perhaps
        }
    }
}

fn refused(way: &mut Way, why: String, action: &str) -> Accepted {
    way.failed(format!("{why}; {action}"));
    Accepted::Nothing
}

/// The problem's detail, else the outcome's message, else the beginning of the body.
fn detail(exchange: &Exchange, message: &str) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&exchange.body).unwrap_or_default();
    match problem["detail"].as_str() {
        Some(detail) => detail.to_owned(),
        None if !message.is_empty() => message.to_owned(),
        None => String::from_utf8_lossy(&exchange.body).chars().take(200).collect(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::{Accepted, Exchange, Way, judge};
    use crate::http_request::Times;

    fn judged(status: u16, body: &str) -> (Accepted, Way) {
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::copy_from_slice(body.as_bytes());
        let exchange = Exchange { status, body, times: Times::default() };
        let mut way = Way::new("a1", "onceway-test-a1".into());
        (judge(&exchange, &mut way), way)
    }

    #[test]
    fn an_acknowledgement_names_the_rr() {
        let body = r#"{"status":"created","message":"m","duplicate":false,"remediationRequestName":"rr-1","remediationRequestNamespace":"n"}"#;
        let expected = Accepted::In { namespace: "n".into(), name: "rr-1".into() };
        assert_eq!(judged(201, body).0, expected);
    }

    #[test]
    fn a_refusal_leaves_nothing_and_a_failure_may_leave_something() {
        for (status, body, expected) in [
            (200, r#"{"status":"resolved","message":"ignored","duplicate":false}"#, Accepted::Nothing),
            (401, r#"{"detail":"no"}"#, Accepted::Nothing),
            (403, r#"{"detail":"no"}"#, Accepted::Nothing),
            (404, "not found", Accepted::Nothing),
            (503, r#"{"detail":"busy"}"#, Accepted::Perhaps),
            (504, "upstream timeout", Accepted::Perhaps),
            (201, "hello", Accepted::Perhaps),
        ] {
            let (accepted, way) = judged(status, body);
            assert_eq!(accepted, expected, "{status}");
            assert_eq!(way.exit_code(), 1, "{status}");
        }
    }
}
