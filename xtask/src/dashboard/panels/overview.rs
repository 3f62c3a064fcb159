//! Whether it works, at a glance.

use super::{GREEN, RED, Row, number};

pub(super) const ROWS: &[Row] = &[Row {
    title: "Does it work?",
    panels: &[
        number(
            "Replicas ready",
            "short",
            "Sidecars that report ready. At 0 signals get 503.",
            &[(r#"sum(gateway_ready{job="$job",condition="all"})"#, "")],
            &[RED, (Some(1.0), "orange"), (Some(2.0), "green")],
        ),
        number(
            "Signals that fail",
            "percentunit",
            "Share of the signals of the last 5 minutes that were answered 5xx. Their senders have to send them again. No data: no signals.",
            &[(r#"job:gateway_signals_failed:ratio_rate5m{job="$job"} >= 0"#, "")],
            &[GREEN, (Some(0.001), "orange"), (Some(0.0144), "red")],
        ),
        number(
            "Since the last write",
            "s",
            "Seconds since the API server last acknowledged a write of any replica. Grows while there are no signals, too. No data: none has written yet.",
            &[(r#"time() - max(gateway_last_write_timestamp_seconds{job="$job"} > 0)"#, "")],
            &[GREEN],
        ),
        number(
            "Age of the oldest index",
            "s",
            "Seconds since the last event or bookmark of the watch, of the replica that is farthest behind. Bookmarks come about once a minute.",
            &[(r#"time() - min(gateway_index_last_event_timestamp_seconds{job="$job"} > 0)"#, "")],
            &[GREEN, (Some(120.0), "orange"), (Some(300.0), "red")],
        ),
        number(
            "Active incidents",
            "short",
            "Incidents with an active RemediationRequest.",
            &[(r#"max(gateway_index_incidents{job="$job"})"#, "")],
            &[GREEN],
        ),
        number(
            "Rights missing",
            "short",
            "Rights that the sidecars need and do not have; gateway_right_missing names them.",
            &[(r#"count(max by (right) (gateway_right_missing{job="$job"}) == 1) or vector(0)"#, "")],
            &[GREEN, (Some(1.0), "red")],
        ),
    ],
}];
