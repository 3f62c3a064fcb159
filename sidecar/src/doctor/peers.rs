//! The replicas: whether each is ready, and whether they run the same version and configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, join_all};
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::finding::{Finding, counted};
use crate::config::Config;
use crate::http_request;

/// Replicas that are asked; a Service of ours has a few.
const MAX_PEERS: usize = 64;
/// The largest response that is read, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The time limit of each request: a replica that responds later is not ready for a probe, either.
const LIMIT: Duration = Duration::from_secs(2);
/// The metrics in which a replica says what it runs.
const BUILD: &str = "gateway_build_info";
const CONFIG: &str = "gateway_config_info";

/// A replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The address of its health port.
    pub(super) address: String,
    /// `Ok` if it is ready, else why not.
    pub(super) ready: Result<(), String>,
    /// What it says that it runs: version, configuration, target rules.
    pub(super) runs: Runs,
}

/// What a replica runs, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) version: Option<String>,
    pub(super) config: Option<String>,
    pub(super) targets: Option<String>,
}

impl Runs {
    fn named(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("version", self.version.as_deref()),
            ("configuration", self.config.as_deref()),
            ("target rules", self.targets.as_deref()),
        ]
    }
}

/// The addresses behind these names, each `HOST:PORT` of a health port: a headless Service has those of all its pods.
pub(super) async fn resolve(names: &[String]) -> Result<BTreeSet<SocketAddr>, String> {
    let mut found = BTreeSet::new();
    for name in names {
        let name = name.trim_start_matches("http://").trim_end_matches('/');
        let addresses =
            lookup_host(name).await.map_err(|error| format!("cannot resolve {name} (HOST:PORT): {error}"))?;
        found.extend(addresses);
    }
    if found.len() > MAX_PEERS {
        Err(format!("{} addresses; at most {MAX_PEERS} are asked", found.len()))
    } else {
        Ok(found)
    }
}

/// Asks all of them at once, each request within [`LIMIT`] and before the check's own `limit`; `metrics` is the port of their
/// metrics, if they can be asked there. One that does not say what it runs in time has not said it.
pub(super) async fn ask(addresses: BTreeSet<SocketAddr>, metrics: Option<u16>, limit: Duration) -> Vec<Peer> {
    let limit = LIMIT.min(limit / 2);
    join_all(addresses.into_iter().map(|address| async move {
        let what = async {
            match metrics {
                Some(port) => runs(SocketAddr::new(address.ip(), port)).await,
                None => None,
            }
        };
        let (ready, runs) = join(timeout(limit, readiness(address)), timeout(limit, what)).await;
        let ready = ready.unwrap_or_else(|_| Err(format!("no response within {} s", limit.as_secs_f64())));
        Peer { address: address.to_string(), ready, runs: runs.ok().flatten().unwrap_or_default() }
    }))
    .await
}

async fn get(address: SocketAddr, path: &str) -> Result<(u16, Bytes), String> {
    let url = format!("http://{address}{path}");
    let request = Request::get(&url).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
    let exchange = http_request::send(request, None, MAX_BYTES).await.map_err(|error| error.to_string())?;
    Ok((exchange.status.as_u16(), exchange.body))
}

async fn readiness(address: SocketAddr) -> Result<(), String> {
    let (status, body) = get(address, "/readyz").await?;
    if status == 200 {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = body["detail"].as_str().map(|detail| format!(": {detail}")).unwrap_or_default();
    Err(format!("/readyz responds with {status}{detail}"))
}

async fn runs(address: SocketAddr) -> Option<Runs> {
    let (_, text) = get(address, "/metrics").await.ok().filter(|(status, _)| *status == 200)?;
    Some(read_runs(&String::from_utf8_lossy(&text)))
}

/// What metrics in Prometheus' text format say.
fn read_runs(text: &str) -> Runs {
    let label = |metric: &str, label: &str| {
        let line = text.lines().find(|line| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with('{')))?;
        let value =
            line.split([',', '{', '}']).find_map(|pair| pair.trim().strip_prefix(label)?.strip_prefix("=\""))?;
        value.strip_suffix('"').map(str::to_owned)
    };
    Runs { version: label(BUILD, "version"), config: label(CONFIG, "config"), targets: label(CONFIG, "targets") }
}

