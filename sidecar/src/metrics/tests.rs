mod documented;

use std::time::Duration;

use super::{AuthCheck, BudgetUse, Metrics, Port, REVISION, VERSION};

/// Metrics in which everything has happened.
fn everything() -> Metrics {
    let metrics = Metrics::default();
    metrics.received("prometheus", "critical", "firing", 4);
    metrics.deduplication.deduplicated(Some("PodDown"), 2);
    metrics.deduplication.deduplicated(None, 1);
    metrics.deduplication.deduplicated(Some("PodUp"), 0);
    metrics.created("prometheus");
    metrics.lock_failure("timeout");
    metrics.fingerprint_mismatch();
    metrics.batch(7);
    metrics.queued(5);
    metrics.dequeued(2);
    metrics.api_call("create", "leases", "conflict", Duration::from_millis(3));
    metrics.api_call("create", "remediationrequests", "timeout", Duration::from_millis(3));
    metrics.answered("/api/v1/signals/prometheus", "POST", 202, Duration::from_millis(3));
    metrics.shed("limits.maxSignalsInFlight");
    metrics.panicked();
    metrics.rejections.add("too_old", 2);
    metrics.budgets.exceeded("limits.maxActiveIncidents");
    metrics.auth.disabled();
    metrics.auth.result(AuthCheck::Token, "allowed");
    metrics.auth.cache(AuthCheck::Access, "miss");
    metrics.connections.evicted(Port::Signals, "peer");
    metrics.connections.refused(Port::Health, "total");
    metrics.targets.found("verified");
    metrics.targets.rights_missing(2);
    metrics.targets.scope_in_sync(true);
    metrics.tls.in_use(1_800_000_000);
    metrics.tls.reload_failed();
    metrics.spans.add("exported", 5);
    metrics.duplicate();
    metrics.removed("lease");
    metrics.indexed(3, true);
    metrics.progress.index_heard();
    metrics.progress.claims_collected();
    metrics.health.condition("index", true);
    metrics.health.ready(false);
    metrics.health.right_missing("create leases.coordination.k8s.io".to_owned(), true);
    metrics.outcomes.acknowledged("prometheus", 4);
    metrics.outcomes.acknowledged("kubernetes-event", 0);
    metrics.outcomes.failed("overloaded", 3);
    metrics.outcomes.problem("overloaded", 503);
    metrics.identity.configured("0123456789ab", "ba9876543210");
    metrics.budgets.look_at(|| {
        let of = |limit, used, of| BudgetUse { limit, used, of };
        vec![of("limits.maxActiveIncidents", 7, Some(10)), of("limits.maxNewIncidentsPerMinute", 2, None)]
    });
    metrics.api_call("create", "leases", "ok", Duration::from_millis(3));
    metrics
}

