//! What the checks need of a gateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use futures::future::LocalBoxFuture;
use onceway_kit::client::Client;
use onceway_kit::envoy::Upstream;
use onceway_kit::poll;

/// How long what was installed may take to arrive in Envoy.
pub const ARRIVAL_LIMIT: Duration = Duration::from_secs(60);

/// One of the gateways, running.
pub trait Gateway: Send + Sync {
    /// Where it takes signals: `http://127.0.0.1:1`. The same as long as it runs.
    fn url(&self) -> String;

    /// Envoy's admin interface: `http://127.0.0.1:2`. That of the newest Envoy, where a rolling update replaces it.
    fn admin_url(&self) -> String;

    /// Has it send to exactly these replicas, as the cluster's endpoints would, and waits until it does: until Envoy
    /// considers all of them healthy.
    fn set_replicas<'a>(&'a self, replicas: &'a [Upstream]) -> LocalBoxFuture<'a, Result<()>>;

    /// Does what the cluster's controllers would after Helm has upgraded the release, such as a rolling update of Envoy, which
    /// has `module` from the sidecar's image. Does not wait until Envoy has what a control plane sends it.
    fn installed<'a>(&'a self, module: &'a Path) -> LocalBoxFuture<'a, Result<()>>;

    /// Does what an operator has to once the module can be fetched that could not be before. Nothing, where the gateway tries again
    /// by itself.
    fn fetch_again(&self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Waits until the cluster whose name contains `cluster` has exactly these replicas, all healthy. Envoy has no such cluster, or
/// an empty one, if there are none.
///
/// # Errors
/// If that takes longer than [`ARRIVAL_LIMIT`].
pub async fn until_replicas(admin_url: &str, cluster: &str, replicas: &[Upstream]) -> Result<()> {
    let client = Client::new();
    let url = format!("{admin_url}/clusters");
    let wanted: BTreeMap<String, bool> = replicas.iter().map(|replica| (replica.signals.to_string(), true)).collect();
    poll::until(ARRIVAL_LIMIT, &format!("{wanted:?} as healthy hosts of {cluster}"), async || {
        let clusters = client.get(&url).await.map(|response| response.text()).unwrap_or_default();
        Ok((hosts(&clusters, cluster) == wanted).then_some(()))
    })
    .await
}

/// The hosts of the clusters whose name contains `cluster`, and whether they are healthy.
fn hosts(clusters: &str, cluster: &str) -> BTreeMap<String, bool> {
    let flags = clusters.lines().filter_map(|line| {
        let (host, flags) = line.split_once("::health_flags::")?;
        let (name, host) = host.split_once("::")?;
        name.contains(cluster).then(|| (host.to_owned(), flags == "healthy"))
    });
    flags.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::hosts;

    #[test]
    fn the_hosts_of_one_cluster_are_healthy_without_flags() {
        let clusters = "a/rule/0::observability_name::a/rule/0\n\
                        a/rule/0::10.0.0.1:1::cx_active::1\n\
                        a/rule/0::10.0.0.1:1::health_flags::healthy\n\
                        a/rule/0::10.0.0.2:1::health_flags::/failed_active_hc\n\
                        other::10.0.0.3:1::health_flags::healthy\n";
        let expected = BTreeMap::from([("10.0.0.1:1".to_owned(), true), ("10.0.0.2:1".to_owned(), false)]);
        assert_eq!(hosts(clusters, "rule/0"), expected);
    }
}
