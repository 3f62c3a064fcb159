//! Each sidecar by itself.

use super::{Kind, Panel, Row, panel};

pub(super) const ROWS: &[Row] = &[Row {
    title: "Each replica",
    panels: &[
        panel(
            Kind::Lines,
            "CPU",
            "short",
            "CPU seconds per second.",
            &[(r#"sum by (instance) (rate(process_cpu_seconds_total{job="$job"}[$__rate_interval]))"#, "{{instance}}")],
        ),
        panel(
            Kind::Lines,
            "Memory",
            "bytes",
            "Resident memory.",
            &[(r#"sum by (instance) (process_resident_memory_bytes{job="$job"})"#, "{{instance}}")],
        ),
        panel(
            Kind::Lines,
            "Signals acknowledged",
            "cps",
            "Equal shares need many incidents: all signals of an incident go to one replica.",
            &[(
                r#"sum by (instance) (rate(gateway_signals_acknowledged_total{job="$job"}[$__rate_interval]))"#,
                "{{instance}}",
            )],
        ),
        Panel {
            width: 12,
            ..panel(
                Kind::Table,
                "Readiness, by condition",
                "short",
                "0: the condition does not hold, and the replica is not ready.",
                &[(r#"max by (instance, condition) (gateway_ready{job="$job"})"#, "")],
            )
        },
        Panel {
            width: 12,
            ..panel(
                Kind::Table,
                "Versions and configurations",
                "short",
                "One line a replica. Different hashes of targets make different fingerprints.",
                &[(
                    r#"max by (instance, version, revision) (gateway_build_info{job="$job"}) * on (instance) group_right (version, revision) max by (instance, config, targets) (gateway_config_info{job="$job"})"#,
                    "",
                )],
            )
        },
    ],
}];
