//! `docs/gateways.md` has a row for every setting of `envoy/onceway.yaml`.

use anyhow::{Context, Result};
use onceway_kit::cluster::deploy::repository;
use onceway_kit::envoy::FILTER;
use serde_json::Value;

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const VIRTUAL_HOST: &str = "/route_config/virtual_hosts/0";
const CLUSTER: &str = "/static_resources/clusters/0";
/// What holds settings, is named as a whole, or belongs to one machine.
const STRUCTURE: [&str; 23] = [
    "@type",
    "address",
    "cluster",
    "common_http_protocol_options",
    "configuration",
    "domains",
    "filter_chains",
    "healthy_threshold",
    "http_filters",
    "http_health_check",
    "load_assignment",
    "match",
    "name",
    "retry_policy",
    "route",
    "route_config",
    "routes",
    "stat_prefix",
    "static_resources",
    "type",
    "typed_extension_protocol_options",
    "unhealthy_threshold",
    "vm_config",
];

#[test]
fn every_setting_of_the_shipped_configuration_is_explained_for_each_gateway() -> Result<()> {
    let shipped = std::fs::read_to_string(onceway_kit::envoy::shipped())?;
    let shipped: Value = serde_saphyr::from_str(&shipped)?;
    let page = std::fs::read_to_string(repository().join("docs/gateways.md"))?;
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    for place in [
        String::new(),
        "/static_resources/listeners/0".to_owned(),
        MANAGER.to_owned(),
        format!("{MANAGER}/common_http_protocol_options"),
        format!("{MANAGER}{VIRTUAL_HOST}"),
        format!("{MANAGER}{VIRTUAL_HOST}/routes/0"),
        format!("{MANAGER}{VIRTUAL_HOST}/routes/0/route"),
        format!("{MANAGER}{VIRTUAL_HOST}/routes/0/route/retry_policy"),
        format!("{FILTER}/typed_config/config"),
        CLUSTER.to_owned(),
        format!("{CLUSTER}/health_checks/0"),
    ] {
        let settings = shipped.pointer(&place).and_then(Value::as_object).with_context(|| format!("no {place}"))?;
        for setting in settings.keys().filter(|setting| !STRUCTURE.contains(&setting.as_str())) {
            let explained = rows.iter().any(|row| row.split(" | ").next().is_some_and(|cell| cell.contains(setting)));
            assert!(explained, "docs/gateways.md has no row for {setting} of {place}");
        }
    }
    Ok(())
}
