//! What the metrics of kubernaut's gateway are called, and which of them we have: `kubernaut/metrics.json` is compared with what
//! is exposed, and with `docs/kubernaut.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use onceway::metrics::Metrics;
use serde::Deserialize;

/// A metric of kubernaut's gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    name: String,
    /// Empty for a group of names.
    #[serde(rename = "type")]
    kind: String,
    labels: Vec<String>,
    /// The labels that ours has besides.
    #[serde(default)]
    more: Vec<String>,
    /// Why we do not have it.
    absent: Option<String>,
}

fn facts() -> Vec<Fact> {
    serde_json::from_str(include_str!("kubernaut/metrics.json")).unwrap()
}

/// Metrics in which everything has happened once, as OpenMetrics text.
fn exposed() -> String {
    let metrics = Metrics::new();
    metrics.received("prometheus", "critical", "firing", 2);
    metrics.deduplication.deduplicated(Some("PodDown"), 1);
    metrics.rejections.add("too_old", 1);
    metrics.created("prometheus");
    metrics.api_call("create", "remediationrequests", "timeout", Duration::from_millis(1));
    metrics.answered("/api/v1/signals/prometheus", "POST", 201, Duration::from_millis(1));
    metrics.render().unwrap()
}

/// The type of the family whose samples have this name, in OpenMetrics.
fn kind<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let family = |kind: &str| if kind == "counter" { name.strip_suffix("_total") } else { Some(name) };
    types.clone().find(|(found, kind)| family(kind) == Some(*found)).map(|(_, kind)| kind)
}

/// The labels of a sample of this family, without a histogram's own.
fn labels(text: &str, name: &str) -> BTreeSet<String> {
    let sample = text.lines().find(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with(['{', ' ']) || rest.starts_with("_count{")
    });
    let set = sample.and_then(|sample| sample.split_once('{')).and_then(|(_, rest)| rest.rsplit_once('}'));
    let pairs = set.map_or("", |(set, _)| set).split("\",").filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, _)| key.to_owned()).filter(|key| key != "le").collect()
}

#[test]
fn a_metric_that_kubernaut_has_too_has_its_name_its_type_and_its_labels() {
    let text = exposed();
    for fact in facts().iter().filter(|fact| fact.absent.is_none()) {
        assert_eq!(kind(&text, &fact.name), Some(&*fact.kind), "{fact:?}");
        let expected: BTreeSet<String> = fact.labels.iter().chain(&fact.more).cloned().collect();
        assert_eq!(labels(&text, &fact.name), expected, "{fact:?}");
    }
}

#[test]
fn a_metric_of_kubernauts_that_we_do_not_have_has_a_reason() {
    let text = exposed();
    for fact in facts() {
        let Some(reason) = &fact.absent else { continue };
        assert!(reason.ends_with('.'), "{fact:?}");
        let prefix = fact.name.trim_end_matches('*');
        // A limit of the machine that runs the test.
        let shown = text.lines().any(|line| line.starts_with(prefix)) && prefix != "process_virtual_memory_max_bytes";
        assert!(!shown, "{fact:?} is there");
    }
}

#[test]
fn the_documentation_names_every_metric_of_kubernauts() {
    let page = include_str!("../../docs/kubernaut.md");
    for Fact { name, labels, more, absent, .. } in facts() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}`")));
        let row = row.unwrap_or_else(|| panic!("docs/kubernaut.md has no row for {name}"));
        for label in labels.iter().chain(&more).filter(|_| absent.is_none()) {
            assert!(row.contains(&format!("`{label}`")), "{label} is not in {row}");
        }
        let reason = absent.as_deref().unwrap_or("the same");
        assert!(row.contains(reason), "{reason:?} is not in {row}");
    }
}
