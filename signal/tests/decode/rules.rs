//! The rules that a user writes, by example, and the properties of every rule set.

use std::collections::BTreeMap;

use onceway_signal::limits::{MAX_ALTERNATIVES, MAX_CONDITIONS, MAX_IGNORED, MAX_OBSERVERS, MAX_RULE_TEXT, MAX_RULES};
use onceway_signal::rules::{
    Document, KindDocument, Matchers, NameDocument, NamePart, OneOrMany, RuleDocument, RuleId, Rules,
};
use onceway_signal::{Entry, Origin, Source, State};
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::{identity, only, webhook_of};

fn rules(targets: Value) -> Rules {
    serde_json::from_value(targets).expect("valid rules")
}

fn error(targets: Value) -> String {
    serde_json::from_value::<Rules>(targets).expect_err("an error").to_string()
}

/// An alert's text, the rule that decided, and its state.
fn decide(rules: &Rules, labels: Value) -> (String, RuleId, State) {
    let mut labels = labels;
    labels["alertname"] = json!("A");
    let body = webhook_of(labels);
    let payload = onceway_signal::decode(rules, Origin::of(Source::Prometheus), body.as_bytes()).expect("a webhook");
    let Entry { signal, .. } = only(&payload);
    let signal = signal.expect("a signal");
    (identity(&signal), signal.rule, signal.state)
}

fn target(rules: &Rules, labels: Value) -> String {
    decide(rules, labels).0
}

#[test]
fn the_first_rule_that_applies_names_the_target_and_the_users_come_first() {
    let rules = rules(json!({"rules": [
        {"when": {"job": "db"}, "kind": "Database", "name": ["database"]},
        {"when": {"job": "db"}, "kind": "Table", "name": ["table"]},
    ]}));
    let labels = json!({"job": "db", "namespace": "ns", "table": "t", "pod": "db-0"});
    assert_eq!(decide(&rules, labels), ("ns:Table:t".to_owned(), RuleId::User(1), State::Firing));
    let both = json!({"job": "db", "namespace": "ns", "table": "t", "database": "d"});
    assert_eq!(target(&rules, both), "ns:Database:d");
    let neither = json!({"job": "db", "namespace": "ns", "pod": "db-0"});
    assert_eq!(decide(&rules, neither), ("ns:StatefulSet:db".to_owned(), RuleId::BuiltIn("pod"), State::Firing));
}

#[test]
fn all_labels_of_a_condition_must_match_one_of_their_patterns() {
    let rules = rules(json!({"rules": [
        {"when": {"job": ["*-mq", "queue*"], "env": "prod"}, "kind": "Queue", "name": "queue"},
    ]}));
    for (job, env, expected) in [
        ("rabbit-mq", "prod", "ns:Queue:q"),
        ("queues", "prod", "ns:Queue:q"),
        ("rabbit-mq", "test", "ns:Service:rabbit-mq"),
        ("mq", "prod", "ns:Service:mq"),
    ] {
        assert_eq!(target(&rules, json!({"job": job, "env": env, "namespace": "ns", "queue": "q"})), expected);
    }
    let absent = json!({"job": "queues", "namespace": "ns", "queue": "q"});
    assert_eq!(target(&rules, absent), "ns:Service:queues");
}

#[test]
fn a_name_is_the_first_label_present_or_all_joined_or_a_host() {
    let rules = rules(json!({"rules": [
        {"when": {"rule": "first"}, "kind": "X", "name": ["a", "b"]},
        {"when": {"rule": "join"}, "kind": "Disk", "name": {"join": [{"host": "instance"}, "disk"]}, "namespace": []},
    ]}));
    assert_eq!(target(&rules, json!({"rule": "first", "a": "", "b": "2"})), ":X:2");
    let disk = json!({"rule": "join", "instance": "h:9100", "disk": "sda", "namespace": "ns"});
    assert_eq!(target(&rules, disk), ":Disk:h/sda");
    assert_eq!(target(&rules, json!({"rule": "join", "instance": "h:9100"})), ":Instance:h");
}

