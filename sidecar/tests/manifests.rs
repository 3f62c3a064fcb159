//! What the chart `deploy/chart` renders matches the sidecar's configuration, ports, probes and shutdown.

use std::fs;
use std::time::Duration;

use k8s_openapi::Resource;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};
use onceway::config::Config;
use onceway::health::permissions::{REVIEW_RIGHTS, RIGHTS, Right, target_rights};
use serde::de::DeserializeOwned;
use serde_json::Value;

const RENDERED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/rendered/onceway.yaml");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// The objects of this kind.
fn all<T: DeserializeOwned + Resource>() -> Vec<T> {
    let text = fs::read_to_string(RENDERED).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let of_kind = documents.into_iter().filter(|document| document["kind"] == T::KIND);
    of_kind.map(|document| serde_json::from_value(document).unwrap()).collect()
}

/// The only object of this kind.
fn read<T: DeserializeOwned + Resource>() -> T {
    let [object] = all::<T>().try_into().unwrap_or_else(|_| panic!("not exactly one {}", T::KIND));
    object
}

/// The sidecar's configuration.
fn configuration() -> Config {
    Config::parse(&read::<ConfigMap>().data.unwrap()["onceway.yaml"]).unwrap()
}

fn pod() -> PodSpec {
    read::<Deployment>().spec.unwrap().template.spec.unwrap()
}

fn container() -> Container {
    pod().containers.swap_remove(0)
}

#[test]
fn the_deployed_configuration_is_the_default_one_and_mounted_where_the_sidecar_reads_it() {
    assert_eq!(configuration(), Config::default());
    assert_eq!(container().args.unwrap(), ["--config", "/etc/onceway/onceway.yaml"]);
    assert_eq!(container().volume_mounts.unwrap()[0].mount_path, "/etc/onceway");
    let map = pod().volumes.unwrap()[0].config_map.clone().unwrap().name;
    assert_eq!(Some(map), read::<ConfigMap>().metadata.name);
}

#[test]
fn the_charts_have_the_workspaces_version() {
    for chart in [CHART, &format!("{CHART}-crds")] {
        let text = fs::read_to_string(format!("{chart}/Chart.yaml")).unwrap();
        let about: Value = serde_saphyr::from_str(&text).unwrap();
        for key in ["version", "appVersion"] {
            assert_eq!(about[key], env!("CARGO_PKG_VERSION"), "{key} in {chart}");
        }
    }
}

#[test]
fn each_policy_confines_exactly_the_releases_account() {
    let account = read::<ServiceAccount>().metadata;
    let user = format!("system:serviceaccount:{}:{}", account.namespace.unwrap(), account.name.unwrap());
    let policies = all::<ValidatingAdmissionPolicy>();
    assert_eq!(policies.len(), 3);
    for policy in policies {
        let conditions = policy.spec.unwrap().match_conditions.unwrap();
        assert_eq!(conditions[0].expression, format!("request.userInfo.username == '{user}'"));
    }
}

#[test]
fn every_request_of_the_account_has_the_seats_of_its_own_level_which_borrows_none() {
    let (account, schema) = (read::<ServiceAccount>().metadata, read::<FlowSchema>().spec.unwrap());
    let level: PriorityLevelConfiguration = read();
    assert_eq!(Some(schema.priority_level_configuration.name), level.metadata.name);
    // After the API server's own for what is in kube-system, before that for service accounts.
    assert!((901..9000).contains(&schema.matching_precedence.unwrap()));
    let [rule] = &schema.rules.unwrap()[..] else { panic!("not one rule") };
    let subjects = rule.subjects.iter().map(|subject| subject.service_account.clone().unwrap());
    let subjects: Vec<_> = subjects.map(|subject| (Some(subject.name), Some(subject.namespace))).collect();
    assert_eq!(subjects, [(account.name, account.namespace)]);
    let resources = &rule.resource_rules.as_ref().unwrap()[0];
    for all in [&resources.api_groups, &resources.resources, &resources.verbs, resources.namespaces.as_ref().unwrap()] {
        assert_eq!(all, &["*"]);
    }
    assert_eq!(resources.cluster_scope, Some(true));
    assert_eq!(level.spec.unwrap().limited.unwrap().borrowing_limit_percent, Some(0));
}

#[test]
fn each_queue_at_the_api_server_holds_what_all_replicas_have_in_flight() {
    let replicas = read::<Deployment>().spec.unwrap().replicas.unwrap();
    let calls = i32::try_from(configuration().limits.max_api_calls_in_flight).unwrap();
    let response = read::<PriorityLevelConfiguration>().spec.unwrap().limited.unwrap().limit_response.unwrap();
    assert_eq!(response.type_, "Queue");
    assert_eq!(response.queuing.unwrap().queue_length_limit, Some(replicas * calls));
}

