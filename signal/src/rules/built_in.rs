//! The built-in table for people.

use serde::Serialize;

use super::defaults::{DefaultKind, DefaultRule, EXPORTER, RULES};

/// A rule of the built-in table, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuiltInRule {
    /// What `onceway explain` calls it. Rules in a row may share a name.
    pub rule: &'static str,
    /// The alerts that it is for; empty: all that have a label of `name`.
    pub applies: String,
    /// The target's kind.
    pub kind: String,
    /// The labels that may hold the target's name, the first that is present.
    pub name: String,
}

/// The built-in rules, in the order in which they are tried.
pub fn built_in_rules() -> impl Iterator<Item = BuiltInRule> {
    RULES.iter().map(|rule| BuiltInRule {
        rule: rule.id,
        applies: applies(rule),
        kind: match rule.kind {
            DefaultKind::Literal(kind) => kind.to_owned(),
            DefaultKind::Label(label) => format!("that of label {label}"),
        },
        name: rule.name.iter().map(|label| name(label)).collect::<Vec<_>>().join(", "),
    })
}

fn applies(rule: &DefaultRule) -> String {
    let patterns = rule.patterns.join(", ");
    let matching = match rule.when {
        [] => String::new(),
        EXPORTER => format!("exporter {patterns}"),
        labels => format!("{} {patterns}", labels.join(" or ")),
    };
    let parts = [
        matching.as_str(),
        if rule.observers_only { "of an observer" } else { "" },
        if rule.needs_namespace { "with a namespace" } else { "" },
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn name(label: &str) -> String {
    label.strip_prefix('@').map_or_else(|| label.to_owned(), |label| format!("host in {label}"))
}

#[cfg(test)]
mod tests {
    use super::built_in_rules;

    #[test]
    fn a_rule_says_which_alerts_it_is_for_and_where_its_target_is() {
        let shown: Vec<[String; 3]> = built_in_rules()
            .filter(|rule| ["target-down-pod", "pvc-of-exporter", "kubelet", "kind-and-name"].contains(&rule.rule))
            .map(|rule| [rule.applies, rule.kind, rule.name])
            .collect();
        let expected = [
            ["alertname TargetDown, InstanceDown, PrometheusTargetMissing, with a namespace", "Pod", "pod"],
            ["pvc_namespace *, of an observer", "PersistentVolumeClaim", "pvc"],
            ["exporter *kubelet, *cadvisor, kubernetes-nodes*", "Node", "host in instance"],
            ["", "that of label kind", "name"],
        ];
        assert_eq!(shown, expected.map(|row| row.map(str::to_owned)));
    }
}
