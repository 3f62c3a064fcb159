//! The charts by real Helm, against the real API server and real Envoy.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace as NamespaceObject;
use kube::Client;
use kube::api::{Api, PostParams};
use onceway_kit::cluster::Cluster;
use onceway_kit::helm::{self, CHART};
use onceway_kit::scratch::Scratch;
use serde_json::Value;

mod crds;
mod envoy;
mod lifecycle;
mod monitoring;
mod profile;
mod rendering;
mod schema;
mod senders;
mod table;

/// Its images, which nothing pulls in a cluster without nodes.
const IMAGES: [&str; 2] = ["--values", "deploy/chart/ci/rendered-values.yaml"];

/// Helm with folders of its own, whose output the tests show.
struct Helm {
    helm: helm::Helm,
    client: Option<Client>,
    // Holds its files.
    _scratch: Scratch,
}

impl Helm {
    /// Without a cluster.
    fn offline() -> Result<Self> {
        let scratch = Scratch::new("helm")?;
        Ok(Self { helm: helm::Helm::offline(scratch.path())?, client: None, _scratch: scratch })
    }

    /// With all rights in `cluster`.
    fn of(cluster: &Arc<Cluster>) -> Result<Self> {
        let scratch = Scratch::new("helm")?;
        let helm = helm::Helm::new(cluster, scratch.path())?;
        Ok(Self { helm, client: Some(cluster.client()?), _scratch: scratch })
    }

    fn client(&self) -> Client {
        self.client.clone().expect("a Helm with a cluster")
    }

    /// A new, empty namespace.
    async fn namespace(&self) -> Result<String> {
        let mut object = NamespaceObject::default();
        object.metadata.generate_name = Some("helm-".to_owned());
        let created = Api::all(self.client()).create(&PostParams::default(), &object).await?;
        created.metadata.name.context("a namespace without a name")
    }

    /// Runs it from the repository's root, and prints what it was and said. Standard output, or the error.
    async fn run(&self, arguments: &[&str]) -> Result<String> {
        let ran = self.helm.run(arguments).await;
        // Rendered manifests would hide everything else.
        let renders = ["template", "get"].contains(&arguments[0]) || arguments.contains(&"--dry-run=server");
        let shown = ran.as_deref().unwrap_or_default();
        println!("$ helm {}\n{}", arguments.join(" "), if renders { "" } else { shown });
        ran
    }

    /// The objects that the chart renders for the release `onceway` in the namespace `onceway`, with these arguments.
    async fn template(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let head = ["template", "onceway", CHART, "--namespace", "onceway"];
        let text = self.run(&[&head, &IMAGES[..], arguments].concat()).await?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
    }

    /// Why it refuses these arguments.
    async fn refused(&self, arguments: &[&str]) -> Result<String> {
        let head = ["template", "onceway", CHART, "--namespace", "onceway"];
        match self.run(&[&head[..], arguments].concat()).await {
            Ok(_) => bail!("accepted: {arguments:?}"),
            Err(error) => Ok(error.to_string()),
        }
    }
}

/// The object of this kind and name.
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.with_context(|| format!("no {kind} {name}"))
}

/// Fails unless there is no such object.
fn none_of(objects: &[Value], kind: &str) -> Result<()> {
    ensure!(objects.iter().all(|object| object["kind"] != kind), "a {kind}");
    Ok(())
}
