//! The proxy in front and the filter in it.

use super::{Kind, Row, panel};

pub(super) const ROWS: &[Row] = &[Row {
    title: "Envoy",
    panels: &[
        panel(
            Kind::Stacked,
            "Requests, by status",
            "reqps",
            "What senders get, by class of status.",
            &[(
                r#"sum by (envoy_response_code_class) (rate(envoy_http_downstream_rq_xx{job="$envoy_job",envoy_http_conn_manager_prefix="onceway"}[$__rate_interval]))"#,
                "{{envoy_response_code_class}}xx",
            )],
        ),
        panel(
            Kind::Stacked,
            "What the filter did",
            "reqps",
            "fingerprinted and split are the rule. error, several: without affinity. shed, too_large: answered by the filter.",
            &[(
                r#"sum by (outcome) (rate(onceway_filter_requests_total{job="$envoy_job"}[$__rate_interval]))"#,
                "{{outcome}}",
            )],
        ),
        panel(
            Kind::Lines,
            "Healthy replicas",
            "short",
            "As each Envoy sees them.",
            &[(
                r#"sum by (instance) (envoy_cluster_membership_healthy{job="$envoy_job",envoy_cluster_name="onceway"})"#,
                "{{instance}}",
            )],
        ),
        panel(
            Kind::Stacked,
            "Requests that reached no replica, by cause",
            "reqps",
            "Timeouts, failed connections and resets between Envoy and the sidecars.",
            &[
                (
                    r#"sum(rate(envoy_cluster_upstream_rq_timeout{job="$envoy_job",envoy_cluster_name="onceway"}[$__rate_interval]))"#,
                    "timeout",
                ),
                (
                    r#"sum(rate(envoy_cluster_upstream_cx_connect_fail{job="$envoy_job",envoy_cluster_name="onceway"}[$__rate_interval]))"#,
                    "connect",
                ),
                (
                    r#"sum(rate(envoy_cluster_upstream_rq_rx_reset{job="$envoy_job",envoy_cluster_name="onceway"}[$__rate_interval]))"#,
                    "reset",
                ),
                (
                    r#"sum(rate(envoy_cluster_upstream_cx_none_healthy{job="$envoy_job",envoy_cluster_name="onceway"}[$__rate_interval]))"#,
                    "no replica",
                ),
            ],
        ),
        panel(
            Kind::Lines,
            "The filter's VMs created anew",
            "short",
            "After a trap. Each costs the requests in flight of its worker.",
            &[(
                r#"sum(increase(envoy_wasm_onceway_vm_reload_success{job="$envoy_job"}[$__rate_interval]))"#,
                "reloads",
            )],
        ),
        panel(
            Kind::Lines,
            "Heap",
            "bytes",
            "Envoy's heap; from 80 % of its limit (max_heap_size_bytes of its overload manager) it sheds load.",
            &[(r#"sum by (instance) (envoy_server_memory_allocated{job="$envoy_job"})"#, "{{instance}}")],
        ),
    ],
}];
