//! The header `X-Timestamp`, by which a sender may say when it sent a request: one that was recorded and is sent again later
//! is rejected. It is checked only where it is sent, and does not replace TLS or authentication.

use http::HeaderMap;
use jiff::Timestamp;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::truncate::truncate_quoted;

use super::policy::is_longer;
use crate::config::Freshness;

/// The header: RFC 3339, or seconds since 1970.
const X_TIMESTAMP: &str = "x-timestamp";

/// Checks the header against `now`.
///
/// # Errors
/// A [`Problem`] if it is malformed, there twice, or out of range.
pub(super) fn check_timestamp(headers: &HeaderMap, now: Timestamp, freshness: &Freshness) -> Result<(), Problem> {
    let Freshness { max_request_age, max_ahead } = *freshness;
    let mut values = headers.get_all(X_TIMESTAMP).into_iter();
    let Some(value) = values.next() else { return Ok(()) };
    let invalid = |detail| Err(Problem::new(ProblemKind::InvalidTimestamp, detail));
    if values.next().is_some() {
        return invalid("X-Timestamp is there twice; send it once".to_owned());
    }
    let quoted = || truncate_quoted(value.as_bytes());
    let Some(sent) = value.to_str().ok().and_then(parse) else {
        return invalid(format!("X-Timestamp {} is neither RFC 3339 nor seconds since 1970", quoted()));
    };
    let age = now.duration_since(sent);
    if is_longer(age, max_request_age) {
        return invalid(format!(
            "X-Timestamp {} is more than {max_request_age:?} ago; send the signals anew",
            quoted()
        ));
    }
    if is_longer(-age, max_ahead) {
        return invalid(format!("X-Timestamp {} is more than {max_ahead:?} ahead; set the sender's clock", quoted()));
    }
    Ok(())
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue};
    use jiff::Timestamp;

    use super::check_timestamp;
    use crate::config::Freshness;

    fn check(values: &[&str]) -> Result<(), String> {
        check_within(values, Freshness::default())
    }

    fn check_within(values: &[&str], freshness: Freshness) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("X-Timestamp", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        check_timestamp(&headers, now, &freshness).map_err(|problem| {
            assert_eq!((problem.status, problem.uri), (400, "https://onceway.io/problems/invalid-timestamp"));
            problem.detail
        })
    }

    #[test]
    fn a_request_without_a_timestamp_or_with_one_of_now_is_accepted() {
        check(&[]).unwrap();
        for now in [
            "2026-11-25T12:00:00Z",
            "2026-11-25T13:00:00.5+01:00",
            "1795608000",
            " 1795608000 ",
            "2026-11-25T11:55:00Z",
            "2026-11-25T12:05:00Z",
        ] {
            check(&[now]).unwrap();
        }
    }

    #[test]
    fn a_timestamp_out_of_range_is_rejected_and_the_reason_given() {
        for old in ["2026-11-25T11:54:59Z", "1795607699", "0", "-1"] {
            assert!(check(&[old]).unwrap_err().contains("more than 300s ago"), "{old}");
        }
        for ahead in ["2026-11-25T12:05:01Z", "1795608301", "9999-12-30T22:00:00Z"] {
            assert!(check(&[ahead]).unwrap_err().contains("more than 300s ahead"), "{ahead}");
        }
    }

    #[test]
    fn both_ends_of_the_range_are_the_configurations() {
        let narrow = || Freshness { max_request_age: Duration::from_secs(60), max_ahead: Duration::from_secs(120) };
        for fresh in ["2026-11-25T11:59:00Z", "2026-11-25T12:02:00Z"] {
            check_within(&[fresh], narrow()).unwrap();
        }
        assert!(check_within(&["2026-11-25T11:58:59Z"], narrow()).unwrap_err().contains("more than 60s ago"));
        assert!(check_within(&["2026-11-25T12:02:01Z"], narrow()).unwrap_err().contains("more than 120s ahead"));
    }

    #[test]
    fn a_timestamp_that_cannot_be_read_is_rejected_and_quoted() {
        let long = "x".repeat(5000);
        for malformed in ["", "now", "2026-11-25", "1795608000.5", "9223372036854775807", "é", &long] {
            let detail = check(&[malformed]).unwrap_err();
            assert!(detail.contains("neither") && detail.len() < 400, "{detail}");
        }
        assert!(check(&["1795608000", "1795608000"]).unwrap_err().contains("twice"));
    }
}
