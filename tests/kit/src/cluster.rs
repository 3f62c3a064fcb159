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

use anyhow::{Context, Result};
use kube::config::{AuthInfo, KubeConfigOptions};
use kube::{Client, Config};
use tokio::sync::OnceCell;

use crate::ports::Port;
use crate::scratch::Scratch;
use crate::service::Service;

mod credentials;
pub mod deploy;
mod etcd;
mod flow_control;
mod kubeconfig;
mod namespace;
mod objects;
mod sender;
mod servers;
mod tokens;

pub use self::credentials::ADMIN_TOKEN;
pub use self::etcd::Stored;
pub use self::flow_control::{FlowControl, LevelRequests};
pub use self::kubeconfig::{Token, kubeconfig};
pub use self::namespace::Namespace;
pub use self::objects::Object;
pub use self::sender::{AUDIENCE, SenderAccount};
pub use self::servers::ISSUER;

use self::credentials::Credentials;

/// How long both servers may take to be ready on a loaded machine.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running API server: kube-apiserver with its etcd, started by us, or one of the user's.
pub struct Cluster {
    /// How to reach it with all rights.
    admin: Config,
    /// Its authority in PEM, if it is ours.
    certificate_pem: Option<String>,
    servers: Option<Servers>,
}

/// The processes of a cluster that we started.
struct Servers {
    // Dropped before the directory that holds their data.
    apiserver: Service,
    etcd: Service,
    _port: Port,
    scratch: Scratch,
}

impl Cluster {
    /// Starts a cluster with the CRD of [`deploy::crd`] applied.
    ///
    /// # Errors
    /// If a server cannot be found, built or started, or is not ready in time.
    pub async fn start() -> Result<Arc<Self>> {
        Self::start_with_crd(deploy::crd()?).await
    }

    /// Starts a cluster with the CRD in the file `crd` below the repository's root in place of ours.
    ///
    /// # Errors
    /// Those of [`Cluster::start`].
    pub async fn start_with_crd(crd: &str) -> Result<Arc<Self>> {
        Self::start_empty().await?.with_crd(crd).await
    }

    /// The same cluster with the chart's admission policies and this CRD.
    async fn with_crd(self: Arc<Self>, crd: &str) -> Result<Arc<Self>> {
        let client = self.client()?;
        deploy::apply_policies(&client).await?;
        deploy::apply_crd(&client, crd).await?;
        Ok(self)
    }

    /// Starts a cluster with nothing of ours in it.
    ///
    /// # Errors
    /// If a server cannot be found, built or started, or is not ready in time.
    pub async fn start_empty() -> Result<Arc<Self>> {
        Self::start_empty_with(&[]).await
    }

    /// Starts a cluster like [`Cluster::start`], whose API server has these flags beside its others, such as
    /// `--max-requests-inflight=20`.
    ///
    /// # Errors
    /// Those of [`Cluster::start`].
    pub async fn start_with_flags(flags: &[&str]) -> Result<Arc<Self>> {
        Self::start_empty_with(flags).await?.with_crd(deploy::crd()?).await
    }

    async fn start_empty_with(flags: &[&str]) -> Result<Arc<Self>> {
        let scratch = Scratch::new("cluster")?;
        let port = Port::reserve()?;
        let credentials = Credentials::create(scratch.path())?;
        let binaries = tokio::task::spawn_blocking(servers::Binaries::get).await??;
        let etcd = servers::start_etcd(&binaries.etcd, scratch.path())?;
        let apiserver = servers::start_apiserver(&binaries.apiserver, scratch.path(), &port, flags)?;
        let mut admin = Config::new(format!("https://{}", port.addr()).parse()?);
        admin.root_cert = Some(vec![credentials.certificate_der]);
        admin.auth_info = AuthInfo { token: Some(ADMIN_TOKEN.to_owned().into()), ..AuthInfo::default() };
        admin.default_retry = false;
        let servers = Some(Servers { apiserver, etcd, _port: port, scratch });
        let cluster = Self { admin, certificate_pem: Some(credentials.certificate_pem), servers };
        cluster.until_ready().await?;
        Ok(Arc::new(cluster))
    }

