//! A proxy before the real API server that delays, holds, refuses, cuts and forgets calls, by rules from a test.
//!
//! Every replica gets a proxy of its own, so that a rule can hit one replica alone; all of them write into one
//! [`Record`], so that there is one history. The proxy speaks plain HTTP to its client and TLS to the API server; the
//! client's token passes through, so that RBAC judges it as always.
//!
//! ```no_run
//! # async fn example(cluster: &onceway_kit::cluster::Cluster) -> anyhow::Result<()> {
//! use onceway_kit::fault_proxy::{Fault, FaultProxy, RRS, Record, Rule, Verb};
//!
//! let record = Record::new();
//! let proxy = FaultProxy::start(cluster, "onceway-0", &record).await?;
//! let hold = proxy.rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
//! // ... have the replica at proxy.url() create an RR ...
//! hold.reached().await; // its CREATE has arrived, and goes no further
//! hold.release(); // now it does, even if its client has given up
//! record.wait_for(|calls| calls.iter().any(|call| call.outcome.is_status(201))).await?;
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

pub use self::call::{Call, LEASES, Outcome, RR_STATUS, RRS, Verb};
pub use self::record::Record;
pub use self::rule::{Fault, Rule, RuleHandle};

use self::rule::Armed;

/// A proxy for one client (replica) of the API server; it stops when dropped.
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// What the proxy's connections have in common.
struct Shared {
    replica: String,
    upstream: Client,
    rules: Mutex<Vec<Arc<Armed>>>,
    record: Record,
    /// Told when all open connections are to be cut.
    cut: Notify,
}

impl FaultProxy {
    /// Starts a proxy before `cluster`'s API server, whose calls are recorded as those of `replica`.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(cluster: &Cluster, replica: &str, record: &Record) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            replica: replica.to_owned(),
            // A client without credentials of its own: it adds TLS and the address, and passes on all else.
            upstream: Client::try_from(cluster.config()?)?,
            rules: Mutex::default(),
            record: record.clone(),
            cut: Notify::new(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self { addr, shared, accepting })
    }

    /// Where a client finds the API server through this proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on, calls that `rule` matches meet `fault`. Of several rules, the first that still applies takes a call.
    pub fn rule(&self, rule: Rule, fault: Fault) -> RuleHandle {
        let armed = Arc::new(Armed::new(rule, fault));
        self.shared.rules().push(Arc::clone(&armed));
        RuleHandle::new(armed)
    }

    /// Cuts all open connections, watches included. What the API server has been sent goes on there; new connections meet
    /// whatever rules there are.
    pub fn cut(&self) {
        self.shared.cut.notify_one();
    }

    /// Ends all rules and releases all that they hold.
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
    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Armed>>> {
        self.rules.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections are tasks of this set, and so end with the proxy.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors, or a client that is gone already: the next one is another's.
                let Ok((stream, _)) = accepted else { continue };
                let shared = Arc::clone(&shared);
                // A cut connection is an error here, and what was wanted.
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
