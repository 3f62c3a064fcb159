//! Colons separate the fields of the hashed text, and labels are free text: no two targets may have the same text.

use std::collections::HashMap;

use onceway_signal::Rejection;
use proptest::prelude::{Strategy, prop_assert_eq, proptest};
use proptest::{collection, sample};
use serde_json::{Value, json};

use crate::support::{decode_event, decode_webhook, event, identity, only, rejection_of, target_of, webhook_of};

#[test]
fn colons_in_real_names_are_accepted() {
    let arn = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
    let labels = json!({"alertname": "A", "cluster": arn, "namespace": "ns", "deployment": "d"});
    assert_eq!(target_of(labels), format!("{arn}:ns:Deployment:d"));
    assert_eq!(target_of(json!({"alertname": "Disk: full"})), ":ClusterScope:Disk: full");
    assert_eq!(target_of(json!({"alertname": "Disk::", "cluster": "c"})), "c::ClusterScope:Disk::");
    let role = event(json!({"kind": "ClusterRole", "name": "system:node"})).to_string();
    assert_eq!(only(&decode_event(&role)).signal.unwrap().target.to_string(), ":ClusterRole:system:node");
}

#[test]
fn a_colon_in_the_name_of_an_object_with_a_namespace_is_escaped() {
    let of_alert = |name: &str| target_of(json!({"alertname": name, "namespace": "ns"}));
    assert_eq!(of_alert("Disk: full"), "ns:NamespaceScope:Disk%3A full");
    assert_eq!(of_alert("Disk%3A full"), "ns:NamespaceScope:Disk%253A full");
    let role = event(json!({"kind": "Role", "name": "system:leader", "namespace": "kube-system"})).to_string();
    assert_eq!(only(&decode_event(&role)).signal.unwrap().target.to_string(), "kube-system:Role:system%3Aleader");
}

#[test]
fn a_colon_that_makes_a_target_ambiguous_is_rejected() {
    for (labels, part, target) in [
        (json!({"cluster": ":c", "node": "n"}), "cluster", ":c::Node:n"),
        (json!({"cluster": "c:", "node": "n"}), "cluster", "c:::Node:n"),
        (json!({"cluster": "a::b", "node": "n"}), "cluster", "a::b::Node:n"),
    ] {
        let mut labels = labels;
        labels["alertname"] = "A".into();
        let rejection = rejection_of(&webhook_of(labels));
        assert_eq!(rejection, Rejection::Ambiguous { part, target: target.to_owned() });
        let message = format!("the target `{target}` is ambiguous because of the ':' in its {part}; remove the ':'");
        assert_eq!(rejection.to_string(), message);
    }
    // An event's kind and namespace have no colon: their syntax is checked.
    let mut of_cluster = event(json!({"kind": "Node", "name": "n"}));
    of_cluster["clusterName"] = "a::b".into();
    let rejection = only(&decode_event(&of_cluster.to_string())).signal.unwrap_err();
    assert_eq!(rejection, Rejection::Ambiguous { part: "cluster", target: "a::b::Node:n".to_owned() });
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    sample::select(texts)
}

/// Labels whose values occur in the texts of other labels.
fn labels() -> impl Strategy<Value = Value> {
    let alertname = one_of(&["A", "A:A", ":A", "A%3AA"]);
    let cluster = one_of(&["", "", "A", ":", "A:", ":A", "A:A", "A::Node", "A:Node", ":Node", ":ClusterScope"]);
    let namespace = one_of(&["", "", "a", "a:a", ":", "node", "a:node"]);
    let group = one_of(&["", "", "a", "A:A", ":", "NamespaceScope:A", "%3A"]);
    let host = one_of(&["", "a", "A:A:A", "NamespaceScope:A:A", "[a:Deployment:A]", "[:Node:A]"]);
    (alertname, cluster, namespace, group, host).prop_map(|(alertname, cluster, namespace, group, host)| {
        json!({"alertname": alertname, "cluster": cluster, "namespace": namespace, "consumergroup": group, "host": host})
    })
}

proptest! {
    #[test]
    fn no_two_targets_have_the_same_text(labels in collection::vec(labels(), 100)) {
        let mut seen: HashMap<String, (Option<String>, String, String, String)> = HashMap::new();
        for labels in labels {
            let body = webhook_of(labels);
            let Ok(signal) = only(&decode_webhook(&body)).signal else { continue };
            let [namespace, kind, name] =
                [&signal.target.namespace, &signal.target.kind, &signal.target.name].map(|part| part.to_string());
            let parts = (signal.cluster.as_ref().map(|cluster| cluster.to_string()), namespace, kind, name);
            let first = seen.entry(identity(&signal)).or_insert_with(|| parts.clone());
            prop_assert_eq!(&*first, &parts);
        }
    }
}
