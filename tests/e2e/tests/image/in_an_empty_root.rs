//! What the image has, and how its program runs in it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_images::layout::Layout;
use onceway_kit::built::images;
use onceway_kit::client::Client;
use onceway_kit::cluster::Cluster;
use onceway_kit::payload::Incident;
use onceway_kit::ports::Port;
use onceway_kit::process::Process;
use onceway_signal::Source;
use serde_json::json;

use super::container::{self, Container};

/// How long the program may take to be ready, or to end, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Where a kubelet mounts a pod's account.
const ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

#[test]
fn the_image_has_the_program_the_module_and_the_page_and_nothing_else() -> Result<()> {
    let container = Container::create("image-files")?;
    let mut names = Vec::new();
    for entry in fs::read_dir(container.root())? {
        names.push(entry?.file_name());
    }
    names.sort();
    assert_eq!(names, ["explain.html", "onceway", "plugin.wasm"], "no shell, no libraries, no certificates");
    Ok(())
}

/// By the environment and the files that a pod has, and no others: the API server's address is in variables, its authority
/// and the token are mounted. The root has no certificates of public authorities, no resolver's configuration, no users.
#[tokio::test]
async fn the_program_is_ready_and_counts_in_an_empty_root_as_in_a_pod() -> Result<()> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("image").await?;
    let container = Container::create("image-runs")?;
    let (signals, health, metrics) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
    let listen = json!({ "signals": signals.addr(), "health": health.addr(), "metrics": metrics.addr() });
    let configuration = json!({ "listen": listen, "auth": { "mode": "none" } });
    container.mount("etc/onceway", &[("onceway.yaml", &configuration.to_string())])?;
    let authority = cluster.certificate_pem().context("the cluster is ours")?;
    let account = [("token", namespace.token()), ("ca.crt", authority), ("namespace", namespace.name())];
    container.mount(ACCOUNT, &account)?;

    let mut onceway = container.command(&["--config", "/etc/onceway/onceway.yaml"]);
    let url: http::Uri = cluster.url().parse()?;
    onceway.env("KUBERNETES_SERVICE_HOST", url.host().context("no host")?);
    onceway.env("KUBERNETES_SERVICE_PORT", url.port_u16().context("no port")?.to_string());
    onceway.env("POD_NAME", "onceway-0").env("POD_NAMESPACE", namespace.name());
    let process = Process::spawn("onceway", onceway, &container.log())?;

    let client = Client::new();
    let responds = async |path: &str| {
        let url = format!("http://{}{path}", health.addr());
        client.get(&url).await.is_ok_and(|response| response.status == 200)
    };
    process.until_ready(LIMIT, async || responds("/livez").await).await?;
    process.until_ready(LIMIT, async || responds("/readyz").await).await?;
    let (first, second) = (signals.addr(), Incident::new("prod", "in-an-empty-root"));
    for (number, status) in [(0, 201), (1, 202)] {
        let response = client.signal(&format!("http://{first}"), Source::Prometheus, second.webhook(number)).await?;
        assert_eq!(response.status, status, "{}", response.text());
    }

    process.terminate();
    let status = process.wait(LIMIT).await?;
    assert!(status.success(), "{}", process.failure(&format!("ended with {status} after SIGTERM")));
    Ok(())
}

#[tokio::test]
async fn install_filter_hands_the_module_of_the_filters_own_image_to_envoy() -> Result<()> {
    let container = Container::create("image-installs")?;
    let volume = container.volume("filter")?;
    let process =
        Process::spawn("install-filter", container.command(&["install-filter", "/filter"]), &container.log())?;
    let status = process.wait(LIMIT).await?;
    assert!(status.success(), "{}", process.failure(&format!("ended with {status}")));

    let installed = fs::read(volume.join("plugin.wasm"))?;
    let layout = Layout::open(&images::path()?.join("onceway-filter"))?;
    assert_eq!(installed, container::only_file(&layout)?);
    Ok(())
}

#[tokio::test]
async fn install_filter_without_a_volume_fails_and_says_what_to_do() -> Result<()> {
    let container = Container::create("image-no-volume")?;
    let process =
        Process::spawn("install-filter", container.command(&["install-filter", "/filter"]), &container.log())?;
    let status = process.wait(LIMIT).await?;
    assert_eq!(status.code(), Some(2));
    assert!(process.tail().contains("/filter is no directory; mount a volume"), "{}", process.tail());
    Ok(())
}
