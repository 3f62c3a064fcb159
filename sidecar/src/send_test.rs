//! `onceway send-test`: one marked signal through the whole way, from a sender's token to the count in an RR, and nothing of it
//! left behind.
//!
//! An RR starts a repair. So the signal is about a Deployment that does not exist, in a namespace that the user names; the RR is
//! deleted as soon as it is counted; and where there is a sign of a controller that works on RRs, nothing is sent without `--yes`.

mod guard;
mod objects;
mod report;
mod response;
mod run;
mod signal;

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use onceway_signal::Source;
use tokio::pin;
use tokio::time::timeout;
use uuid::Uuid;

pub use self::report::{Outcome, Way};
use self::run::{Test, settle};
use self::signal::TestSignal;
use crate::cluster_access::{Cluster, ClusterArgs};
use crate::config::Config;
use crate::health::permissions::{RIGHTS, Right, missing};
use crate::http_request::Authorities;
use crate::sender_token::{SenderToken, TokenArgs};

/// Characters of a test's id: 48 random bits.
const ID_LENGTH: usize = 12;

/// Send a marked test signal, follow it to its RemediationRequest, show the way with times, and clean up.
///
/// CAUTION: a RemediationRequest starts a repair. The signal is about a Deployment that does not exist, and its
/// RemediationRequest is deleted as soon as it is counted; a controller may still begin to work on it. Where there is a sign of a
/// controller, it sends nothing without --yes.
///
/// Exits with 0 if the signal is counted and nothing is left; with 1 if it is not counted; with 2 if nothing was sent; with 3 if
/// an object is left behind, which it names; with 130 after Ctrl-C, which cleans up, too. docs/operations/doctor.md has more.
#[derive(Debug, Args)]
pub struct SendTestArgs {
    /// URL of Envoy, or of a replica; without a path it gets that of Alertmanager's webhooks
    #[arg(long, value_name = "URL")]
    url: Uri,
    #[command(flatten)]
    token: TokenArgs,
    /// File with the authorities (PEM) that sign the certificate of an https URL
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Namespace that the signal is about; the sender needs the right to signal there
    #[arg(long, value_name = "NAMESPACE")]
    target_namespace: String,
    /// Send although a controller may work on the RemediationRequest
    #[arg(long)]
    yes: bool,
    /// Leave the RemediationRequest and its Lease
    #[arg(long)]
    keep: bool,
    /// Print one JSON object: version, id, target, outcome, reason, remediation_request, steps, removed, left, kept
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl SendTestArgs {
    /// Whether to print JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Sends the signal and follows it. `catch` catches Ctrl-C from its call on: its future ends when the user wants an end.
    ///
    /// # Errors
    /// Why nothing was sent.
    pub async fn run<I>(&self, config: &Config, catch: impl FnOnce() -> anyhow::Result<I>) -> anyhow::Result<Way>
    where
        I: Future<Output = ()>,
    {
        // Before Ctrl-C is caught: a terminal may be asked for it.
        let token = self.token.read().map_err(anyhow::Error::msg)?;
        let interrupted = catch()?;
        pin!(interrupted);
        let test = tokio::select! {
            test = timeout(self.cluster.timeout() * 2, self.prepare(config, token)) => test,
            () = &mut interrupted => bail!("interrupted; nothing was sent"),
        };
        let test = test.context("the API server does not respond in time")??;
        Ok(test.run(interrupted).await)
    }

    async fn prepare(&self, config: &Config, token: Option<SenderToken>) -> anyhow::Result<Test> {
        let authorities = self.ca_file.as_deref().map(Authorities::of_file).transpose()?;
        let url = signal_url(&self.url)?;
        let cluster = self.cluster.connect(config).await?;
        self.check(&cluster).await?;
        let id: String = Uuid::new_v4().simple().to_string().chars().take(ID_LENGTH).collect();
        let (signal, now) = (TestSignal::new(&id, &self.target_namespace), Timestamp::now());
        let mut request = Request::post(url.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.as_str()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        Ok(Test {
            request: request.body(Full::from(signal.webhook(now)))?,
            fingerprint: signal.fingerprint(&config.targets, url.query(), now),
            signal,
            cluster,
            authorities,
            limit: self.cluster.timeout(),
            settle: settle(config),
            keep: self.keep,
        })
    }

    /// Whether the test may be sent: it can be cleaned up, and no controller works on it unawares.
    async fn check(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let is_replicas = std::env::var_os("POD_NAME").is_some() && std::env::var_os("KUBECONFIG").is_none();
        if is_replicas && !self.keep {
            bail!(
                "nothing was sent: this is a replica's container, whose account may not delete a counted RemediationRequest (the \
                 chart's admission policies) and reaches no Envoy (its network policy); run it with your own kubeconfig"
            );
        }
        if !cluster.is_named {
            bail!(
                "nothing was sent: name the namespace of the RemediationRequests with --namespace; {} is only where your kubeconfig \
                 works, and what a test leaves in another one would not be found",
                cluster.namespace
            );
        }
        let needed = rights(self.keep);
        let missing = missing(&cluster.client, Some(&cluster.namespace), &needed, self.cluster.timeout()).await?;
        if !missing.is_empty() {
            let list = missing.iter().map(Right::to_string).collect::<Vec<_>>().join(", ");
            bail!(
                "nothing was sent: you lack rights in namespace {} to follow the signal and to clean up: {list}; use an \
                 account that has them, or --keep, which needs none to delete",
                cluster.namespace
            );
        }
        let signs = guard::look(cluster).await.map_err(anyhow::Error::msg)?;
        if let Some(sign) = signs.warning().filter(|_| !self.yes) {
            bail!(
                "nothing was sent: {sign}. The test's RemediationRequest would be there for a moment, about a Deployment that \
                 does not exist; a controller may begin a repair of it, call a model, or notify somebody. Add --yes to accept that"
            );
        }
        Ok(())
    }
}

/// What is needed to follow the signal, and to clean up unless it is to be kept.
fn rights(keep: bool) -> Vec<Right> {
    let is_needed = |right: &&Right| match (right.resource, right.verb) {
        _ if !right.subresource.is_empty() => false,
        ("remediationrequests", "get" | "list") => true,
        ("remediationrequests", "delete") | ("leases", "get" | "delete") => !keep,
        _ => false,
    };
    RIGHTS.iter().filter(is_needed).copied().collect()
}

/// The URL, with the path of webhooks if it has none.
fn signal_url(url: &Uri) -> anyhow::Result<Uri> {
    let source = Source::Prometheus;
    match url.path() {
        "" | "/" => {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let mut parts = url.clone().into_parts();
            parts.path_and_query = Some(format!("{}{query}", source.path()).parse()?);
            Uri::from_parts(parts).map_err(|_| anyhow!("{url} is no URL: it must begin with http:// or https://"))
        }
        path if path.ends_with(source.path()) => Ok(url.clone()),
        path => bail!("the path {path} takes no webhooks: give none, or one that ends with {}", source.path()),
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::{rights, signal_url};

    #[test]
    fn a_url_without_a_path_gets_that_of_webhooks_and_keeps_its_query() {
        let url = |text: &str| signal_url(&text.parse::<Uri>().unwrap()).map(|url| url.to_string());
        assert_eq!(url("http://envoy:10000").unwrap(), "http://envoy:10000/api/v1/signals/prometheus");
        assert_eq!(url("https://envoy/?cluster=a").unwrap(), "https://envoy/api/v1/signals/prometheus?cluster=a");
        let prefixed = "http://gateway/onceway/api/v1/signals/prometheus";
        assert_eq!(url(prefixed).unwrap(), prefixed);
        assert!(url("http://envoy/metrics").unwrap_err().to_string().contains("/api/v1/signals/prometheus"));
        assert!(url("envoy:10000").is_err());
    }

    #[test]
    fn cleaning_up_needs_the_rights_to_delete() {
        let shown = |keep| rights(keep).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown(false),
            [
                "get remediationrequests.kubernaut.ai",
                "list remediationrequests.kubernaut.ai",
                "delete remediationrequests.kubernaut.ai",
                "get leases.coordination.k8s.io",
                "delete leases.coordination.k8s.io",
            ]
        );
        assert_eq!(shown(true).len(), 2);
    }
}
