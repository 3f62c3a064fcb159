//! `onceway doctor`: what an operator wants to know first, in one command. Each check has a shell that asks and a pure
//! function that judges. Nothing in the cluster is changed: it reads, and creates reviews, which are not stored.

mod api_server;
mod certificate;
mod claims;
mod clock;
mod configuration;
mod crd;
mod filter;
mod finding;
mod incidents;
mod inventory;
mod peers;
mod report;
mod rights;
mod run;
mod token_review;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

pub use self::configuration::Inspected;
pub use self::finding::{Finding, Status};
pub use self::report::{Check, Report};
use self::run::Run;
use crate::cluster_access::{Cluster, ClusterArgs};
use crate::config::Config;
use crate::sender_token::{SenderToken, TokenArgs};

/// The names of the checks, in their order.
pub const CHECKS: [&str; 14] = [
    "config",
    "certificate",
    "filter",
    "peers",
    "api-server",
    "clock",
    "crd",
    "rights",
    "optional-rights",
    "token-review",
    "remediation-requests",
    "duplicates",
    "claims",
    "budgets",
];
/// Those of them that ask the API server, after `api-server`.
const OF_CLUSTER: usize = 5;

/// Check the configuration, the cluster, Envoy's filter and the replicas. Changes nothing.
///
/// Without --config it reads /etc/onceway/onceway.yaml, where the chart mounts the configuration, if that is there. It checks the
/// rights of the account that it runs as: run it in a replica's container, or with --as.
///
/// Exits with 0 if nothing has failed; with --strict, with 1 if there are warnings; with 2 if a check has failed or the arguments
/// are wrong; with 3 if it cannot run at all. docs/operations/doctor.md explains each check.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print one JSON object: version, onceway, time, namespace, user, status, checks
    #[arg(long)]
    json: bool,
    /// Exit with 1 if there are warnings
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    token: TokenArgs,
    /// Envoy's configuration (YAML, JSON, or a saved /config_dump), whose filter is to have the same target rules; `-` is standard
    /// input
    #[arg(long, value_name = "FILE", conflicts_with = "envoy_admin")]
    filter_config: Option<PathBuf>,
    /// URL of the admin interface of a running Envoy, such as http://127.0.0.1:9901
    #[arg(long, value_name = "URL")]
    envoy_admin: Option<String>,
    /// Health port of the replicas to ask, HOST:PORT; a headless Service stands for all its pods. May be repeated
    #[arg(long, value_name = "HOST:PORT")]
    peers: Vec<String>,
}

impl DoctorArgs {
    /// Whether to print JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Whether warnings count.
    pub fn strict(&self) -> bool {
        self.strict
    }

    /// Runs all checks, each within the time limit.
    ///
    /// # Errors
    /// If it cannot run: no token where one is named, or no cluster.
    pub async fn run(&self, inspected: &Inspected) -> anyhow::Result<Report> {
        let token = self.token.read().map_err(anyhow::Error::msg)?;
        let mut run = Run { report: Report::new(Timestamp::now()), limit: self.cluster.timeout() };
        run.check("config", async { configuration::judge(inspected) }).await;
        let Ok(config) = &inspected.config else {
            for check in CHECKS.into_iter().skip(1) {
                run.check(check, async { Finding::skipped("the configuration is not valid") }).await;
            }
            return Ok(run.report);
        };
        let cluster = self.cluster.connect(config).await?;
        run.report.namespace = Some(cluster.namespace.clone());
        self.check_parts(&mut run, config).await;
        check_cluster(&mut run, config, &cluster, token.as_ref()).await;
        Ok(run.report)
    }

    /// The checks that need no API server.
    async fn check_parts(&self, run: &mut Run, config: &Config) {
        let certificate = async {
            match &config.tls {
                Some(tls) => certificate::judge(certificate::read(tls).await, Timestamp::now()),
                None => Finding::skipped("tls is not configured"),
            }
        };
        run.check("certificate", certificate).await;
        let filter = async {
            let envoy = match (&self.filter_config, &self.envoy_admin) {
                (Some(file), _) => filter::read(file),
                (None, Some(admin)) => filter::ask(admin).await,
                (None, None) => return Finding::skipped("neither --filter-config nor --envoy-admin is given"),
            };
            filter::judge(envoy.map(|envoy| filter::plugins(&envoy)), config)
        };
        run.check("filter", filter).await;
        let limit = run.limit;
        let peers = async {
            if self.peers.is_empty() {
                return Finding::skipped("no --peers are given");
            }
            let is_tls = config.tls.as_ref().is_some_and(|tls| tls.metrics);
            let metrics = (!is_tls).then(|| config.listen.metrics.port());
            let asked = match peers::resolve(&self.peers).await {
                Ok(addresses) => Ok(peers::ask(addresses, metrics, limit).await),
                Err(why) => Err(why),
            };
            peers::judge(asked, config)
        };
        run.check("peers", peers).await;
    }
}

