//! A proxy between a replica and the real API server that injects faults into calls, by rules from a test: it delays,
//! holds, rejects and cuts calls, and drops responses.
//!
//! Each replica has its own proxy, so a rule can target one replica. All proxies write into one [`Record`], which gives
//! one history. The proxy speaks plain HTTP to its client and TLS to the API server. It forwards the client's token, so
//! RBAC applies unchanged.
//!
//! ```no_run
//! # async fn example(cluster: &onceway_kit::cluster::Cluster) -> anyhow::Result<()> {
//! use onceway_kit::fault_proxy::{Fault, FaultProxy, RRS, Record, Rule, Verb};
//!
//! let record = Record::new();
//! let proxy = FaultProxy::start(cluster, "onceway-0", &record).await?;
//! let hold = proxy.rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
//! // ... have the replica at proxy.url() create an RR ...
//! hold.reached().await; // its CREATE has arrived and is held
//! hold.release(); // forwards it, even if its client has timed out
//! record.wait_for(|calls| calls.iter().any(|call| call.result.is_status(201))).await?;
//! # Ok(())
//! # }
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use crate::cluster::Cluster;

mod answer;
mod call;
mod record;
mod rule;
mod serve;

pub use self::call::{ACCESS_REVIEWS, Call, CallResult, LEASES, RR_STATUS, RRS, TOKEN_REVIEWS, Verb};
pub use self::record::Record;
pub use self::rule::{Fault, Rule, RuleHandle};

use self::rule::ActiveRule;

/// A proxy for one client (replica) of the API server; dropping it stops it.
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// State shared by the proxy's connections.
struct Shared {
    replica: String,
    upstream: Client,
    rules: Mutex<Vec<Arc<ActiveRule>>>,
    record: Record,
    /// Notified to cut all open connections.
    cut: Notify,
}

impl FaultProxy {
    /// Starts a proxy in front of `cluster`'s API server; it records calls as those of `replica`.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(cluster: &Cluster, replica: &str, record: &Record) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            replica: replica.to_owned(),
            // A client without credentials: it adds TLS and the address, and forwards everything else.
            upstream: Client::try_from(cluster.config())?,
            rules: Mutex::default(),
            record: record.clone(),
            cut: Notify::new(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { addr, shared, accepting })
    }

    /// The API server's URL through this proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Injects `fault` into calls that match `rule` from now on. Of several rules, the oldest that applies to a call
    /// wins.
    pub fn rule(&self, rule: Rule, fault: Fault) -> RuleHandle {
        let active = Arc::new(ActiveRule::new(rule, fault));
        self.shared.rules().push(Arc::clone(&active));
        RuleHandle::new(active)
    }

    /// Cuts all open connections, watches included. Calls already forwarded still run on the API server; active rules
    /// apply to new connections.
    pub fn cut(&self) {
        self.shared.cut.notify_one();
    }

    /// Ends all rules and releases all held calls.
    pub fn heal(&self) {
        for rule in self.shared.rules().drain(..) {
            rule.end();
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Arc<ActiveRule>>> {
        self.rules.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connection tasks belong to this set, so they end with the proxy.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors, or the client is already gone: affects this connection only.
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                // A cut connection is an error here; it is an injected fault.
                connections.spawn(async move {
                    let service = service_fn(move |request: http::Request<Incoming>| serve::serve(Arc::clone(&shared), request));
                    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
            () = shared.cut.notified() => connections.abort_all(),
            Some(_) = connections.join_next() => {}
        }
    }
}