#[test]
fn the_ports_are_those_that_the_sidecar_listens_on() {
    let listen = configuration().listen;
    let expected = [("signals", listen.signals), ("health", listen.health), ("metrics", listen.metrics)]
        .map(|(name, address)| (name.to_owned(), i32::from(address.port())));
    let ports = container().ports.unwrap().into_iter().map(|port| (port.name.unwrap(), port.container_port));
    assert_eq!(ports.collect::<Vec<_>>(), expected);
    let service = read::<Service>().spec.unwrap();
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
    let config = configuration();
    let shutdown = config.shutdown.lame_duck + config.shutdown.drain_timeout;
    let grace = Duration::from_secs(pod().termination_grace_period_seconds.unwrap().try_into().unwrap());
    assert!(grace >= shutdown + Duration::from_secs(5), "{grace:?} for {shutdown:?}");
}

#[test]
fn the_memory_limit_covers_what_the_configuration_allows() {
    const KIB: usize = 1024;
    let limits = configuration().limits;
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
    let deployment = read::<Deployment>().spec.unwrap();
    let labels = deployment.template.metadata.unwrap().labels.unwrap();
    let selector = deployment.selector.match_labels.unwrap();
    assert!(selector.iter().all(|(label, value)| labels.get(label) == Some(value)), "{selector:?} of {labels:?}");
    assert_eq!(read::<Service>().spec.unwrap().selector.unwrap(), selector);
    let budget = read::<PodDisruptionBudget>().spec.unwrap();
    assert_eq!(budget.selector.unwrap().match_labels.unwrap(), selector);
}

#[test]
fn the_role_is_bound_to_the_pods_service_account() {
    let account = read::<ServiceAccount>().metadata.name;
    let binding: RoleBinding = read();
    assert_eq!(Some(binding.role_ref.name), read::<Role>().metadata.name);
    assert_eq!(Some(binding.subjects.unwrap().swap_remove(0).name), account);
    assert_eq!(pod().service_account_name, account);
}

#[test]
fn the_role_grants_exactly_the_permissions_that_the_sidecar_checks() {
    assert_eq!(granted(read::<Role>().rules), needed(&RIGHTS));
}

/// The ClusterRole whose name ends so.
fn cluster_role(suffix: &str) -> ClusterRole {
    let has = |role: &ClusterRole| role.metadata.name.as_ref().is_some_and(|name| name.ends_with(suffix));
    all::<ClusterRole>().into_iter().find(has).unwrap()
}

#[test]
fn the_cluster_roles_grant_exactly_the_reviews_and_the_reads_that_the_sidecar_checks() {
    let targets: Vec<Right> = target_rights().collect();
    let account = read::<ServiceAccount>().metadata.name;
    let bindings = all::<ClusterRoleBinding>();
    for (suffix, rights) in [("-reviews", &REVIEW_RIGHTS[..]), ("-targets", &targets[..])] {
        let role = cluster_role(suffix);
        assert_eq!(granted(role.rules), needed(rights));
        let binds = |binding: &&ClusterRoleBinding| Some(&binding.role_ref.name) == role.metadata.name.as_ref();
        let subjects = bindings.iter().find(binds).unwrap().subjects.clone().unwrap();
        let [subject] = &subjects[..] else { panic!("not one account") };
        assert_eq!(Some(&subject.name), account.as_ref());
    }
    // The right to watch namespaces comes with `scope.label`.
    assert_eq!(bindings.len(), 2);
}

#[test]
fn the_senders_role_grants_the_virtual_resource_and_nothing_else() {
    assert_eq!(granted(cluster_role("-sender").rules), ["create signals.onceway.io"]);
}

fn granted(rules: Option<Vec<PolicyRule>>) -> Vec<String> {
    let mut granted: Vec<String> = Vec::new();
    for rule in rules.unwrap() {
        let [group] = &rule.api_groups.unwrap()[..] else { panic!("not one group per rule") };
        for resource in rule.resources.unwrap() {
            let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
            let slash = if subresource.is_empty() { "" } else { "/" };
            let dot = if group.is_empty() { "" } else { "." };
            let object = format!("{resource}{dot}{group}{slash}{subresource}");
            granted.extend(rule.verbs.iter().map(|verb| format!("{verb} {object}")));
        }
    }
    granted.sort();
    granted
}

fn needed(rights: &[Right]) -> Vec<String> {
    let mut needed: Vec<String> = rights.iter().map(Right::to_string).collect();
    needed.sort();
    needed
}