/// The checks of what the API server says.
async fn check_cluster(run: &mut Run, config: &Config, cluster: &Cluster, token: Option<&SenderToken>) {
    let limit = run.limit;
    let answered = run.limited(api_server::ask(cluster)).await;
    let skew = answered.as_ref().ok().and_then(|answered| clock::skew(&answered.samples));
    let unanswered = answered.as_ref().err().map(api_server::Unanswered::skipped);
    run.check("api-server", async { api_server::judge(&answered, config.limits.api_call_timeout) }).await;
    if let Some(reason) = unanswered {
        for check in CHECKS.into_iter().skip(OF_CLUSTER) {
            run.check(check, async { Finding::skipped(reason) }).await;
        }
        return;
    }
    run.check("clock", async { clock::judge(skew, config) }).await;
    run.check("crd", async { crd::judge(crd::ask(cluster).await) }).await;
    run.report.user = timeout(limit, rights::user(cluster)).await.ok().flatten();
    run.check("rights", check_rights(config, cluster, limit)).await;
    let optional = async {
        let needed = rights::Needed { in_namespace: false, rights: rights::optional(config) };
        let missing = rights::find_missing(cluster, &needed, limit).await;
        rights::judge_optional(missing.map(|missing| missing.rights), needed.rights.len())
    };
    run.check("optional-rights", optional).await;
    let review = async {
        if let Some(needless) = token_review::needless(config) {
            return needless;
        }
        let given = token.map(SenderToken::audiences);
        token_review::judge(config, given.as_deref(), token_review::ask(cluster, config, token, limit).await)
    };
    run.check("token-review", review).await;
    check_objects(run, config, cluster, skew).await;
}

async fn check_rights(config: &Config, cluster: &Cluster, limit: Duration) -> Finding {
    let needed = rights::required(config);
    let mut missing = Ok(Vec::new());
    for needed in &needed {
        match (rights::find_missing(cluster, needed, limit).await, &mut missing) {
            (Ok(found), Ok(missing)) => missing.push(found),
            (Err(why), _) => missing = Err(why),
            (Ok(_), Err(_)) => {}
        }
    }
    let checked = needed.iter().map(|needed| needed.rights.len()).sum();
    rights::judge_required(missing, checked, &cluster.namespace)
}

/// The checks of the RRs and claims in the namespace, which are listed once.
async fn check_objects(run: &mut Run, config: &Config, cluster: &Cluster, skew: Option<clock::Skew>) {
    let claims = inventory::claims(cluster, Instant::now() + run.limit).await;
    let began = Instant::now();
    let rrs = inventory::rrs(cluster, began + run.limit).await;
    let now_s = clock::server_now_s(skew);
    run.add("remediation-requests", began, incidents::judge_counts(&rrs, config, now_s));
    let unread = || Finding::skipped("the RemediationRequests cannot be listed");
    let index = rrs.as_ref().ok().map(|rrs| (incidents::index(rrs), rrs));
    let duplicates = index.as_ref().map(|(index, _)| incidents::judge_duplicates(index, config));
    run.check("duplicates", async { duplicates.unwrap_or_else(unread) }).await;
    run.check("claims", async { claims::judge(&claims, &rrs, &config.housekeeping, now_s) }).await;
    let budgets = index.as_ref().map(|(index, rrs)| incidents::judge_budgets(index, rrs, &config.limits));
    run.check("budgets", async { budgets.unwrap_or_else(unread) }).await;
}

#[cfg(test)]
mod tests {
    use super::{CHECKS, OF_CLUSTER};

    #[test]
    fn the_checks_of_the_cluster_follow_that_of_the_api_server() {
        assert_eq!(CHECKS[OF_CLUSTER - 1], "api-server");
    }
}
