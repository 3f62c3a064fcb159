//! `deploy/base` matches the sidecar's configuration, ports, probes and shutdown.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
use onceway::config::Config;
use onceway::health::permissions::{REVIEW_RIGHTS, RIGHTS, Right};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/base");

fn text(file: &str) -> String {
    fs::read_to_string(format!("{BASE}/{file}")).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn read<T: DeserializeOwned>(file: &str) -> T {
    serde_saphyr::from_str(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn pod() -> PodSpec {
    read::<Deployment>("deployment.yaml").spec.unwrap().template.spec.unwrap()
}

fn container() -> Container {
    pod().containers.swap_remove(0)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    resources: Vec<String>,
    config_map_generator: Vec<Generator>,
}

#[derive(Deserialize)]
struct Generator {
    name: String,
    files: Vec<String>,
}

#[test]
fn the_kustomization_names_every_file_but_the_crd() {
    let kustomization: Kustomization = read("kustomization.yaml");
    let mut named = kustomization.resources;
    named.extend(kustomization.config_map_generator.into_iter().flat_map(|generator| generator.files));
    named.extend(["crd.yaml", "kustomization.yaml"].map(str::to_owned));
    let mut found: Vec<String> =
        fs::read_dir(BASE).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    named.sort();
    found.sort();
    assert_eq!(named, found);
}

#[test]
fn the_deployed_configuration_is_valid_and_mounted_where_the_sidecar_reads_it() {
    Config::parse(&text("onceway.yaml")).unwrap();
    assert_eq!(container().args.unwrap(), ["--config", "/etc/onceway/onceway.yaml"]);
    assert_eq!(container().volume_mounts.unwrap()[0].mount_path, "/etc/onceway");
    let map = pod().volumes.unwrap()[0].config_map.clone().unwrap().name;
    assert_eq!(map, read::<Kustomization>("kustomization.yaml").config_map_generator[0].name);
}

#[test]
fn the_ports_are_those_that_the_sidecar_listens_on() {
    let listen = Config::parse(&text("onceway.yaml")).unwrap().listen;
    let expected = [("signals", listen.signals), ("health", listen.health), ("metrics", listen.metrics)]
        .map(|(name, address)| (name.to_owned(), i32::from(address.port())));
    let ports = container().ports.unwrap().into_iter().map(|port| (port.name.unwrap(), port.container_port));
    assert_eq!(ports.collect::<Vec<_>>(), expected);
    let service = read::<Service>("service.yaml").spec.unwrap();
    assert_eq!(service.cluster_ip.as_deref(), Some("None"), "Envoy hashes over the replicas themselves");
    assert_eq!(service.ports.unwrap().into_iter().map(|port| port.port).collect::<Vec<_>>(), [8080, 8081, 9090]);
}

#[test]
fn the_downward_api_sets_the_identity() {
    let variables = container().env.unwrap().into_iter().map(|variable| {
        let field = variable.value_from.unwrap().field_ref.unwrap().field_path;
        (variable.name, field)
    });
    let expected = [("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace")]
        .map(|(name, field)| (name.to_owned(), field.to_owned()));
    assert_eq!(variables.collect::<Vec<_>>(), expected);
}

#[test]
fn the_grace_period_covers_lame_duck_and_drain() {
    let config = Config::parse(&text("onceway.yaml")).unwrap();
    let shutdown = config.shutdown.lame_duck + config.shutdown.drain_timeout;
    let grace = Duration::from_secs(pod().termination_grace_period_seconds.unwrap().try_into().unwrap());
    assert!(grace >= shutdown + Duration::from_secs(5), "{grace:?} for {shutdown:?}");
}

#[test]
fn the_memory_limit_covers_what_the_configuration_allows() {
    const KIB: usize = 1024;
    let limits = Config::parse(&text("onceway.yaml")).unwrap().limits;
    let (bodies, requests) = (limits.max_body_bytes_in_flight, limits.max_requests_in_flight * 10 * KIB);
    let (incidents, outcomes) = (limits.max_incidents * 3 * KIB, limits.max_signals_in_flight * 2 * KIB);
    let worst = bodies + requests + incidents + outcomes + limits.max_connections * 32 * KIB;
    let memory = container().resources.unwrap().limits.unwrap()["memory"].0.clone();
    let mebibytes: usize = memory.strip_suffix("Mi").unwrap().parse().unwrap();
    assert!(mebibytes * KIB * KIB > worst * 3 / 2, "{memory} for {worst} bytes");
}

#[test]
fn the_probes_use_served_paths() {
    let path = |probe: Option<k8s_openapi::api::core::v1::Probe>| probe.unwrap().http_get.unwrap().path.unwrap();
    assert_eq!(path(container().readiness_probe), "/readyz");
    assert_eq!(path(container().liveness_probe), "/livez");
}

#[test]
fn every_selector_selects_the_same_pods() {
    let deployment = read::<Deployment>("deployment.yaml").spec.unwrap();
    let labels = deployment.template.metadata.unwrap().labels.unwrap();
    assert_eq!(deployment.selector.match_labels.unwrap(), labels);
    assert_eq!(read::<Service>("service.yaml").spec.unwrap().selector.unwrap(), labels);
    let budget = read::<PodDisruptionBudget>("poddisruptionbudget.yaml").spec.unwrap();
    assert_eq!(budget.selector.unwrap().match_labels.unwrap(), labels);
}

#[test]
fn the_role_is_bound_to_the_pods_service_account() {
    let account = read::<ServiceAccount>("serviceaccount.yaml").metadata.name;
    let binding: RoleBinding = read("rolebinding.yaml");
    assert_eq!(Some(binding.role_ref.name), read::<Role>("role.yaml").metadata.name);
    assert_eq!(Some(binding.subjects.unwrap().swap_remove(0).name), account);
    assert_eq!(pod().service_account_name, account);
}

#[test]
fn the_role_grants_exactly_the_permissions_that_the_sidecar_checks() {
    assert_eq!(granted(read::<Role>("role.yaml").rules), needed(&RIGHTS));
}

/// The ClusterRole that lets the sidecar ask about senders, and its binding.
fn reviews() -> (ClusterRole, ClusterRoleBinding) {
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text("reviews.yaml")).unwrap();
    let [role, binding] = documents.try_into().unwrap();
    (serde_json::from_value(role).unwrap(), serde_json::from_value(binding).unwrap())
}

#[test]
fn the_cluster_role_grants_exactly_the_reviews_that_the_sidecar_checks() {
    let (role, binding) = reviews();
    assert_eq!(granted(role.rules), needed(&REVIEW_RIGHTS));
    assert_eq!(Some(binding.role_ref.name), role.metadata.name);
    let account = read::<ServiceAccount>("serviceaccount.yaml").metadata.name;
    assert_eq!(Some(binding.subjects.unwrap().swap_remove(0).name), account);
}

#[test]
fn the_senders_role_grants_the_virtual_resource_and_nothing_else() {
    let role: ClusterRole = read("sender.yaml");
    assert_eq!(granted(role.rules), ["create signals.onceway.io"]);
}

fn granted(rules: Option<Vec<PolicyRule>>) -> Vec<String> {
    let mut granted: Vec<String> = Vec::new();
    for rule in rules.unwrap() {
        let (groups, resources) = (rule.api_groups.unwrap(), rule.resources.unwrap());
        assert_eq!((groups.len(), resources.len()), (1, 1), "one group and one resource per rule");
        let (resource, subresource) = resources[0].split_once('/').unwrap_or((&resources[0], ""));
        let slash = if subresource.is_empty() { "" } else { "/" };
        let dot = if groups[0].is_empty() { "" } else { "." };
        let object = format!("{resource}{dot}{}{slash}{subresource}", groups[0]);
        granted.extend(rule.verbs.iter().map(|verb| format!("{verb} {object}")));
    }
    granted.sort();
    granted
}

fn needed(rights: &[Right]) -> Vec<String> {
    let mut needed: Vec<String> = rights.iter().map(Right::to_string).collect();
    needed.sort();
    needed
}
