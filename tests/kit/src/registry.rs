//! A registry of images on loopback, and what is pushed to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_tools::Tool;

use crate::client::Client;
use crate::ports::Port;
use crate::service::Service;

/// How long it may take to respond.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// The file of a module's image that gateways load.
const MODULE: &str = "plugin.wasm";

/// A running registry; it ends when dropped.
pub struct Registry {
    service: Service,
    crane: PathBuf,
    dir: PathBuf,
    port: Port,
    /// The arguments of crane for each image that it has.
    pushed: Mutex<Vec<Vec<String>>>,
}

impl Registry {
    /// Starts a registry with its log in `dir`.
    ///
    /// # Errors
    /// If crane can neither be found nor built, or the registry does not respond in time.
    pub async fn start(dir: &Path) -> Result<Self> {
        let crane = tokio::task::spawn_blocking(|| Tool::Crane.get()).await??;
        let port = Port::reserve()?;
        let (program, address) = (crane.clone(), port.addr().to_string());
        let service = Service::start("registry", dir, move || {
            let mut registry = Command::new(&program);
            registry.args(["registry", "serve", "--address", &address]);
            registry
        })?;
        let registry = Self { service, crane, dir: dir.to_owned(), port, pushed: Mutex::default() };
        registry.until_ready().await?;
        Ok(registry)
    }

    /// Waits until it responds.
    ///
    /// # Errors
    /// If it ends, or does not respond in time.
    pub async fn until_ready(&self) -> Result<()> {
        let client = Client::new();
        let url = format!("http://{}/v2/", self.port.addr());
        self.service.process()?.until_ready(READY_LIMIT, async || client.get(&url).await.is_ok()).await
    }

    /// Starts it again after it has ended, with the images that it had. It keeps them in memory: they are pushed again.
    ///
    /// # Errors
    /// If it still runs, does not respond in time, or rejects an image.
    pub async fn restart(&self) -> Result<()> {
        self.service.restart()?;
        self.until_ready().await?;
        let pushed = self.pushed().clone();
        for arguments in pushed {
            self.crane(&arguments).await?;
        }
        Ok(())
    }

    /// Its process: stop it to make every image unavailable; [`Registry::restart`] starts it again.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The name of a repository in it.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{name}", self.port.addr())
    }

    /// Pushes the image with the OCI layout at `layout`; returns its digest.
    ///
    /// # Errors
    /// If there is no such layout, or the registry rejects it.
    pub async fn push(&self, layout: &Path, name: &str) -> Result<String> {
        let layout = layout.to_str().context("a layout at a path that is no UTF-8")?;
        self.push_by(vec!["push".to_owned(), layout.to_owned(), self.repository(name)]).await?;
        self.digest(name).await
    }

    /// Pushes an image with this module alone, as a layer of one file; returns its digest.
    ///
    /// # Errors
    /// If the module cannot be read, or the registry rejects it.
    pub async fn push_module(&self, wasm: &Path, name: &str) -> Result<String> {
        let folder = self.dir.join(format!("{name}.image"));
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(wasm, folder.join(MODULE)).with_context(|| format!("cannot read {}", wasm.display()))?;
        // A file of its own, to be pushed again.
        let layer = self.dir.join(format!("{name}-{}.tar", self.pushed().len()));
        let mut tar = tokio::process::Command::new("tar");
        tar.arg("-C").arg(&folder).arg("-cf").arg(&layer).arg(MODULE);
        ensure!(tar.status().await?.success(), "tar cannot pack {}", wasm.display());
        ensure!(File::open(&layer)?.metadata()?.len() > 0, "tar packed nothing");
        let layer = layer.to_str().context("a directory that is no UTF-8")?;
        let arguments = ["append", "--oci-empty-base", "-f", layer, "-t", &self.repository(name)];
        self.push_by(arguments.map(str::to_owned).into()).await?;
        self.digest(name).await
    }

    async fn push_by(&self, arguments: Vec<String>) -> Result<()> {
        self.crane(&arguments).await?;
        self.pushed().push(arguments);
        Ok(())
    }

    fn pushed(&self) -> MutexGuard<'_, Vec<Vec<String>>> {
        self.pushed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn digest(&self, name: &str) -> Result<String> {
        Ok(self.crane(&["digest".to_owned(), self.repository(name)]).await?.trim().to_owned())
    }

    async fn crane(&self, arguments: &[String]) -> Result<String> {
        let output = tokio::process::Command::new(&self.crane).args(arguments).arg("--insecure").output().await?;
        let reason = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "crane {} failed: {reason}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}