#[test]
fn kind_namespace_and_cluster_come_from_the_labels_that_the_rule_names() {
    let rules = rules(json!({"rules": [{
        "when": {"object_kind": "*"},
        "kind": {"label": "object_kind"},
        "name": ["object"],
        "namespace": ["object_namespace", "namespace"],
        "cluster": ["object_cluster"],
    }]}));
    let labels = json!({"object_kind": "Widget", "object": "w", "object_namespace": "far", "namespace": "near",
        "object_cluster": "east-1", "cluster": "not-read"});
    assert_eq!(target(&rules, labels), "east-1:far:Widget:w");
    let near = json!({"object_kind": "Widget", "object": "w", "namespace": "near"});
    assert_eq!(target(&rules, near), "near:Widget:w");
    let no_kind = json!({"object_kind": "no kind", "object": "w", "namespace": "near"});
    assert_eq!(target(&rules, no_kind), "near:NamespaceScope:A");
}

#[test]
fn a_value_that_is_no_valid_name_of_its_kind_names_nothing() {
    let rules = Rules::built_in();
    for (label, value) in [("deployment", "No Name"), ("pod", "a_b"), ("node", "fd00::1"), ("service", "a.b")] {
        let mut labels = json!({"namespace": "ns"});
        labels[label] = json!(value);
        assert_eq!(target(rules, labels), "ns:NamespaceScope:A", "{label} {value}");
    }
    // Of a kind that is not Kubernetes' any text is a name.
    assert_eq!(
        target(rules, json!({"namespace": "ns", "consumergroup": "My Group!"})),
        "ns:KafkaConsumerGroup:My Group!"
    );
}

#[test]
fn ignored_alerts_are_no_incident_unless_they_are_resolved_anyway() {
    let rules = rules(json!({"ignore": [{"severity": "info"}, {"team": ["a", "b*"], "env": "test"}]}));
    for (labels, state) in [
        (json!({"severity": "info"}), State::Ignored),
        (json!({"team": "bb", "env": "test"}), State::Ignored),
        (json!({"team": "bb"}), State::Firing),
        (json!({"severity": "none"}), State::Ignored),
        (json!({"severity": "critical"}), State::Firing),
    ] {
        assert_eq!(decide(&rules, labels.clone()).2, state, "{labels}");
    }
}

#[test]
fn a_users_observer_is_believed_as_a_built_in_one() {
    let labels = json!({"job": "inventory", "namespace": "monitoring", "pod": "inventory-0", "exported_namespace": "prod",
        "statefulset": "db"});
    assert_eq!(target(Rules::built_in(), labels.clone()), "monitoring:StatefulSet:db");
    let rules = rules(json!({"observers": [["inventory", "stock"]]}));
    assert_eq!(target(&rules, labels), "prod:StatefulSet:db");
    // Its own pod does not name the victim, under none of its names.
    let own = json!({"job": "inventory", "namespace": "monitoring", "pod": "stock-0", "node": "worker-1"});
    assert_eq!(target(&rules, own), ":Node:worker-1");
}

#[test]
fn the_container_alone_makes_no_observer() {
    let labels = json!({"container": "redis-exporter", "namespace": "cache", "pod": "redis-exporter-7d4b8c9f5d-x2k4z"});
    assert_eq!(target(Rules::built_in(), labels.clone()), "cache:Deployment:redis-exporter");
    let mut scraped = labels;
    scraped["job"] = json!("metrics");
    assert_eq!(target(Rules::built_in(), scraped), "cache:NamespaceScope:A");
}

#[test]
fn what_is_wrong_with_a_rule_is_named_with_its_place() {
    let long = "x".repeat(MAX_RULE_TEXT + 1);
    for (targets, message) in [
        (json!({"rule": []}), "unknown field `rule`"),
        (json!({"rules": [{"kind": "K"}]}), "missing field `name`"),
        (json!({"rules": [{"name": ["a"]}]}), "missing field `kind`"),
        (json!({"rules": [{"kind": "K", "name": 1}]}), "expected a label, a list of labels, or {join: [<labels>]}"),
        (json!({"rules": [{"kind": "K", "name": {"joined": []}}]}), "unknown field `joined`"),
        (json!({"rules": [{"kind": "k", "name": ["a"]}]}), "targets.rules[0].kind is no kind"),
        (json!({"rules": [{"kind": "ClusterScope", "name": ["a"]}]}), "targets.rules[0].kind is `ClusterScope`"),
        (json!({"rules": [{"kind": "K", "name": []}]}), "targets.rules[0].name is empty"),
        (json!({"rules": [{"kind": "K", "name": [""]}]}), "targets.rules[0].name has a label of 0 bytes"),
        (json!({"rules": [{"kind": "K", "name": [long]}]}), "targets.rules[0].name has a label of 254 bytes"),
        (json!({"rules": [{"when": {"a": "b*c"}, "kind": "K", "name": ["a"]}]}), "targets.rules[0].when.a has a `*`"),
        (
            json!({"rules": [{"when": {"a": []}, "kind": "K", "name": ["a"]}]}),
            "targets.rules[0].when.a is an empty list",
        ),
        (json!({"ignore": [{}]}), "targets.ignore[0] is empty, so that every alert would be ignored"),
        (json!({"ignore": [{"a": 5}]}), "expected a string or a list of strings"),
        (json!({"observers": [""]}), "targets.observers[0] is empty"),
        (json!({"observers": [[]]}), "targets.observers[0] is an empty list"),
    ] {
        let error = error(targets.clone());
        assert!(error.contains(message), "{targets}: {error}");
    }
}

