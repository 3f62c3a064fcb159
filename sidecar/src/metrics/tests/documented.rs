//! `docs/operations/metrics.md` is what is exposed, and that follows Prometheus' conventions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Metrics, everything};

const PAGE: &str = include_str!("../../../../docs/operations/metrics.md");
/// Shown only where the process has such a limit.
const OF_THE_MACHINE: [&str; 2] = ["process_virtual_memory_max_bytes", "process_max_fds"];

/// A family as Prometheus knows it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// The families of a text in OpenMetrics.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut helps: BTreeMap<&str, &str> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            current = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            let help = helps.get(name).map(|help| (*help).to_owned()).unwrap_or_default();
            let family = Family { kind: kind.to_owned(), help, ..Family::default() };
            assert!(families.insert(current.clone(), family).is_none(), "{name} is there twice");
        } else if let Some((_, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let (set, _) = rest.rsplit_once('}').unwrap();
            let keys = set.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            families.get_mut(&current).unwrap().labels.extend(keys.filter(|key| key != "le"));
        }
    }
    families
}

/// The cells of the page's rows whose first cell is a name in backticks.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_registered_metric_is_exposed_once_something_has_happened() {
    let metrics = everything();
    let families = families(&metrics.render().unwrap());
    for name in metrics.names().iter().filter(|name| !OF_THE_MACHINE.contains(&name.as_str())) {
        let is_exposed = families.contains_key(name) || families.contains_key(&format!("{name}_total"));
        assert!(is_exposed, "{name}: have everything() in this module's parent record it");
    }
    assert!(metrics.names().len() > 50);
}

#[test]
fn the_page_has_a_row_for_every_metric_with_its_type_and_labels_and_none_for_others() {
    let families = families(&everything().render().unwrap());
    let page: BTreeMap<&str, Vec<&str>> =
        rows(PAGE).filter(|cells| cells.len() == 4).map(|cells| (cells[0].trim_matches('`'), cells)).collect();
    for (name, family) in &families {
        let cells =
            page.get(name.as_str()).unwrap_or_else(|| panic!("docs/operations/metrics.md has no row for {name}"));
        assert_eq!(cells[1], family.kind, "{name}");
        assert_eq!(quoted(cells[2]), family.labels, "{name}");
    }
    for name in page.keys() {
        assert!(families.contains_key(*name) || OF_THE_MACHINE.contains(name), "{name} is not exposed");
    }
}

#[test]
fn the_page_says_which_values_every_label_has() {
    let labels: BTreeSet<String> =
        rows(PAGE).filter(|cells| cells.len() == 2).flat_map(|cells| quoted(cells[0])).collect();
    for (name, family) in families(&everything().render().unwrap()) {
        for label in family.labels {
            assert!(labels.contains(&label), "docs/operations/metrics.md has no row for the label {label} of {name}");
        }
    }
}

/// The values of one label, in all families whose name begins so.
fn values(text: &str, families: &str, label: &str) -> BTreeSet<String> {
    let of_family = |line: &&str| line.starts_with(families);
    let of_label = |line: &str| {
        let (_, rest) = line.split_once(&format!("{label}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.lines().filter(of_family).filter_map(of_label).collect()
}

/// The rate of a counter that begins with its first event misses that event.
#[test]
fn every_closed_set_of_labels_is_shown_from_the_start_with_the_values_on_the_page() {
    let text = Metrics::new().render().unwrap();
    for (row, families, label) in [
        ("`check`", "gateway_auth_", "check"),
        ("`kind` of `gateway_http_problems_total`, `problem`", "gateway_http_problems_total", "kind"),
        ("`kind` of `gateway_housekeeping_removed_total`", "gateway_housekeeping_removed_total", "kind"),
        ("`port`", "gateway_http_connections_evicted_total", "port"),
        ("`reason` of connections", "gateway_http_connections_", "reason"),
        ("`reason` of `gateway_signals_rejected_total`", "gateway_signals_rejected_total", "reason"),
        ("`result` of checks", "gateway_auth_", "result"),
        ("`result` of lookups", "gateway_target_lookups_total", "result"),
        ("`result` of spans", "gateway_trace_spans_total", "result"),
        ("`source_type`", "gateway_signals_acknowledged_total", "source_type"),
        ("`source_type`", "gateway_crds_created_total", "source_type"),
    ] {
        let cells = rows(PAGE).find(|cells| cells.len() == 2 && cells[0] == row);
        let cells = cells.unwrap_or_else(|| panic!("docs/operations/metrics.md has no row {row}"));
        assert_eq!(values(&text, families, label), quoted(cells[1]), "{row}");
    }
    let failed = values(&text, "gateway_signals_failed_total", "problem");
    assert!(failed.contains("deadline-exceeded") && !failed.contains("forbidden"), "{failed:?}");
    for (families, limits) in [("gateway_http_requests_shed_total", 9), ("gateway_budget_exceeded_total", 3)] {
        assert_eq!(values(&text, families, "limit").len(), limits, "{families}");
    }
}

#[test]
fn the_watch_of_the_namespaces_is_shown_only_where_there_is_one() {
    let metrics = Metrics::new();
    let shown = |line: &str| metrics.render().unwrap().lines().any(|found| found.starts_with(line));
    assert!(!shown("gateway_scope_in_sync"));
    metrics.targets.scope_in_sync(false);
    assert!(shown("gateway_scope_in_sync 0"));
}

#[test]
fn files_that_cannot_be_used_are_shown_until_they_can() {
    let metrics = Metrics::new();
    let shown = |line: &str| metrics.render().unwrap().lines().any(|found| found == line);
    assert!(shown("gateway_tls_reload_failing 0"));
    metrics.tls.reload_failed();
    assert!(shown("gateway_tls_reload_failing 1"));
    metrics.tls.in_use(1);
    assert!(shown("gateway_tls_reload_failing 0") && shown("gateway_tls_reload_errors_total 1"));
}

/// The rules of `promtool check metrics`, as far as they concern names, units, types and help texts.
#[test]
fn names_follow_the_conventions_of_prometheus() {
    let is_lower = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    for (name, Family { kind, help, labels }) in families(&everything().render().unwrap()) {
        assert!(is_lower(&name), "{name}");
        assert!(!help.is_empty(), "{name} has no help text");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(["counter", "gauge", "histogram"].contains(&&*kind), "{name} is a {kind}");
        for suffix in ["_bucket", "_count", "_sum"] {
            assert!(!name.ends_with(suffix), "{name}");
        }
        let words: Vec<&str> = name.split('_').collect();
        for word in ["counter", "gauge", "histogram", "summary", "metric"] {
            assert!(!words.contains(&word), "{name} names its type");
        }
        // Base units alone, in full.
        for unit in [
            "s",
            "ms",
            "us",
            "ns",
            "sec",
            "b",
            "kb",
            "mb",
            "gb",
            "tb",
            "pb",
            "m",
            "h",
            "d",
            "milliseconds",
            "microseconds",
            "nanoseconds",
            "minutes",
            "hours",
            "days",
            "kilobytes",
            "megabytes",
            "gigabytes",
            "bits",
            "percent",
        ] {
            assert!(!words.contains(&unit), "{name} has the unit {unit}");
        }
        for label in labels {
            assert!(is_lower(&label) && label != "quantile" && !label.starts_with("__"), "{label} of {name}");
        }
    }
}
