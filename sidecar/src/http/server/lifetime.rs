//! When a connection is closed: pure decisions from its rank and the time.

use tokio::time::Instant;

use super::limits::SocketLimits;
use super::ranks::{Rank, Stage};

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Look again at this time.
    Wait(Instant),
    /// Ask the peer to close it (GOAWAY on HTTP/2), and finish what is in flight.
    Shutdown,
    /// Close it at once.
    Close,
}

/// The step when a timer has ended at `now`; `asked` is when the peer was asked to close.
pub(super) fn on_time(rank: Rank, limits: &SocketLimits, asked: Option<Instant>, now: Instant) -> Step {
    let by = |deadline: Instant, step| if now < deadline { Step::Wait(deadline) } else { step };
    match (rank.stage, asked) {
        (Stage::Fresh, None) => by(rank.since + limits.header_timeout, Step::Close),
        (Stage::Idle, None) => by(rank.since + limits.idle_timeout, Step::Shutdown),
        // The peer reads the rest of a response, and on HTTP/2 acknowledges the GOAWAY.
        (Stage::Fresh | Stage::Idle, Some(asked)) => by(rank.since.max(asked) + limits.write_timeout, Step::Close),
        // In flight: the request has timeouts of its own.
        (Stage::Uploading | Stage::Busy, None) => Step::Wait(now + limits.idle_timeout),
        (Stage::Uploading | Stage::Busy, Some(_)) => Step::Wait(now + limits.write_timeout),
    }
}

/// The step when the connection was evicted; `may_linger` says whether few enough evicted ones are still open. A complete
/// request may have arrived since the decision: it gets its response.
pub(super) fn on_eviction(stage: Stage, may_linger: bool) -> Step {
    match stage {
        Stage::Fresh => Step::Close,
        Stage::Idle | Stage::Uploading if !may_linger => Step::Close,
        Stage::Idle | Stage::Uploading | Stage::Busy => Step::Shutdown,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Step, on_eviction, on_time};
    use crate::http::server::SocketLimits;
    use crate::http::server::ranks::{Rank, Stage};

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: SocketLimits = SocketLimits {
        connections: 8,
        per_peer: 8,
        header_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(120),
        write_timeout: Duration::from_secs(5),
        once: false,
    };

    #[test]
    fn a_connection_without_a_request_is_closed_after_the_header_timeout() {
        let since = Instant::now();
        let fresh = Rank { stage: Stage::Fresh, since };
        assert_eq!(on_time(fresh, &LIMITS, None, since + SECOND), Step::Wait(since + LIMITS.header_timeout));
        assert_eq!(on_time(fresh, &LIMITS, None, since + LIMITS.header_timeout), Step::Close);
    }

    #[test]
    fn an_idle_connection_is_asked_to_close_and_closed_if_it_does_not() {
        let since = Instant::now();
        let idle = Rank { stage: Stage::Idle, since };
        let limit = since + LIMITS.idle_timeout;
        assert_eq!(on_time(idle, &LIMITS, None, since + SECOND), Step::Wait(limit));
        assert_eq!(on_time(idle, &LIMITS, None, limit), Step::Shutdown);
        assert_eq!(on_time(idle, &LIMITS, Some(limit), limit), Step::Wait(limit + LIMITS.write_timeout));
        assert_eq!(on_time(idle, &LIMITS, Some(limit), limit + LIMITS.write_timeout), Step::Close);
    }

    #[test]
    fn a_connection_with_a_request_in_flight_is_never_closed_by_time() {
        let now = Instant::now();
        for stage in [Stage::Uploading, Stage::Busy] {
            for asked in [None, Some(now)] {
                let step = on_time(Rank { stage, since: now }, &LIMITS, asked, now + LIMITS.idle_timeout * 9);
                assert!(matches!(step, Step::Wait(_)), "{stage:?}, {asked:?}: {step:?}");
            }
        }
    }

    #[test]
    fn an_evicted_connection_finishes_a_complete_request_that_arrived_meanwhile() {
        for may_linger in [true, false] {
            assert_eq!(on_eviction(Stage::Busy, may_linger), Step::Shutdown);
            assert_eq!(on_eviction(Stage::Fresh, may_linger), Step::Close);
        }
    }

    #[test]
    fn an_evicted_connection_is_asked_to_close_unless_too_many_are() {
        for stage in [Stage::Idle, Stage::Uploading] {
            assert_eq!((on_eviction(stage, true), on_eviction(stage, false)), (Step::Shutdown, Step::Close));
        }
    }
}