#[test]
fn every_metric_is_shown_with_its_help_text_and_value() {
    let text = everything().render().unwrap();
    let build = format!("gateway_build_info{{version=\"{VERSION}\",revision=\"{REVISION}\"}} 1");
    assert!(text.lines().any(|line| line == build), "{text}");
    for line in [
        "gateway_signals_received_total{source_type=\"prometheus\",severity=\"critical\",state=\"firing\"} 4",
        "gateway_signals_deduplicated_total{signal_name=\"PodDown\"} 2",
        "gateway_signals_deduplicated_total{signal_name=\"other\"} 1",
        "gateway_deduplication_cache_hits_total 3",
        "gateway_deduplication_rate 0.75",
        "gateway_crds_created_total{source_type=\"prometheus\",status=\"created\"} 1",
        "gateway_crd_creation_errors_total{error_type=\"timeout\"} 1",
        "gateway_lock_acquisition_failures_total{reason=\"timeout\"} 1",
        "gateway_fingerprint_mismatches_total 1",
        "gateway_batch_size_sum 7.0",
        "gateway_queue_depth 3",
        "gateway_api_calls_total{verb=\"create\",resource=\"leases\",outcome=\"conflict\"} 1",
        "gateway_http_request_duration_seconds_count{endpoint=\"/api/v1/signals/prometheus\",method=\"POST\",status=\"202\"} 1",
        "gateway_http_requests_shed_total{limit=\"limits.maxSignalsInFlight\"} 1",
        "gateway_panics_total 1",
        "gateway_signals_rejected_total{reason=\"too_old\"} 2",
        "gateway_budget_exceeded_total{limit=\"limits.maxActiveIncidents\"} 1",
        "gateway_auth_disabled 1",
        "gateway_auth_results_total{check=\"token\",result=\"allowed\"} 1",
        "gateway_auth_cache_total{check=\"access\",result=\"miss\"} 1",
        "gateway_http_connections_evicted_total{port=\"signals\",reason=\"peer\"} 1",
        "gateway_http_connections_refused_total{port=\"health\",reason=\"total\"} 1",
        "gateway_target_lookups_total{result=\"verified\"} 1",
        "gateway_target_rights_missing 2",
        "gateway_scope_in_sync 1",
        "gateway_tls_reload_errors_total 1",
        "gateway_tls_reload_failing 1",
        "gateway_tls_certificate_expiry_timestamp_seconds 1800000000",
        "gateway_duplicate_crds_detected_total 1",
        "gateway_trace_spans_total{result=\"exported\"} 5",
        "gateway_housekeeping_removed_total{kind=\"lease\"} 1",
        "gateway_index_incidents 3",
        "gateway_ready{condition=\"index\"} 1",
        "gateway_ready{condition=\"all\"} 0",
        "gateway_right_missing{right=\"create leases.coordination.k8s.io\"} 1",
        "gateway_signals_acknowledged_total{source_type=\"prometheus\"} 4",
        "gateway_signals_counted_total 7",
        "gateway_signals_failed_total{problem=\"overloaded\"} 3",
        "gateway_http_problems_total{kind=\"overloaded\",status=\"503\"} 1",
        "gateway_config_info{config=\"0123456789ab\",targets=\"ba9876543210\"} 1",
        "gateway_budget_used{limit=\"limits.maxActiveIncidents\"} 7",
        "gateway_budget_used{limit=\"limits.maxNewIncidentsPerMinute\"} 2",
        "gateway_budget_limit{limit=\"limits.maxActiveIncidents\"} 10",
        "# HELP gateway_queue_depth Signals that wait for their incident's next write.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
}

#[test]
fn a_budget_without_a_limit_has_none_and_times_are_shown_in_seconds() {
    let text = everything().render().unwrap();
    assert!(!text.contains("gateway_budget_limit{limit=\"limits.maxNewIncidentsPerMinute\"}"), "{text}");
    for name in ["gateway_last_write_timestamp_seconds", "gateway_index_last_event_timestamp_seconds"] {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap();
        assert!((1.7e9..1e10).contains(&value), "{name} {value}");
        let empty = Metrics::new().render().unwrap();
        assert!(empty.lines().any(|line| line == format!("{name} 0.0")), "{empty}");
    }
}

#[test]
fn a_guard_counts_until_it_is_dropped() {
    let metrics = Metrics::new();
    let guards = (metrics.request(), metrics.connection(), metrics.incident());
    let shown = |value: &str| {
        let text = metrics.render().unwrap();
        ["gateway_http_requests_in_flight", "gateway_http_connections", "gateway_incidents_in_hand"]
            .iter()
            .all(|name| text.contains(&format!("{name} {value}\n")))
    };
    assert!(shown("1"));
    drop(guards);
    assert!(shown("0"));
}

#[test]
fn help_texts_end_with_one_full_stop() {
    let text = Metrics::new().render().unwrap();
    for help in text.lines().filter(|line| line.starts_with("# HELP")) {
        assert!(help.ends_with('.'), "{help}");
    }
    assert!(text.lines().filter(|line| line.starts_with("# HELP")).count() > 5);
    assert!(!text.contains(".."), "{text}");
}
