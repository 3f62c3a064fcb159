//! What comes in, and what becomes of it.

use super::{Kind, Row, panel};

pub(super) const ROWS: &[Row] = &[
    Row {
        title: "Signals in and out",
        panels: &[
            panel(
                Kind::Stacked,
                "Signals received, by state",
                "cps",
                "Alerts and events in requests, per second: firing, resolved, ignored by the target rules, rejected.",
                &[(
                    r#"sum by (state) (rate(gateway_signals_received_total{job="$job"}[$__rate_interval]))"#,
                    "{{state}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Firing signals, by what became of them",
                "cps",
                "Acknowledged and counted are equal but for responses that were lost. Failed ones are sent again by their senders.",
                &[
                    (r#"sum(rate(gateway_signals_acknowledged_total{job="$job"}[$__rate_interval]))"#, "acknowledged"),
                    (r#"sum(rate(gateway_signals_counted_total{job="$job"}[$__rate_interval]))"#, "counted"),
                    (r#"sum(rate(gateway_signals_failed_total{job="$job"}[$__rate_interval]))"#, "failed"),
                ],
            ),
            panel(
                Kind::Stacked,
                "5xx, by cause",
                "reqps",
                "Responses to requests, by the kind of their problem.",
                &[(
                    r#"sum by (kind) (rate(gateway_http_problems_total{job="$job",status=~"5.."}[$__rate_interval]))"#,
                    "{{kind}}",
                )],
            ),
            panel(
                Kind::Stacked,
                "Rejected signals, by reason",
                "cps",
                "Signals that can never be accepted as they are; nobody sends them again. A new reason after a change of rules is worth a look.",
                &[(
                    r#"sum by (reason) (rate(gateway_signals_rejected_total{job="$job"}[$__rate_interval]))"#,
                    "{{reason}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Decisions about senders",
                "cps",
                "By check (token: of a request; access: to a target's namespace) and result. An error is answered 503.",
                &[(
                    r#"sum by (check, result) (rate(gateway_auth_results_total{job="$job"}[$__rate_interval]))"#,
                    "{{check}} {{result}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Error budget",
                "percentunit",
                "Failed signals by window. A page at 1.44 % in 1 h and 5 min; a ticket at 0.3 % in 6 h and 30 min.",
                &[
                    (r#"job:gateway_signals_failed:ratio_rate5m{job="$job"}"#, "5 min"),
                    (r#"job:gateway_signals_failed:ratio_rate30m{job="$job"}"#, "30 min"),
                    (r#"job:gateway_signals_failed:ratio_rate1h{job="$job"}"#, "1 h"),
                    (r#"job:gateway_signals_failed:ratio_rate6h{job="$job"}"#, "6 h"),
                ],
            ),
        ],
    },
    Row {
        title: "Incidents",
        panels: &[
            panel(
                Kind::Lines,
                "RemediationRequests created",
                "cps",
                "New incidents per second. Each is a repair.",
                &[(r#"sum(rate(gateway_crds_created_total{job="$job"}[$__rate_interval]))"#, "created")],
            ),
            panel(
                Kind::Lines,
                "Budgets used",
                "percentunit",
                "Share of each budget on incidents. At 100 % new incidents get 503; known ones go on.",
                &[(
                    r#"max by (limit) (gateway_budget_used{job="$job"} / (gateway_budget_limit{job="$job"} > 0))"#,
                    "{{limit}}",
                )],
            ),
            panel(
                Kind::Lines,
                "Duplicates by other clients",
                "short",
                "RemediationRequests that another client made beside an older one of the incident.",
                &[(
                    r#"sum(increase(gateway_duplicate_crds_detected_total{job="$job"}[$__rate_interval]))"#,
                    "duplicates",
                )],
            ),
        ],
    },
];
