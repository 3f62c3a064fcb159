//! The clock of the machine that the doctor runs on, in a pod that of its node, against the API server's `Date`.

use std::time::Duration;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::finding::Finding;
use crate::config::Config;

/// `Date` has whole seconds: on average it is behind by half of one.
const HALF_SECOND: Duration = Duration::from_millis(500);
/// From here on somebody should look at the time service.
const NOTICEABLE: Duration = Duration::from_secs(5);

/// One response of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// When the request was sent, by this machine's clock.
    pub(super) sent: Timestamp,
    /// How long the response took.
    pub(super) round_trip: Duration,
    /// The header `Date`.
    pub(super) date: Option<String>,
}

/// A difference of two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    /// How far this machine's clock is ahead of the API server's; negative if it is behind.
    pub(super) ahead: SignedDuration,
    /// How wrong that may be, in either direction.
    pub(super) error: Duration,
}

/// The skew by the fastest response; `None` if no response has a usable date.
pub(super) fn skew(samples: &[Sample]) -> Option<Skew> {
    let dated = samples.iter().filter_map(|sample| {
        let date = rfc2822::DateTimeParser::new().parse_timestamp(sample.date.as_deref()?).ok()?;
        Some((sample, date))
    });
    let (sample, date) = dated.min_by_key(|(sample, _)| sample.round_trip)?;
    let error = sample.round_trip / 2 + HALF_SECOND;
    // Half-way between request and response, the API server's clock showed half a second more than its date, give or take that.
    let local = sample.sent.duration_since(date) + SignedDuration::try_from(sample.round_trip / 2).ok()?;
    let ahead = local - SignedDuration::try_from(HALF_SECOND).ok()?;
    Some(Skew { ahead, error })
}

/// Seconds since 1970 by the API server's clock, or by this machine's where the skew is not known.
pub(super) fn server_now_s(skew: Option<Skew>) -> i64 {
    Timestamp::now().as_second() - skew.map_or(0, |skew| skew.ahead.as_secs())
}

/// What follows.
pub(super) fn judge(skew: Option<Skew>, config: &Config) -> Finding {
    let Some(Skew { ahead, error }) = skew else {
        return Finding::skipped("the API server's responses have no Date, perhaps because a proxy removes it");
    };
    // What is certain of it, whatever the error.
    let certain = ahead.unsigned_abs().saturating_sub(error);
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let summary = format!(
        "this machine's clock is {:.1} s {direction} the API server's (±{:.1} s)",
        ahead.unsigned_abs().as_secs_f64(),
        error.as_secs_f64()
    );
    let (key, window) = narrowest_window(config);
    let action = "synchronize the clocks of nodes (NTP, chrony): a replica names RemediationRequests and judges dates by its own";
    if certain >= window {
        Finding::fail(format!("{summary}: more than {key} ({window:?}), so that signals are rejected"), action)
    } else if certain >= NOTICEABLE {
        Finding::warn(summary, action)
    } else {
        Finding::pass(summary)
    }
}

/// The shortest time by which a replica judges the dates of others.
fn narrowest_window(config: &Config) -> (&'static str, Duration) {
    let windows = [
        ("freshness.maxAhead", config.freshness.max_ahead),
        ("freshness.maxRequestAge", config.freshness.max_request_age),
        ("events.maxAge", config.events.max_age),
    ];
    // `events.maxAge: 0s` means any age.
    let limited = windows.into_iter().filter(|(_, window)| !window.is_zero());
    limited.min_by_key(|(_, window)| *window).unwrap_or(("freshness.maxAhead", Duration::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::{SignedDuration, Timestamp};

    use super::super::finding::Status;
    use super::{Sample, Skew, judge, skew};
    use crate::config::Config;

    fn sample(sent: &str, round_trip_ms: u64, date: Option<&str>) -> Sample {
        let sent: Timestamp = sent.parse().unwrap();
        Sample { sent, round_trip: Duration::from_millis(round_trip_ms), date: date.map(str::to_owned) }
    }

    #[test]
    fn the_fastest_response_decides_and_its_error_is_half_its_time_and_half_a_second() {
        let samples = [
            sample("2026-03-01T10:01:00Z", 4000, Some("Sun, 01 Mar 2026 10:00:00 GMT")),
            sample("2026-03-01T10:00:30.4Z", 200, Some("Sun, 01 Mar 2026 10:00:00 GMT")),
            sample("2026-03-01T10:00:00Z", 1, Some("no date")),
        ];
        let expected = Skew { ahead: SignedDuration::from_secs(30), error: Duration::from_millis(600) };
        assert_eq!(skew(&samples), Some(expected));
        assert_eq!(skew(&[sample("2026-03-01T10:00:00Z", 1, None)]), None);
    }

    #[test]
    fn a_clock_is_judged_by_what_is_certain_of_its_difference() {
        let config = Config::default();
        let judged = |seconds, error| {
            let skew = Skew { ahead: SignedDuration::from_secs(seconds), error: Duration::from_secs(error) };
            judge(Some(skew), &config).status
        };
        assert_eq!((judged(2, 1), judged(-2, 1)), (Status::Pass, Status::Pass));
        assert_eq!((judged(10, 1), judged(-10, 1)), (Status::Warn, Status::Warn));
        assert_eq!(judged(10, 8), Status::Pass, "a slow response proves little");
        assert_eq!((judged(3600, 1), judged(-301, 1)), (Status::Fail, Status::Fail));
        assert_eq!(judge(None, &config).status, Status::Skipped);
    }

    #[test]
    fn the_narrowest_window_of_the_configuration_decides() {
        let config = Config::parse("profile: kubernaut").unwrap();
        let two_minutes = Skew { ahead: SignedDuration::from_secs(-121), error: Duration::from_secs(1) };
        let finding = judge(Some(two_minutes), &config);
        assert!(finding.status == Status::Fail && finding.summary.contains("freshness.maxAhead"), "{finding:?}");
        let config = Config::parse("events: {maxAge: 0s}").unwrap();
        assert_eq!(judge(Some(two_minutes), &config).status, Status::Warn);
    }
}
