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

/// Helm, with its files in a directory of the test's.
pub struct Helm {
    program: PathBuf,
    dir: PathBuf,
}

impl Helm {
    /// Helm without a cluster, with files in `dir`. Blocks while it is built, if it is not there.
    ///
    /// # Errors
    /// If Helm can neither be found nor built.
    pub fn offline(dir: &Path) -> Result<Self> {
        Ok(Self { program: Tool::Helm.get()?, dir: dir.to_owned() })
    }

    /// Helm with all rights in `cluster`, one that we started. Blocks as [`Helm::offline`] does.
    ///
    /// # Errors
    /// Those of [`Helm::offline`], or if `dir` cannot be written.
    pub fn new(cluster: &Cluster, dir: &Path) -> Result<Self> {
        let helm = Self::offline(dir)?;
        fs::write(helm.kubeconfig(), cluster.admin_kubeconfig("default"))?;
        Ok(helm)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.join("helm.kubeconfig")
    }

    /// The variables by which Helm, and what is run beside it, finds the cluster, and its own cache, configuration and data, which are
    /// the user's otherwise.
    pub fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("KUBECONFIG", self.kubeconfig()),
            ("HELM_CACHE_HOME", self.dir.join("helm-cache")),
            ("HELM_CONFIG_HOME", self.dir.join("helm-config")),
            ("HELM_DATA_HOME", self.dir.join("helm-data")),
        ]
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

    /// Runs Helm with these arguments from the repository's root; returns what it prints.
    ///
    /// # Errors
    /// If it fails; the error has its reason.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut helm = Command::new(&self.program);
        helm.args(arguments).current_dir(repository()).envs(self.environment()).kill_on_drop(true);
        let output = helm.output().await.context("cannot start Helm")?;
        // The reason alone: tests look for words in it that may be arguments, too.
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8(output.stdout)?)
    }
}
