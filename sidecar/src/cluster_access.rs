//! How the commands for operators (`doctor`, `send-test`) reach the API server.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, value_parser};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::{Client, Config as KubeConfig, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::causes::with_causes;
use crate::config::Config;
use crate::rr::RemediationRequest;

/// The largest response that is read, in bytes. The OpenAPI document of kubernaut's group has less than a tenth of it.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;
/// The environment variable with the sidecar's own namespace.
const POD_NAMESPACE: &str = "POD_NAMESPACE";

/// Which cluster, which namespace, as whom.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Namespace of the RemediationRequests. Default: the configuration's, else POD_NAMESPACE, else (doctor alone) the kubeconfig's
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// User to act as, such as system:serviceaccount:onceway:onceway; you need the right to impersonate it
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// Time limit in seconds, from 1 to 120: of each check, or of the wait for a test signal
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u64).range(1..=120))]
    timeout: u64,
}

/// A cluster, and the namespace of the RRs in it.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    /// Whether somebody has named that namespace as the one of the RRs. That of a kubeconfig is where its user works.
    pub(crate) is_named: bool,
}

/// A response of the API server, whatever its status.
pub(crate) struct ApiReply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl ClusterArgs {
    /// The time limit.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The cluster that KUBECONFIG, ~/.kube/config or the pod's service account names. Its calls are never retried.
    ///
    /// # Errors
    /// If none is named, or its credentials cannot be used.
    pub(crate) async fn connect(&self, config: &Config) -> anyhow::Result<Cluster> {
        let mut kube = KubeConfig::infer()
            .await
            .context("no cluster configured: set KUBECONFIG, or run in a pod with a service account")?;
        kube.default_retry = false;
        kube.connect_timeout = Some(self.timeout());
        if let Some(user) = &self.user {
            kube.auth_info.impersonate = Some(user.clone());
        }
        let of_pod = || std::env::var(POD_NAMESPACE).ok().filter(|name| !name.is_empty());
        let named = self.namespace.clone().or_else(|| config.namespace.clone()).or_else(of_pod);
        let is_named = named.is_some();
        let namespace = named.unwrap_or_else(|| kube.default_namespace.clone());
        let client = Client::try_from(kube).context("cannot build a client of the API server")?;
        Ok(Cluster { client, namespace, is_named })
    }
}

impl Cluster {
    /// The response to a GET of this path.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn get(&self, path: &str) -> Result<ApiReply, String> {
        let request = Request::get(path).body(Body::empty()).map_err(|error| error.to_string())?;
        let response = self.client.send(request).await.map_err(|error| reason(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok(ApiReply { status: head.status, headers: head.headers, body: body.to_bytes().into() })
    }

    /// What is at this path, read from JSON; `None` if the response is 404.
    ///
    /// # Errors
    /// Why there is no usable response.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, String> {
        let ApiReply { status, body, .. } = self.get(path).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                serde_json::from_slice(&body).map(Some).map_err(|error| format!("{path}: {error}"))
            }
            status => Err(format!("{path}: {status}")),
        }
    }

    /// The resources that are served in the group and version of RRs; `None` if that version is not served.
    ///
    /// # Errors
    /// Why there is no usable response.
    pub(crate) async fn resources_beside_rrs(&self) -> Result<Option<BTreeSet<String>>, String> {
        #[derive(Deserialize)]
        struct Resources {
            resources: Vec<Served>,
        }
        #[derive(Deserialize)]
        struct Served {
            name: String,
        }
        let path = format!("/apis/{}", RemediationRequest::api_version(&()));
        let served = self.get_json::<Resources>(&path).await?;
        Ok(served.map(|served| served.resources.into_iter().map(|resource| resource.name).collect()))
    }
}

/// The API server's own message; else the error and its causes: that of a failed connection does not name the cause itself.
pub(crate) fn reason(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    with_causes(error)
}
