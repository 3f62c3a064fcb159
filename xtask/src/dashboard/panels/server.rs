//! How long it takes, what the API server does, and what is refused.

use super::{Kind, Row, panel};

pub(super) const ROWS: &[Row] = &[
    Row {
        title: "Latency",
        panels: &[
            panel(
                Kind::Lines,
                "Responses to signals",
                "s",
                "From a request's headers to its response. limits.deadline (8 s) bounds it.",
                &[
                    (
                        r#"histogram_quantile(0.5, sum by (le) (rate(gateway_http_request_duration_seconds_bucket{job="$job"}[$__rate_interval])))"#,
                        "half",
                    ),
                    (
                        r#"histogram_quantile(0.99, sum by (le) (rate(gateway_http_request_duration_seconds_bucket{job="$job"}[$__rate_interval])))"#,
                        "99 %",
                    ),
                ],
            ),
            panel(
                Kind::Lines,
                "API calls, 99 %",
                "s",
                "Duration of calls to the API server. Most of a signal's latency; if it grows, so do the batches.",
                &[(
                    r#"histogram_quantile(0.99, sum by (le, verb, resource) (rate(gateway_api_call_duration_seconds_bucket{job="$job"}[$__rate_interval])))"#,
                    "{{verb}} {{resource}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Signals per write",
                "short",
                "How many signals one write counts on average. It grows with the load: that is what keeps the API server alive.",
                &[(
                    r#"sum(rate(gateway_batch_size_sum{job="$job"}[$__rate_interval])) / sum(rate(gateway_batch_size_count{job="$job"}[$__rate_interval]))"#,
                    "mean",
                )],
            ),
        ],
    },
    Row {
        title: "API server",
        panels: &[
            panel(
                Kind::Stacked,
                "Calls",
                "cps",
                "Calls to the API server by verb and resource.",
                &[(
                    r#"sum by (verb, resource) (rate(gateway_api_calls_total{job="$job"}[$__rate_interval]))"#,
                    "{{verb}} {{resource}}",
                )],
            ),
            panel(
                Kind::Stacked,
                "Calls without a good result",
                "cps",
                "A conflict is normal where replicas share an incident. throttled: the API server's priority and fairness; timeout, connection: it is not there.",
                &[(
                    r#"sum by (outcome) (rate(gateway_api_calls_total{job="$job",outcome!~"ok|not_found"}[$__rate_interval]))"#,
                    "{{outcome}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Replicas whose index is in sync",
                "short",
                "At less than all, each new incident at the others costs an uncached list.",
                &[
                    (r#"sum(gateway_index_in_sync{job="$job"})"#, "in sync"),
                    (r#"count(gateway_index_in_sync{job="$job"})"#, "replicas"),
                ],
            ),
        ],
    },
    Row {
        title: "Load",
        panels: &[
            panel(
                Kind::Lines,
                "In flight",
                "short",
                "Requests without a response, signals that wait for a write, incidents with a task.",
                &[
                    (r#"sum(gateway_http_requests_in_flight{job="$job"})"#, "requests"),
                    (r#"sum(gateway_queue_depth{job="$job"})"#, "queued signals"),
                    (r#"sum(gateway_incidents_in_hand{job="$job"})"#, "incidents"),
                ],
            ),
            panel(
                Kind::Stacked,
                "Load shed, by limit",
                "reqps",
                "Requests that got 503 because a limit was reached.",
                &[(
                    r#"sum by (limit) (rate(gateway_http_requests_shed_total{job="$job"}[$__rate_interval]))"#,
                    "{{limit}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Connections",
                "short",
                "Open connections on the signal ports. Envoy holds one for each of its workers and replica.",
                &[(r#"sum by (instance) (gateway_http_connections{job="$job"})"#, "{{instance}}")],
            ),
        ],
    },
];