    /// The cluster of the user's kubeconfig: `$KUBECONFIG`, else `~/.kube/config`, in its current context. The CRD is applied
    /// only if the cluster does not serve RRs yet: kubernaut's must not be replaced.
    ///
    /// # Errors
    /// If there is no kubeconfig, or the API server does not respond or rejects the CRD.
    pub async fn of_kubeconfig() -> Result<Arc<Self>> {
        let admin = Config::from_kubeconfig(&KubeConfigOptions::default()).await;
        Self::of_user(admin.context("cannot read the kubeconfig; set KUBECONFIG")?).await
    }

    /// The user's cluster that `admin` reaches.
    ///
    /// # Errors
    /// Those of [`Cluster::of_kubeconfig`].
    pub async fn of_user(mut admin: Config) -> Result<Arc<Self>> {
        admin.default_retry = false;
        let cluster = Self { admin, certificate_pem: None, servers: None };
        let client = cluster.client()?;
        client.apiserver_version().await.with_context(|| format!("{} does not respond", cluster.url()))?;
        if !deploy::is_crd_served(&client).await? {
            deploy::apply_crd(&client, deploy::CRD).await?;
        }
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

    /// One that all tests of this process share, with our CRD: for tests about its own fields. It is
    /// [`Cluster::shared`], unless the environment demands another CRD.
    ///
    /// # Errors
    /// Those of [`Cluster::start`]; the next caller tries again.
    pub async fn shared_with_our_crd() -> Result<Arc<Self>> {
        static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
        if deploy::is_our_crd()? {
            return Self::shared().await;
        }
        SHARED.get_or_try_init(|| Self::start_with_crd(deploy::CRD)).await.cloned()
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
        let (etcd, apiserver) = (self.etcd().process()?, self.apiserver().process()?);
        tokio::select! {
            result = apiserver.until_ready(READY_LIMIT, ready) => result,
            status = etcd.exited() => Err(etcd.failure(&format!("ended ({status})"))),
        }
    }

    /// The API server's URL.
    pub fn url(&self) -> String {
        self.admin.cluster_url.to_string().trim_end_matches('/').to_owned()
    }

    /// Whether it is the user's, and not one that we started.
    pub fn is_of_user(&self) -> bool {
        self.servers.is_none()
    }

    /// The API server; kill it, freeze it, start it again.
    ///
    /// # Panics
    /// If it is the user's.
    pub fn apiserver(&self) -> &Service {
        &self.servers().apiserver
    }

    /// The API server's etcd; kill it, freeze it, start it again.
    ///
    /// # Panics
    /// If the API server is the user's.
    pub fn etcd(&self) -> &Service {
        &self.servers().etcd
    }

    fn servers(&self) -> &Servers {
        self.servers.as_ref().expect("only the processes of a cluster that we started are ours to stop")
    }

    /// A client with all rights. It belongs to the runtime that creates it.
    ///
    /// # Errors
    /// If the credentials cannot be used.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::try_from(self.admin.clone())?)
    }

    /// A client with the rights of this token's account. It belongs to the runtime that creates it.
    ///
    /// # Errors
    /// If it cannot be built.
    pub fn client_of(&self, token: &str) -> Result<Client> {
        let mut config = self.admin.clone();
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        Ok(Client::try_from(config)?)
    }

    /// An anonymous client configuration without retries.
    pub fn config(&self) -> Config {
        let mut config = self.admin.clone();
        config.auth_info = AuthInfo::default();
        config
    }

    /// The authority of the API server's certificate in PEM, if it is ours.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// A kubeconfig with all rights, for a cluster that we started.
    pub fn admin_kubeconfig(&self, namespace: &str) -> String {
        kubeconfig(&self.url(), self.certificate_pem(), Token::Inline(ADMIN_TOKEN), namespace)
    }

    /// The directory with the servers' data and logs.
    ///
    /// # Panics
    /// If the API server is the user's.
    pub fn dir(&self) -> &std::path::Path {
        self.servers().scratch.path()
    }
}
