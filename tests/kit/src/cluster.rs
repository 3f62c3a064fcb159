//! A real kube-apiserver with its etcd, ready in about two seconds; RBAC on, no nodes, no controllers.
//!
//! Tests share one cluster per process ([`Cluster::shared`]) and take a [`Namespace`] each. A test that stops, freezes
//! or kills a server starts its own cluster ([`Cluster::start`]); both servers keep their data and their port.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use onceway_kit::cluster::Cluster;
//!
//! let cluster = Cluster::start().await?;
//! let namespace = cluster.namespace("mine").await?;
//! cluster.apiserver().kill().await?;
//! // ... the API server is down ...
//! cluster.apiserver().restart()?;
//! cluster.until_ready().await?;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use kube::config::AuthInfo;
use kube::{Client, Config};
use tokio::sync::OnceCell;

use crate::ports::Port;
use crate::scratch::Scratch;
use crate::service::Service;

mod credentials;
pub mod deploy;
mod kubeconfig;
mod namespace;
mod servers;

pub use self::credentials::ADMIN_TOKEN;
pub use self::kubeconfig::{Token, kubeconfig};
pub use self::namespace::Namespace;

use self::credentials::Credentials;

/// How long both servers may take to be ready on a loaded machine.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running kube-apiserver and its etcd.
pub struct Cluster {
    // Dropped before the directory that holds their data.
    apiserver: Service,
    etcd: Service,
    credentials: Credentials,
    port: Port,
    scratch: Scratch,
}

impl Cluster {
    /// Starts a cluster with the CRD applied.
    ///
    /// # Errors
    /// If a server cannot be found, built or started, or is not ready in time.
    pub async fn start() -> Result<Arc<Self>> {
        Self::start_with_crd(deploy::CRD).await
    }

    /// Starts a cluster with the CRD in the file `crd` below the repository's root in place of ours.
    ///
    /// # Errors
    /// Those of [`Cluster::start`].
    pub async fn start_with_crd(crd: &str) -> Result<Arc<Self>> {
        let scratch = Scratch::new("cluster")?;
        let port = Port::reserve()?;
        let credentials = Credentials::create(scratch.path())?;
        let binaries = tokio::task::spawn_blocking(servers::Binaries::get).await??;
        let etcd = servers::start_etcd(&binaries.etcd, scratch.path())?;
        let apiserver = servers::start_apiserver(&binaries.apiserver, scratch.path(), &port)?;
        let cluster = Self { apiserver, etcd, credentials, port, scratch };
        cluster.until_ready().await?;
        deploy::apply_crd(&cluster.client()?, crd).await?;
        Ok(Arc::new(cluster))
    }

    /// The cluster that all tests of this process share. Never stop, freeze or kill it.
    ///
    /// # Errors
    /// Those of [`Cluster::start`]; the next caller tries again.
    pub async fn shared() -> Result<Arc<Self>> {
        // Never dropped: its processes end with this one, and the next process removes its directory.
        static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await.cloned()
    }

    /// Waits until the API server reports ready, which includes its etcd.
    ///
    /// # Errors
    /// If one of the servers ends, or is not ready in time.
    pub async fn until_ready(&self) -> Result<()> {
        let client = self.client()?;
        let ready = async || {
            let request = http::Request::get("/readyz").body(Vec::new());
            match request {
                Ok(request) => client.request_text(request).await.is_ok_and(|text| text == "ok"),
                Err(_) => false,
            }
        };
        let (etcd, apiserver) = (self.etcd.process()?, self.apiserver.process()?);
        tokio::select! {
            result = apiserver.until_ready(READY_LIMIT, ready) => result,
            status = etcd.exited() => Err(etcd.failure(&format!("ended ({status})"))),
        }
    }

    /// The API server's URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.port.addr())
    }

    /// The API server; kill it, freeze it, start it again.
    pub fn apiserver(&self) -> &Service {
        &self.apiserver
    }

    /// The API server's etcd; kill it, freeze it, start it again.
    pub fn etcd(&self) -> &Service {
        &self.etcd
    }

    /// A client with all rights. It belongs to the runtime that creates it.
    ///
    /// # Errors
    /// If the cluster's certificate cannot be read.
    pub fn client(&self) -> Result<Client> {
        let mut config = self.config()?;
        config.auth_info = AuthInfo { token: Some(ADMIN_TOKEN.to_owned().into()), ..AuthInfo::default() };
        Ok(Client::try_from(config)?)
    }

    /// An anonymous client configuration without retries.
    ///
    /// # Errors
    /// If the cluster's certificate cannot be read.
    pub fn config(&self) -> Result<Config> {
        let mut config = Config::new(self.url().parse()?);
        config.root_cert = Some(vec![self.credentials.certificate_der.clone()]);
        config.default_retry = false;
        Ok(config)
    }

    /// The API server's certificate, which is its own authority, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.credentials.certificate_pem
    }

    /// A kubeconfig with all rights.
    pub fn admin_kubeconfig(&self, namespace: &str) -> String {
        kubeconfig(&self.url(), Some(self.certificate_pem()), Token::Inline(ADMIN_TOKEN), namespace)
    }

    /// The directory with the servers' data and logs.
    pub fn dir(&self) -> &std::path::Path {
        self.scratch.path()
    }
}