/// What follows.
pub(super) fn judge(peers: Result<Vec<Peer>, String>, config: &Config) -> Finding {
    let peers = match peers {
        Ok(peers) if peers.is_empty() => {
            return Finding::fail("--peers names no replica", "name the headless Service of the sidecars");
        }
        Ok(peers) => peers,
        Err(why) => return Finding::fail(why, "name the health port of a replica, or of the headless Service of all"),
    };
    let number = counted(peers.len(), "replica");
    let down = peers.iter().filter_map(|peer| Some(format!("{}: {}", peer.address, peer.ready.as_ref().err()?)));
    let down: Vec<String> = down.collect();
    if !down.is_empty() {
        let action = "see the pods' state and log; a network policy must let this pod reach their health ports";
        return Finding::fail(format!("{} of {number} not ready", down.len()), action).about(down);
    }
    let ours = Runs {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        config: Some(config.digest()),
        targets: Some(config.targets.hash().to_owned()),
    };
    let mut differing = Vec::new();
    for (place, (what, _)) in ours.named().into_iter().enumerate() {
        let mut by_value: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let all = peers.iter().map(|peer| (&peer.runs, peer.address.as_str())).chain([(&ours, "this program")]);
        for (runs, name) in all {
            if let Some((_, Some(value))) = runs.named().into_iter().nth(place) {
                by_value.entry(value).or_default().push(name);
            }
        }
        if by_value.len() > 1 {
            let each = by_value.iter().map(|(value, names)| format!("{value} ({})", names.join(", ")));
            differing.push(format!("{what}: {}", each.collect::<Vec<_>>().join("; ")));
        }
    }
    if !differing.is_empty() {
        let action = "wait for a rollout to end (kubectl rollout status); then give --config the configuration that the replicas run";
        return Finding::warn(format!("{number} ready, which do not run the same"), action).about(differing);
    }
    let said = peers.iter().filter(|peer| peer.runs != Runs::default()).count();
    let says = match said {
        0 => "they do not say what they run".to_owned(),
        said => format!("{said} of them say what they run, the same as this program"),
    };
    Finding::pass(format!("{number} ready; {says}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::super::finding::Status;
    use super::{Peer, Runs, ask, judge, read_runs, resolve};
    use crate::config::Config;

    fn peer(address: &str, config: Option<&str>) -> Peer {
        let runs = Runs { config: config.map(str::to_owned), ..Runs::default() };
        Peer { address: address.into(), ready: Ok(()), runs }
    }

    #[test]
    fn what_a_replica_runs_is_read_from_its_metrics() {
        let text = "# HELP gateway_build_info x\ngateway_build_info{version=\"0.1.0\",revision=\"unknown\"} 1\n\
                    gateway_config_info{config=\"1a2b\",targets=\"3c4d\"} 1\n";
        let expected =
            Runs { version: Some("0.1.0".into()), config: Some("1a2b".into()), targets: Some("3c4d".into()) };
        assert_eq!(read_runs(text), expected);
        assert_eq!(read_runs("gateway_build_info_other{version=\"1\"} 1\n"), Runs::default());
    }

    #[test]
    fn replicas_that_are_ready_and_say_nothing_or_the_same_pass() {
        let config = Config::default();
        let digest = config.digest();
        assert_eq!(judge(Ok(vec![peer("a", None), peer("b", None)]), &config).status, Status::Pass);
        let finding = judge(Ok(vec![peer("a", Some(&digest)), peer("b", None)]), &config);
        assert!(finding.status == Status::Pass && finding.summary.contains("1 of them"), "{finding:?}");
    }

    #[test]
    fn a_replica_that_is_down_is_a_failure_that_names_it() {
        let down = Peer { ready: Err("cannot connect".into()), ..peer("10.0.0.2:8081", None) };
        let finding = judge(Ok(vec![peer("10.0.0.1:8081", None), down]), &Config::default());
        let expected = "10.0.0.2:8081: cannot connect".to_owned();
        assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &[expected][..]));
        assert_eq!(judge(Ok(Vec::new()), &Config::default()).status, Status::Fail);
    }

    #[test]
    fn replicas_that_run_different_configurations_are_a_warning_that_says_which() {
        let finding = judge(Ok(vec![peer("a", Some("111")), peer("b", Some("222"))]), &Config::default());
        assert_eq!(finding.status, Status::Warn);
        assert!(finding.items[0].starts_with("configuration: 111 (a); 222 (b)"), "{finding:?}");
    }

    #[tokio::test]
    async fn a_replica_that_says_nothing_is_named_within_the_time_of_the_check() {
        // They take connections, and nobody reads from them.
        let listeners =
            [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let limit = Duration::from_millis(200);
        let asked = ask(BTreeSet::from([addresses[0]]), Some(addresses[1].port()), limit);
        let peers = tokio::time::timeout(limit, asked).await.unwrap();
        let finding = judge(Ok(peers), &Config::default());
        let expected = format!("{}: no response within 0.1 s", addresses[0]);
        assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &[expected][..]));
    }

    #[tokio::test]
    async fn a_name_is_resolved_to_the_addresses_behind_it() {
        let names = ["127.0.0.1:8081".to_owned(), "http://127.0.0.2:8081/".to_owned()];
        assert_eq!(resolve(&names).await.unwrap().len(), 2);
        assert!(resolve(&["no port".to_owned()]).await.unwrap_err().contains("HOST:PORT"));
    }
}