#[test]
fn everything_has_a_limit() {
    let rule = json!({"kind": "K", "name": ["a"]});
    let texts = |number: usize| (0..number).map(|n| format!("x{n}")).collect::<Vec<_>>();
    let when =
        |number: usize| texts(number).into_iter().map(|label| (label, json!("v"))).collect::<serde_json::Map<_, _>>();
    for (limit, make) in [
        (MAX_RULES, Box::new(|n| json!({"rules": vec![rule.clone(); n]})) as Box<dyn Fn(usize) -> Value>),
        (MAX_IGNORED, Box::new(|n| json!({"ignore": vec![json!({"a": "b"}); n]}))),
        (MAX_OBSERVERS, Box::new(|n| json!({"observers": vec!["a"; n]}))),
        (MAX_CONDITIONS, Box::new(move |n| json!({"rules": [{"kind": "K", "name": ["a"], "when": when(n)}]}))),
        (MAX_ALTERNATIVES, Box::new(move |n| json!({"rules": [{"kind": "K", "name": texts(n)}]}))),
        (MAX_ALTERNATIVES, Box::new(move |n| json!({"observers": [texts(n)]}))),
        (MAX_ALTERNATIVES, Box::new(move |n| json!({"rules": [{"kind": "K", "name": "a", "namespace": texts(n)}]}))),
    ] {
        assert!(serde_json::from_value::<Rules>(make(limit)).is_ok(), "{limit}");
        assert!(error(make(limit + 1)).contains(&format!("has {} entries; use at most {limit}", limit + 1)));
    }
}

#[test]
fn equal_rules_have_equal_hashes_and_a_different_label_changes_it() {
    let of = |label: &str| rules(json!({"rules": [{"kind": "K", "name": [label]}]}));
    assert_eq!(of("a").hash(), of("a").hash());
    assert_ne!(of("a").hash(), of("b").hash());
    assert_ne!(of("a").hash(), Rules::built_in().hash());
    assert_eq!(Rules::built_in().hash().len(), 8);
}

#[test]
fn a_document_is_written_as_it_was_read() {
    let document = json!({
        "ignore": [{"severity": ["info"]}],
        "observers": [["a", "b*"]],
        "rules": [{"when": {"job": ["x"]}, "kind": {"label": "k"}, "name": {"join": ["a", {"host": "b"}]},
            "namespace": [], "cluster": ["c"]}],
        "clusters": ["east-1"],
        "denyNamespaces": ["kube-*"],
        "resolve": "derive",
        "missing": "reject",
        "localClusters": ["east-1"],
    });
    assert_eq!(serde_json::to_value(rules(document.clone())).unwrap(), document);
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["alertname", "job", "service", "container", "pod", "namespace", "node", "name", "kind", "instance",
            "exported_pod", "exported_namespace", "cluster", "deployment", "severity", "x", "y"]).prop_map(str::to_owned),
        1 => "[a-z_]{1,6}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["", "a", "kube-state-metrics", "node-exporter", "web-7d4b8c9f5d-x2k4z", "db-0", "Pod", "Node", "a:b",
            "10.0.0.1:80", "%3A", "none", "é"]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ]
}

fn one_or_many(text: impl Strategy<Value = String>) -> impl Strategy<Value = OneOrMany> {
    vec(text, 0..3).prop_map(OneOrMany)
}

fn pattern() -> impl Strategy<Value = String> {
    (any::<bool>(), value(), any::<bool>()).prop_map(|(before, text, after)| {
        format!("{}{text}{}", if before { "*" } else { "" }, if after { "*" } else { "" })
    })
}

