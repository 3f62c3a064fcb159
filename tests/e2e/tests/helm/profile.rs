//! `profile: kubernaut`: the chart sets what the sidecar's own profile cannot, and what is set explicitly wins.

use anyhow::{Context, Result, ensure};
use onceway::config::{Authorization, Config};
use onceway_kit::envoy::FILTER;
use serde_json::{Value, json};

use super::{Helm, object};

const SENDER: &str = "auth.senders[0].serviceAccount.name=alertmanager,auth.senders[0].serviceAccount.namespace=monitoring,\
     auth.senders[0].clusterWide=true";

/// The configuration of the sidecars.
fn configuration(objects: &[Value]) -> Result<Config> {
    let text = object(objects, "ConfigMap", "onceway")?["data"]["onceway.yaml"].as_str().context("no configuration")?;
    Ok(Config::parse(text)?)
}

/// The configuration of Envoy, and of the filter in it.
fn envoy(objects: &[Value]) -> Result<(Value, Value)> {
    let text = object(objects, "ConfigMap", "onceway-envoy")?["data"]["envoy.yaml"].as_str().context("no Envoy")?;
    let envoy: Value = serde_saphyr::from_str(text)?;
    let plugin = envoy.pointer(&format!("{FILTER}/typed_config/config/configuration/value")).and_then(Value::as_str);
    let filter = serde_json::from_str(plugin.context("no configuration of the filter")?)?;
    Ok((envoy, filter))
}

#[tokio::test]
async fn the_profile_of_kubernaut_makes_its_service_and_right_and_configures_sidecars_and_filter_alike() -> Result<()> {
    let helm = Helm::offline()?;
    let objects = helm.template(&["--set", "gateway.kind=envoy,profile=kubernaut", "--set", SENDER]).await?;
    let service = object(&objects, "Service", "gateway-service")?;
    ensure!(service["spec"]["ports"][0]["port"] == 8080, "{service}");

    let (config, profile) = (configuration(&objects)?, Config::parse("profile: kubernaut")?);
    let part = |config: &Config| {
        let (auth, events) = (config.auth.clone(), config.events.clone());
        (config.profile, auth, events, config.freshness.clone(), config.problem_types)
    };
    ensure!(part(&config) == part(&profile), "{config:?}");
    ensure!(envoy(&objects)?.1["problem_types"] == "kubernaut");

    let role = object(&objects, "Role", "onceway-sender")?;
    let rule = json!([{"apiGroups": [""], "resources": ["services"], "resourceNames": ["gateway-service"], "verbs": ["create"]}]);
    ensure!(role["rules"] == rule, "{role}");
    let binding =
        objects.iter().find(|object| object["kind"] == "RoleBinding" && object["roleRef"]["name"] == "onceway-sender");
    ensure!(binding.context("no binding")?["subjects"][0]["name"] == "alertmanager");
    Ok(())
}

#[tokio::test]
async fn what_is_set_explicitly_wins_over_the_profile() -> Result<()> {
    let helm = Helm::offline()?;
    let explicit = "gateway.kind=envoy,profile=kubernaut,auth.authorization=signals,auth.audiences={onceway},\
                    gateway.envoy.service.name=alerts,gateway.envoy.service.port=10000,config.problemTypes=onceway,\
                    config.freshness.maxAhead=5m";
    let objects = helm.template(&["--set", explicit]).await?;
    ensure!(object(&objects, "Service", "alerts")?["spec"]["ports"][0]["port"] == 10000);
    let config = configuration(&objects)?;
    ensure!(config.auth.authorization == Authorization::Signals && config.auth.audiences == ["onceway"], "{config:?}");
    ensure!(config.freshness == Config::default().freshness, "{config:?}");
    ensure!(config.problem_types == Config::default().problem_types, "{config:?}");
    ensure!(config.events == Config::parse("profile: kubernaut")?.events, "the rest is the profile's");
    ensure!(envoy(&objects)?.1["problem_types"].is_null(), "the filter follows the sidecars");
    object(&objects, "ClusterRole", "onceway-sender").map(drop)
}

#[tokio::test]
async fn envoys_own_responses_have_hsts_only_with_tls() -> Result<()> {
    let helm = Helm::offline()?;
    for (values, strict) in [("gateway.kind=envoy", 0), ("gateway.kind=envoy,gateway.envoy.tls.secretName=tls", 3)] {
        let (envoy, _) = envoy(&helm.template(&["--set", values]).await?)?;
        let found = envoy.to_string().matches("strict-transport-security").count();
        ensure!(found == strict, "{values}: {found}");
        ensure!(envoy.to_string().matches("x-content-type-options").count() == 3, "{values}");
    }
    Ok(())
}
