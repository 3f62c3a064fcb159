use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use onceway_signal::rules::{Document, Resolve, Rules};
use tokio::time::{Instant, sleep};

use super::{Settings, Workloads};
use crate::metrics::Metrics;
use crate::rr::TargetResource;
use crate::workload::{Found, Metadata, Named, ObjectRef, ReadMetadata, Unread};

const TIMEOUT: Duration = Duration::from_millis(300);

/// Objects that exist by kind and name; each read takes a time.
#[derive(Default)]
struct Objects {
    exist: Mutex<BTreeMap<(String, String), Metadata>>,
    takes: Duration,
    reads: AtomicUsize,
    panics: bool,
}

impl ReadMetadata for Objects {
    fn read<'a>(&'a self, object: &'a ObjectRef) -> BoxFuture<'a, Result<Option<Metadata>, Unread>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(!self.panics, "as the test asked");
            sleep(self.takes).await;
            Ok(self.exist.lock().unwrap().get(&(object.kind.kind.to_owned(), object.name.clone())).cloned())
        }
        .boxed()
    }
}

struct Rig {
    objects: Arc<Objects>,
    workloads: Workloads,
    metrics: Arc<Metrics>,
}

impl Rig {
    fn new(document: Document, objects: Objects) -> Self {
        let (objects, metrics) = (Arc::new(objects), Arc::new(Metrics::new()));
        let resolution = Rules::compile(document).unwrap().resolution().clone();
        let settings = Settings { resolution, timeout: TIMEOUT, label: None };
        let reader: Arc<dyn ReadMetadata> = Arc::clone(&objects) as _;
        let workloads = Workloads::new(settings, reader, Arc::clone(&metrics));
        Self { objects, workloads, metrics }
    }

    async fn find(&self, named: Named) -> Arc<Found> {
        self.workloads.lookup(Arc::new(named)).await
    }

    fn reads(&self) -> usize {
        self.objects.reads.load(Ordering::SeqCst)
    }
}

fn pod(cluster: Option<&str>) -> Named {
    let target = |kind: &str, name: &str| TargetResource {
        kind: kind.into(),
        name: name.into(),
        namespace: Some("prod".into()),
        api_version: None,
    };
    Named {
        object: target("Pod", "payment-api-7d4b9c6f8-x2k4z"),
        cluster: cluster.map(str::to_owned),
        owner: None,
        implied: Some(("Deployment".into(), "payment-api".into())),
    }
}

fn existing(kind: &str, name: &str, takes: Duration) -> Objects {
    let exist = BTreeMap::from([((kind.to_owned(), name.to_owned()), Metadata::default())]);
    Objects { exist: Mutex::new(exist), takes, ..Objects::default() }
}

fn resolving(resolve: Resolve) -> Document {
    Document { resolve, ..Document::default() }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_leaves_the_best_that_is_known() {
    // The second of two reads ends after the deadline of both together.
    let rig = Rig::new(Document::default(), existing("Deployment", "payment-api", TIMEOUT * 2 / 3));
    let began = Instant::now();
    let found = rig.find(pod(None)).await;
    assert_eq!((began.elapsed(), rig.reads(), found.how.label()), (TIMEOUT, 2, "late"));
    assert_eq!(found.target.name, "payment-api");
    assert!(rig.metrics.render().unwrap().contains("gateway_target_lookups_total{result=\"late\"} 1\n"));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_goes_on_by_itself_and_is_made_once_for_all_who_wait() {
    let rig = Rig::new(Document::default(), existing("Deployment", "payment-api", TIMEOUT / 4));
    let lookup = rig.workloads.lookup(Arc::new(pod(None)));
    sleep(TIMEOUT).await;
    assert_eq!(rig.reads(), 2, "nobody has waited yet");
    let began = Instant::now();
    let (one, other) = tokio::join!(lookup.clone(), lookup);
    assert_eq!((began.elapsed(), &one, rig.reads()), (Duration::ZERO, &other, 2));
    assert_eq!((one.how.label(), one.target.kind.as_str()), ("implied", "Deployment"));
}

#[tokio::test]
async fn nothing_is_read_where_targets_are_not_to_be_verified() {
    for (resolve, kind, api_version) in
        [(Resolve::Derive, "Deployment", Some("apps/v1")), (Resolve::Named, "Pod", None)]
    {
        let rig = Rig::new(resolving(resolve), Objects::default());
        let found = rig.find(pod(None)).await;
        assert_eq!((found.target.kind.as_str(), found.target.api_version.as_deref()), (kind, api_version));
        assert_eq!(rig.reads(), 0);
    }
}

#[tokio::test]
async fn another_clusters_objects_are_not_looked_for_in_this_one() {
    let document = Document { local_clusters: vec!["east-1".into()], ..Document::default() };
    let rig = Rig::new(document, Objects::default());
    assert_eq!(rig.find(pod(Some("west-2"))).await.how.label(), "derived");
    assert_eq!(rig.reads(), 0);
    for cluster in [Some("east-1"), None] {
        assert_eq!(rig.find(pod(cluster)).await.how.label(), "missing");
    }
}

#[tokio::test]
async fn a_lookup_that_panics_costs_a_less_exact_target_and_nothing_else() {
    let rig = Rig::new(Document::default(), Objects { panics: true, ..Objects::default() });
    let found = rig.find(pod(None)).await;
    assert_eq!((found.how.label(), found.target.name.as_str()), ("failed", "payment-api"));
}