fn matchers() -> impl Strategy<Value = Matchers> {
    btree_map(label(), one_or_many(pattern()), 0..3).prop_map(Matchers)
}

fn name_part() -> impl Strategy<Value = NamePart> {
    prop_oneof![label().prop_map(NamePart::Label), label().prop_map(|host| NamePart::Host { host })]
}

fn rule() -> impl Strategy<Value = RuleDocument> {
    let kind = prop_oneof![
        select(vec!["Pod", "Node", "Thing", "Namespace"]).prop_map(|kind| KindDocument::Literal(kind.to_owned())),
        label().prop_map(|label| KindDocument::Label { label }),
    ];
    let name = prop_oneof![
        vec(name_part(), 1..3).prop_map(NameDocument::First),
        vec(name_part(), 1..3).prop_map(|join| NameDocument::Join { join }),
    ];
    let namespace = prop_oneof![Just(OneOrMany(vec!["namespace".to_owned()])), one_or_many(label())];
    (matchers(), kind, name, namespace, one_or_many(label()))
        .prop_map(|(when, kind, name, namespace, cluster)| RuleDocument { when, kind, name, namespace, cluster })
}

fn document() -> impl Strategy<Value = Document> {
    (vec(matchers(), 0..2), vec(one_or_many(pattern()), 0..3), vec(rule(), 0..6))
        .prop_map(|(ignore, observers, rules)| Document { ignore, observers, rules, ..Document::default() })
}

/// What a rule set makes of labels: the parts of the target and its text, or the rejection.
fn outcome(rules: &Rules, labels: &[(String, String)]) -> Result<(Vec<String>, String), String> {
    let members: Vec<String> = labels.iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value))).collect();
    let body = format!(r#"{{"alerts":[{{"status":"firing","labels":{{{}}}}}]}}"#, members.join(","));
    let payload = onceway_signal::decode(rules, Origin::of(Source::Prometheus), body.as_bytes()).expect("a webhook");
    let signal = only(&payload).signal.map_err(|rejection| rejection.to_string())?;
    let cluster = signal.cluster.as_deref().unwrap_or_default();
    let parts = [cluster, &signal.target.namespace, &signal.target.kind, &signal.target.name];
    Ok((parts.map(str::to_owned).to_vec(), identity(&signal)))
}

proptest! {
    #[test]
    fn any_rules_and_any_labels_end_in_a_target_or_a_rejection(
        document in document(), labels in vec(btree_map(label(), value(), 0..8), 1..20),
    ) {
        let Ok(rules) = Rules::compile(document) else { return Ok(()) };
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for labels in labels {
            let labels: Vec<_> = labels.into_iter().collect();
            let found = outcome(&rules, &labels);
            let reversed: Vec<_> = labels.into_iter().rev().collect();
            prop_assert_eq!(&outcome(&rules, &reversed), &found, "the order of labels does not matter");
            if let Ok((parts, text)) = found {
                prop_assert!(!parts[2].is_empty() && !parts[3].is_empty());
                let first = texts.entry(text).or_insert_with(|| parts.clone());
                prop_assert_eq!(&*first, &parts, "two targets have one text");
            }
        }
    }

    #[test]
    fn the_neighbours_of_an_alert_in_its_webhook_do_not_change_its_target(
        document in document(), labels in vec(btree_map(label(), value(), 0..8), 1..100),
    ) {
        let Ok(rules) = Rules::compile(document) else { return Ok(()) };
        let webhook = |alerts: &[BTreeMap<String, String>]| {
            let alerts: Vec<_> = alerts.iter().map(|labels| json!({"status": "firing", "labels": labels})).collect();
            json!({"status": "firing", "alerts": alerts}).to_string()
        };
        let signals = |body: &str| -> Vec<String> {
            let payload = onceway_signal::decode(&rules, Origin::of(Source::Prometheus), body.as_bytes()).expect("a webhook");
            payload.entries().iter().map(|entry| {
                let signal = entry.signal.as_ref();
                format!("{:?}", signal.map(|signal| (&signal.target, &signal.cluster, signal.rule, signal.state)))
            }).collect()
        };
        let together = signals(&webhook(&labels));
        let alone: Vec<String> = labels.into_iter().flat_map(|labels| signals(&webhook(&[labels]))).collect();
        prop_assert_eq!(together, alone);
    }
}
