//! Real Helm, which installs the repository's charts into a cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use onceway_tools::Tool;
use serde_json::Value;
use tokio::process::Command;

use crate::cluster::Cluster;
use crate::cluster::deploy::repository;

/// The chart of sidecars and gateways, below the repository's root.
pub const CHART: &str = "deploy/chart";

/// The program: found, or else built.
///
/// # Errors
/// If it can neither be found nor built.
pub fn program() -> Result<PathBuf> {
    Tool::Helm.get()
}

/// Helm with all rights in a cluster. It keeps its files in a directory of the test's.
pub struct Helm {
    program: PathBuf,
    dir: PathBuf,
    kubeconfig: PathBuf,
}

impl Helm {
    /// Helm in `cluster`, one that we started, with files in `dir`.
    ///
    /// # Errors
    /// If Helm can neither be found nor built, or `dir` cannot be written.
    pub async fn new(cluster: &Cluster, dir: &Path) -> Result<Self> {
        let program = tokio::task::spawn_blocking(program).await??;
        let kubeconfig = dir.join("helm.kubeconfig");
        fs::write(&kubeconfig, cluster.admin_kubeconfig("default"))?;
        Ok(Self { program, dir: dir.to_owned(), kubeconfig })
    }

    /// Installs the chart with these values as `release` in `namespace`, or upgrades it; returns what Helm prints.
    ///
    /// # Errors
    /// If Helm fails; the error has its reason.
    pub async fn apply(&self, release: &str, namespace: &str, values: &Value) -> Result<String> {
        let file = self.dir.join(format!("{release}-{namespace}.values.yaml"));
        fs::write(&file, format!("{values:#}\n"))?;
        let file = file.to_str().context("a directory that is no UTF-8")?;
        self.run(&[
            "upgrade",
            "--install",
            release,
            CHART,
            "--namespace",
            namespace,
            "--create-namespace",
            "--values",
            file,
        ])
        .await
    }

    /// The kubeconfig with all rights that it uses.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs Helm with these arguments from the repository's root; returns what it prints.
    ///
    /// # Errors
    /// If it fails; the error has its reason.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut helm = Command::new(&self.program);
        helm.args(arguments).current_dir(repository()).env("KUBECONFIG", &self.kubeconfig).kill_on_drop(true);
        // Its cache, configuration and data, which are the user's otherwise.
        for (variable, folder) in
            [("HELM_CACHE_HOME", "helm-cache"), ("HELM_CONFIG_HOME", "helm-config"), ("HELM_DATA_HOME", "helm-data")]
        {
            helm.env(variable, self.dir.join(folder));
        }
        let output = helm.output().await.context("cannot start Helm")?;
        let (printed, reason) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "helm {} failed: {reason}{printed}", arguments.join(" "));
        Ok(printed.into_owned())
    }
}
