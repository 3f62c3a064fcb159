//! Which clusters and namespaces signals may be about: `clusters` and `denyNamespaces`.

use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Rejection, Source, decode};
use serde_json::{Value, json};

use crate::support::{event, only};

fn rules(document: Value) -> Rules {
    serde_json::from_value(document).unwrap()
}

/// What the rules say about an event with this object and cluster.
fn check(rules: &Rules, object: Value, cluster: Option<&str>) -> Result<(), Rejection> {
    let mut event = event(object);
    event["clusterName"] = json!(cluster);
    let body = event.to_string();
    let payload = decode(rules, Origin::of(Source::KubernetesEvent), body.as_bytes()).unwrap();
    let signal = only(&payload).signal.unwrap();
    rules.scope().check(signal.cluster.as_deref(), &signal.resource, &signal.target)
}

fn deployment(namespace: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": "web"})
}

#[test]
fn a_cluster_is_accepted_as_it_is_spelled_in_the_list() {
    let rules = rules(json!({"clusters": ["east-1", "west-1"]}));
    for accepted in [Some("east-1"), Some("west-1"), Some(""), None] {
        assert_eq!(check(&rules, deployment("prod"), accepted), Ok(()), "{accepted:?}");
    }
    for other in ["East-1", "east-1 ", " east-1", "east-1.", "east"] {
        let rejection = check(&rules, deployment("prod"), Some(other)).unwrap_err();
        assert_eq!(rejection, Rejection::Cluster { cluster: other.to_owned() });
        let text = rejection.to_string();
        assert!(text.contains(&format!("{other:?}")) && !text.contains("west-1"), "{text}");
    }
}

#[test]
fn without_a_list_every_cluster_and_namespace_is_accepted() {
    for document in [json!({}), json!({"clusters": [], "denyNamespaces": []})] {
        assert_eq!(check(&rules(document), deployment("kube-system"), Some("any")), Ok(()));
    }
}

#[test]
fn a_denied_namespace_is_that_of_the_target() {
    let rules = rules(json!({"denyNamespaces": ["kube-system", "openshift-*", "*-infra", "*vault*"]}));
    for denied in ["kube-system", "openshift-etcd", "team-infra", "a-vault-b"] {
        let rejection = check(&rules, deployment(denied), None).unwrap_err();
        assert_eq!(rejection, Rejection::Namespace { namespace: denied.to_owned() });
    }
    for accepted in ["kube-systems", "default", "infra-team"] {
        assert_eq!(check(&rules, deployment(accepted), None), Ok(()), "{accepted}");
    }
    for (version, kind) in [("v1", "Namespace"), ("v1", "namespace"), ("example.com/v1", "Namespace")] {
        let namespace = json!({"apiVersion": version, "kind": kind, "namespace": "mine", "name": "kube-system"});
        check(&rules, namespace, None).unwrap_err();
    }
}

#[test]
fn a_target_without_a_namespace_is_in_none_that_is_denied() {
    let rules = rules(json!({"denyNamespaces": ["*"]}));
    let node = json!({"apiVersion": "v1", "kind": "Node", "name": "worker-1", "namespace": "default"});
    assert_eq!(check(&rules, node, None), Ok(()));
    check(&rules, deployment("prod"), None).unwrap_err();
}

#[test]
fn the_scope_is_no_part_of_the_hash_and_yet_makes_rules_differ() {
    let scoped = rules(json!({"clusters": ["a"], "denyNamespaces": ["b"]}));
    assert_eq!(scoped.hash(), Rules::built_in().hash());
    assert_ne!(&scoped, Rules::built_in());
    let again: Rules = serde_json::from_str(&serde_json::to_string(&scoped).unwrap()).unwrap();
    assert_eq!(again, scoped);
}

#[test]
fn what_cannot_match_is_an_error_with_its_place() {
    for (document, place) in [
        (json!({"clusters": [""]}), "targets.clusters[0] has 0 characters"),
        (json!({"clusters": ["a", "b".repeat(254)]}), "targets.clusters[1] has 254 characters"),
        (json!({"clusters": vec!["a"; 1025]}), "targets.clusters has 1025 entries"),
        (json!({"denyNamespaces": [""]}), "targets.denyNamespaces[0] is empty"),
        (json!({"denyNamespaces": ["a", "b*c"]}), "targets.denyNamespaces[1] has a `*` inside"),
        (json!({"denyNamespaces": vec!["a"; 257]}), "targets.denyNamespaces has 257 entries"),
    ] {
        let error = serde_json::from_value::<Rules>(document).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
    }
}

#[test]
fn how_workloads_are_found_is_no_part_of_the_hash_and_yet_makes_rules_differ() {
    for document in [json!({"resolve": "derive"}), json!({"missing": "reject"}), json!({"localClusters": ["a"]})] {
        let rules = rules(document.clone());
        assert_eq!(rules.hash(), Rules::built_in().hash(), "{document}");
        assert_ne!(&rules, Rules::built_in(), "{document}");
        let written: Value = serde_json::to_value(&rules).unwrap();
        for (key, value) in document.as_object().unwrap() {
            assert_eq!(&written[key], value);
        }
    }
    for (document, problem) in [
        (json!({"resolve": "guess"}), "unknown variant `guess`"),
        (json!({"missing": true}), "expected"),
        (json!({"localClusters": [""]}), "targets.localClusters[0] has 0 characters"),
    ] {
        let error = serde_json::from_value::<Rules>(document).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_signal_is_about_this_cluster_if_it_names_none_or_one_of_its_names() {
    let resolution = |document| rules(document).resolution().clone();
    let any = resolution(json!({}));
    assert!(any.is_local(None) && any.is_local(Some("east-1")));
    let east = resolution(json!({"localClusters": ["east-1", "e1"]}));
    assert!(east.is_local(None) && east.is_local(Some("e1")) && !east.is_local(Some("west-1")));
}
