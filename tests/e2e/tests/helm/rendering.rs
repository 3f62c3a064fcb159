//! What the chart renders.

use anyhow::{Context, Result, ensure};
use onceway::config::Config;
use onceway_kit::cluster::Cluster;
use onceway_kit::cluster::deploy::repository;
use onceway_signal::rules::Missing;
use serde_json::{Value, json};

use super::{CHART, Helm, IMAGES, none_of, object};

const KINDS: [&str; 4] = ["none", "envoy", "envoyGateway", "istio"];
/// Everything that is off by default.
const EVERYTHING: [&str; 6] = [
    "--set",
    "monitoring.podMonitor.enabled=true",
    "--set",
    "monitoring.prometheusRule.enabled=true",
    "--set",
    "monitoring.dashboard.enabled=true",
];

#[tokio::test]
async fn the_charts_pass_helms_lint_for_every_kind_of_gateway() -> Result<()> {
    let helm = Helm::offline()?;
    helm.run(&["lint", "--strict", "deploy/chart-crds"]).await?;
    for kind in KINDS {
        let kind = format!("gateway.kind={kind}");
        helm.run(&[&["lint", "--strict", CHART, "--set", &kind], &IMAGES[..], &EVERYTHING].concat()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_rendered_manifests_are_what_the_command_in_their_head_renders() -> Result<()> {
    let helm = Helm::offline()?;
    for file in ["onceway.yaml", "envoy.yaml", "envoy-gateway.yaml", "istio.yaml"] {
        let path = repository().join("deploy/rendered").join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
        let command = text.lines().next().and_then(|line| line.strip_prefix("# helm ")).context("no command")?;
        let body = text.find("---\n").map(|at| &text[at..]).context("no manifests")?;
        let rendered = helm.run(&command.split(' ').collect::<Vec<_>>()).await?;
        ensure!(rendered == body, "deploy/rendered/{file} is stale; run: cargo xtask render");
    }
    Ok(())
}

#[tokio::test]
async fn the_api_server_accepts_every_object_of_its_own_kinds_as_it_is_written() -> Result<()> {
    let helm = Helm::of(&Cluster::shared().await?)?;
    let namespace = helm.namespace().await?;
    let secrets = [
        "--set",
        "tls.secretName=onceway-tls,tls.clientCertificates=true,tls.metrics=true",
        "--set",
        "gateway.envoy.upstreamTls.secretName=envoy-client,gateway.envoy.tls.secretName=edge",
        "--set-json",
        r#"image.pullSecrets=[{"name":"registry"}]"#,
        "--set-json",
        r#"pod={"tolerations":[{"key":"a","operator":"Exists"}],"nodeSelector":{"a":"b"},"labels":{"team":"sre"}}"#,
        "--set-json",
        r#"networkPolicy.nodes=[{"ipBlock":{"cidr":"10.0.0.0/16"}}]"#,
    ];
    for kind in ["none", "envoy"] {
        let kind = format!("gateway.kind={kind}");
        let install = ["install", "onceway", CHART, "--namespace", &namespace, "--dry-run=server", "--set", &kind];
        let log = helm.run(&[&install[..], &IMAGES, &secrets].concat()).await?;
        ensure!(log.contains("NOTES:"), "no notes");
        let is_warned = log.contains("monitoring.prometheusRule.runbooks is no URL");
        ensure!(!is_warned, "of rules that are not made");
    }
    let rules = "monitoring.prometheusRule.enabled=true";
    for (runbooks, is_warned) in [("docs/operations/alerts", true), ("https://wiki.example.com/onceway", false)] {
        let runbooks = format!("{rules},monitoring.prometheusRule.runbooks={runbooks}");
        let install = ["install", "onceway", CHART, "--namespace", &namespace, "--dry-run=client", "--set", &runbooks];
        let log = helm.run(&[&install[..], &IMAGES].concat()).await?;
        assert_eq!(log.contains("monitoring.prometheusRule.runbooks is no URL"), is_warned, "{runbooks}");
    }
    Ok(())
}

#[tokio::test]
async fn sections_with_a_place_of_their_own_reach_sidecar_and_filter_alike() -> Result<()> {
    let helm = Helm::offline()?;
    let arguments = [
        "--set-json",
        r#"targets={"denyNamespaces":["kube-system"]}"#,
        "--set",
        "budgets.maxActiveIncidents=7,config.limits.maxBodyBytes=1048576,config.duplicates=skip",
        "--set",
        "tls.secretName=onceway-tls,tls.clientCertificates=true,gateway.envoy.upstreamTls.secretName=x",
        "--set",
        "filter.config.max_alerts=500,ports.signals=18080,gateway.kind=envoy",
    ];
    let objects = helm.template(&arguments).await?;
    let sidecar = object(&objects, "ConfigMap", "onceway")?["data"]["onceway.yaml"].as_str().context("no file")?;
    let sidecar = Config::parse(sidecar)?;
    assert_eq!((sidecar.limits.max_active_incidents, sidecar.limits.max_body_bytes), (7, 1_048_576));
    assert_eq!((sidecar.listen.signals.port(), sidecar.tls.is_some_and(|tls| tls.client_ca.is_some())), (18080, true));
    let envoy = object(&objects, "ConfigMap", "onceway-envoy")?["data"]["envoy.yaml"].as_str().context("no file")?;
    let envoy: Value = serde_saphyr::from_str(envoy)?;
    let filter = super::envoy::plugin(&envoy)?;
    assert_eq!(filter["targets"], json!({ "denyNamespaces": ["kube-system"] }));
    assert_eq!((&filter["max_body_bytes"], &filter["max_alerts"]), (&json!(1_048_576), &json!(500)));
    Ok(())
}

#[tokio::test]
async fn rights_to_read_come_with_what_needs_them() -> Result<()> {
    let helm = Helm::offline()?;
    let roles = async |set: &str| {
        let objects = helm.template(&["--set", set]).await?;
        let names = objects.iter().filter(|object| object["kind"] == "ClusterRole");
        let mut names: Vec<String> =
            names.filter_map(|object| object["metadata"]["name"].as_str().map(str::to_owned)).collect();
        names.sort();
        anyhow::Ok(names)
    };
    let always = ["onceway-reviews", "onceway-sender"];
    assert_eq!(roles("replicas=3").await?, [&always[..], &["onceway-targets"]].concat());
    assert_eq!(roles("workloadReads.enabled=false").await?, always);
    assert_eq!(roles("targets.resolve=derive").await?, always);
    let scoped = ["onceway-reviews", "onceway-scope", "onceway-sender", "onceway-targets"];
    assert_eq!(roles("scope.label=kubernaut.ai/managed").await?, scoped);
    let objects = helm.template(&["--set", "scope.label=kubernaut.ai/managed,targets.missing=reject"]).await?;
    let sidecar = object(&objects, "ConfigMap", "onceway")?["data"]["onceway.yaml"].as_str().context("no file")?;
    let sidecar = Config::parse(sidecar)?;
    assert_eq!(sidecar.scope.label.as_deref(), Some("kubernaut.ai/managed"));
    assert_eq!(sidecar.targets.resolution().missing, Missing::Reject);
    let role = object(&objects, "ClusterRole", "onceway-scope")?;
    assert_eq!(
        role["rules"],
        json!([{ "apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"] }])
    );
    Ok(())
}

#[tokio::test]
async fn the_locks_of_kubernauts_gateway_may_be_written_only_with_the_setting() -> Result<()> {
    let helm = Helm::offline()?;
    for (arguments, allowed) in [(&[][..], false), (&["--set", "config.migration.kubernautLocks=true"][..], true)] {
        let objects = helm.template(arguments).await?;
        let policy = object(&objects, "ValidatingAdmissionPolicy", "onceway-leases")?;
        let expression = policy["spec"]["validations"][0]["expression"].as_str().context("no expression")?;
        ensure!(expression.contains("startsWith('onceway-')"), "{expression}");
        ensure!(expression.contains("startsWith('gw-lock-')") == allowed, "{expression}");
        let file = object(&objects, "ConfigMap", "onceway")?["data"]["onceway.yaml"].as_str().context("no file")?;
        ensure!(Config::parse(file)?.migration.kubernaut_locks == allowed);
    }
    Ok(())
}

#[tokio::test]
async fn seats_at_the_api_server_are_the_releases_own_those_of_another_level_or_not_asked_for() -> Result<()> {
    let helm = Helm::offline()?;
    let own = helm.template(&["--set", "replicas=5,config.limits.maxApiCallsInFlight=64"]).await?;
    let level = object(&own, "PriorityLevelConfiguration", "onceway-sidecars")?;
    assert_eq!(level.pointer("/spec/limited/limitResponse/queuing/queueLengthLimit"), Some(&json!(320)));
    let other = helm.template(&["--set", "priorityAndFairness.priorityLevel=operators"]).await?;
    none_of(&other, "PriorityLevelConfiguration")?;
    let schema = object(&other, "FlowSchema", "onceway-sidecars")?;
    assert_eq!(schema["spec"]["priorityLevelConfiguration"]["name"], "operators");
    let off = helm.template(&["--set", "priorityAndFairness.enabled=false"]).await?;
    none_of(&off, "PriorityLevelConfiguration")?;
    none_of(&off, "FlowSchema")
}

#[tokio::test]
async fn a_gateway_gets_the_module_by_digest_under_a_name_that_changes_with_it() -> Result<()> {
    let helm = Helm::offline()?;
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let set = format!("filter.digest={digest}");
    let gateway = helm.template(&["--set", "gateway.kind=envoyGateway", "--set", &set]).await?;
    let policy = object(&gateway, "EnvoyExtensionPolicy", "onceway")?;
    assert_eq!(policy["spec"]["wasm"][0]["name"], "onceway-01234567");
    let url = policy["spec"]["wasm"][0]["code"]["image"]["url"].as_str().context("no url")?;
    ensure!(url.ends_with(&format!("@{digest}")), "{url}");
    let patches = object(&gateway, "EnvoyPatchPolicy", "onceway")?.to_string();
    // By the filter's own name, which stays: Helm changes the policies one after the other, and every patch must apply in between.
    ensure!(patches.contains("envoyextensionpolicy/onceway/onceway/wasm/0'"), "{patches}");
    ensure!(patches.contains("01234567"), "the VM's id does not change with the module: {patches}");

    // Without the patch the filter would hang every request: then there is no filter.
    let unpatched = ["--set", "gateway.kind=envoyGateway,gateway.envoyGateway.envoyPatchPolicy=false"];
    let unpatched = helm.template(&unpatched).await?;
    none_of(&unpatched, "EnvoyPatchPolicy")?;
    none_of(&unpatched, "EnvoyExtensionPolicy")?;

    for api in ["istio", "gatewayAPI"] {
        let api = format!("gateway.kind=istio,gateway.istio.api={api}");
        let istio = helm.template(&["--set", &api, "--set", &set]).await?;
        let filter = object(&istio, "EnvoyFilter", "onceway")?;
        for patch in filter["spec"]["configPatches"].as_array().context("no patches")? {
            // Istio matches the port that the gateway's pods listen at, which is not the Gateway's, and none is no error.
            for place in ["/match/listener/portNumber", "/match/routeConfiguration/portNumber"] {
                ensure!(patch.pointer(place).is_none(), "{place}: {patch}");
            }
        }
        let filter = filter.to_string();
        // The filter that rejects everything, in place of a module that cannot be fetched, must be refused.
        ensure!(!filter.contains("rbac"), "{filter}");
        ensure!(
            filter.contains("oci://") && filter.contains(&digest) && filter.contains("onceway-01234567"),
            "{filter}"
        );
    }
    Ok(())
}
