use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use onceway_signal::rules::{Document, Missing, Resolve, Rules};
use onceway_signal::{Origin, Source, decode};
use serde_json::json;
use tokio::time::{Instant, advance};

use super::{Namespaces, Scoped, Settings};
use crate::doubles::objects::{TARGET_TIMEOUT, fingerprint};
use crate::doubles::wire::{Met, Wire, status};
use crate::executor::MetadataReader;
use crate::health::permissions::PermissionRecheck;
use crate::incident::{Commit, Counted, LogContext, Submission, SubmitError};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::{SignalList, TargetResource};
use crate::workload::{self, Named, NewTarget, ReadMetadata, ReadRights, Workloads};

const LABEL: &str = "kubernaut.ai/managed";
const POD: &str = "payment-api-7d4b9c6f8-x2k4z";
const POD_PATH: &str = "GET /api/v1/namespaces/prod/pods/payment-api-7d4b9c6f8-x2k4z";
const DEPLOYMENT_PATH: &str = "GET /apis/apps/v1/namespaces/prod/deployments/payment-api";
const NAMESPACE_PATH: &str = "GET /api/v1/namespaces/prod";

/// Counts what passes, and keeps the targets.
#[derive(Default)]
struct Passed {
    submissions: AtomicUsize,
    targets: Mutex<Vec<NewTarget>>,
}

impl Commit for Arc<Passed> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        self.submissions.fetch_add(1, Ordering::SeqCst);
        self.targets.lock().unwrap().push(submission.target);
        Err(SubmitError::Draining)
    }
}

struct Rig {
    wire: Arc<Wire>,
    passed: Arc<Passed>,
    index: Arc<Index>,
    namespaces: Arc<Namespaces>,
    workloads: Workloads,
    metrics: Arc<Metrics>,
    scoped: Scoped<Arc<Passed>>,
}

impl Rig {
    /// With the scope's label.
    fn with_label() -> Self {
        Self::new(Document::default(), true)
    }

    fn new(document: Document, has_scope: bool) -> Self {
        let (wire, metrics, index) = (Wire::new(), Arc::new(Metrics::new()), Arc::new(Index::default()));
        index.begin_list();
        index.end_list();
        let resolution = Rules::compile(document).unwrap().resolution().clone();
        let missing = resolution.missing;
        let rights = Arc::new(ReadRights::default());
        let recheck = PermissionRecheck::default();
        let reader = MetadataReader::new(wire.client(), Duration::from_secs(2), rights, recheck, Arc::clone(&metrics));
        let reader: Arc<dyn ReadMetadata> = Arc::new(reader);
        let namespaces = Arc::new(Namespaces::new(LABEL.into(), Arc::clone(&reader)));
        let label = has_scope.then(|| LABEL.into());
        let settings = workload::Settings { resolution, timeout: TARGET_TIMEOUT, label };
        let workloads = Workloads::new(settings, reader, Arc::clone(&metrics));
        let settings = Settings { missing, namespaces: has_scope.then(|| Arc::clone(&namespaces)) };
        let passed = Arc::new(Passed::default());
        let scoped =
            Scoped::new(Arc::clone(&passed), settings, workloads.clone(), Arc::clone(&index), Arc::clone(&metrics));
        Self { wire, passed, index, namespaces, workloads, metrics, scoped }
    }

    /// The pod exists, without an owner and with this value of the label.
    fn pod(&self, value: Option<&str>) -> &Self {
        let labels = value.map(|value| json!({ LABEL: value }));
        self.wire.on(POD_PATH, Met::Response(200, json!({"metadata": {"name": POD, "labels": labels}})));
        self
    }

    /// The watch is in sync, and the namespace has this value of the label.
    fn namespace(&self, value: Option<&str>) -> &Self {
        self.namespaces.begin_list();
        if let Some(value) = value {
            self.namespaces.list("prod", Some(&value.to_owned()));
        }
        self.namespaces.end_list();
        self
    }

    async fn submit(&self, named: Named) -> SubmitError {
        self.scoped.submit(submission(named)).await.unwrap_err()
    }

    /// Whether a signal about the pod passes; else the reason.
    async fn pod_passes(&self) -> Result<(), String> {
        match self.submit(pod()).await {
            SubmitError::Draining => Ok(()),
            SubmitError::Rejected(rejection) => Err(rejection.reason),
            SubmitError::Undecided { cause } => Err(cause),
            other => panic!("{other:?}"),
        }
    }
}

fn submission(named: Named) -> Submission {
    Submission {
        fingerprint: fingerprint(),
        source: Source::Prometheus,
        signals: NonZeroU32::new(3).unwrap(),
        by_name: SignalList::default(),
        received: Timestamp::now(),
        deadline: Instant::now() + Duration::from_secs(8),
        spec: Arc::new(|| panic!("nothing is created")),
        target: NewTarget::new(named),
        log: LogContext::default(),
        provenance: Default::default(),
        namespace: "prod".into(),
        when_counted: None,
    }
}

fn pod() -> Named {
    alert(&json!({"namespace": "prod", "pod": POD}))
}

fn alert(labels: &serde_json::Value) -> Named {
    let mut labels = labels.clone();
    labels["alertname"] = json!("A");
    let body = json!({"alerts": [{"status": "firing", "labels": labels}]}).to_string();
    let payload = decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).unwrap();
    Named::of(payload.entries()[0].signal.as_ref().unwrap())
}

#[tokio::test]
async fn the_label_of_the_object_counts_and_else_that_of_its_namespace() {
    for (object, namespace, passes) in [
        (None, Some("true"), true),
        (None, Some("false"), false),
        (None, None, false),
        (None, Some("yes"), false),
        (Some("true"), None, true),
        (Some("true"), Some("false"), true),
        (Some("false"), Some("true"), false),
        (Some("yes"), Some("true"), true),
    ] {
        let rig = Rig::with_label();
        let passed = rig.pod(object).namespace(namespace).pod_passes().await;
        let expected = if passes { Ok(()) } else { Err("unmanaged_resource".to_owned()) };
        assert_eq!(passed, expected, "{object:?} in {namespace:?}");
        assert_eq!(rig.passed.submissions.load(Ordering::SeqCst), usize::from(passes));
    }
}

#[tokio::test]
async fn what_is_rejected_is_counted_and_told_without_anything_that_was_found() {
    let rig = Rig::with_label();
    rig.pod(None).namespace(None);
    let SubmitError::Rejected(rejection) = rig.submit(pod()).await else { panic!("it passed") };
    let written = serde_json::to_value(&rejection).unwrap();
    assert_eq!((&written["status"], &written["reason"]), (&json!("rejected"), &json!("unmanaged_resource")));
    assert_eq!(written["resource"], "prod:Deployment:payment-api");
    let action = written["action"].as_str().unwrap();
    assert!(action.contains("kubectl label -n prod deployment payment-api kubernaut.ai/managed=true"), "{action}");
    assert!(action.contains("kubectl label namespace prod kubernaut.ai/managed=true"), "{action}");
    let line = "gateway_signals_rejected_total{reason=\"unmanaged_resource\"} 3\n";
    assert!(rig.metrics.render().unwrap().contains(line));
}

#[tokio::test]
async fn a_strangers_text_is_in_no_command() {
    let rig = Rig::with_label();
    rig.namespace(None);
    let named = |kind: &str, name: &str, namespace: Option<&str>| {
        let namespace = namespace.map(str::to_owned);
        let object = TargetResource { kind: kind.into(), name: name.into(), namespace, api_version: None };
        let mut named = alert(&json!({"instance": "a"}));
        named.object = object;
        named
    };
    for hostile in [
        named("Queue", "a; rm -rf /", Some("prod")),
        named("Deployment", "$(reboot)", Some("prod")),
        named("Host", "`reboot`", None),
        named("Deployment", "a", Some("$(reboot)")),
    ] {
        rig.scoped.gate.as_ref().unwrap().lookups.clear();
        let SubmitError::Rejected(rejection) = rig.submit(hostile).await else { panic!("it passed") };
        for text in ["rm", "reboot"] {
            assert!(!rejection.action.contains(text), "{}", rejection.action);
        }
    }
}

#[tokio::test]
async fn an_incident_with_an_active_rr_is_counted_whatever_its_labels_say_by_now_and_costs_no_read() {
    let rig = Rig::with_label();
    rig.namespace(Some("false"));
    let rr = crate::doubles::objects::rr("rr-1", 1, "", 1);
    rig.index.apply(&serde_json::from_value(rr).unwrap());
    assert_eq!(rig.pod_passes().await, Ok(()));
    assert!(rig.wire.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn signals_that_arrive_together_cost_one_lookup_which_the_new_rr_uses_too() {
    let rig = Rig::with_label();
    rig.pod(None).namespace(Some("true"));
    let (a, b, c) = tokio::join!(rig.pod_passes(), rig.pod_passes(), rig.pod_passes());
    assert_eq!((a, b, c), (Ok(()), Ok(()), Ok(())));
    let targets = rig.passed.targets.lock().unwrap().clone();
    for target in targets {
        let found = target.find(&rig.workloads).await;
        assert_eq!((found.target.kind.as_str(), found.target.api_version.as_deref()), ("Pod", Some("v1")));
    }
    assert_eq!(rig.wire.lines().len(), 1);
    advance(Duration::from_millis(1001)).await;
    assert_eq!(rig.pod_passes().await, Ok(()));
    assert_eq!(rig.wire.lines().len(), 2, "what was found is not used for long");
}

#[tokio::test]
async fn a_namespace_is_read_while_the_watch_does_not_tell() {
    let rig = Rig::with_label();
    let labelled = |value: &str| json!({"metadata": {"name": "prod", "labels": {LABEL: value}}});
    rig.pod(None).wire.on(NAMESPACE_PATH, Met::Response(200, labelled("true")));
    assert_eq!(rig.pod_passes().await, Ok(()));
    // In sync it tells, also that a namespace has no label.
    rig.namespace(None);
    assert_eq!(rig.pod_passes().await, Err("unmanaged_resource".into()));
    rig.namespaces.lose_sync();
    assert_eq!(rig.pod_passes().await, Ok(()));
    assert_eq!(rig.wire.made(NAMESPACE_PATH).len(), 2);
    let gone = Rig::with_label();
    assert_eq!(gone.pod(None).pod_passes().await, Err("unmanaged_resource".into()), "it does not exist");
}

#[tokio::test]
async fn what_cannot_be_read_is_decided_neither_way() {
    for met in [status(403, "Forbidden"), status(500, "InternalError"), Met::Break] {
        let rig = Rig::with_label();
        rig.namespace(Some("true")).wire.on(POD_PATH, met.clone());
        let cause = rig.pod_passes().await.unwrap_err();
        assert!(cause.starts_with("the target's labels are not known"), "{cause}");
        let rig = Rig::with_label();
        rig.pod(None).wire.on(NAMESPACE_PATH, met);
        let cause = rig.pod_passes().await.unwrap_err();
        assert!(cause.starts_with("namespace prod: "), "{cause}");
        assert_eq!(rig.passed.submissions.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn objects_without_a_namespace_have_their_own_label_alone() {
    let rig = Rig::with_label();
    rig.namespace(Some("true"));
    let node = || alert(&json!({"node": "worker-1"}));
    assert!(matches!(rig.submit(node()).await, SubmitError::Rejected(_)));
    let labelled = json!({"metadata": {"name": "worker-1", "labels": {LABEL: "true"}}});
    rig.wire.on("GET /api/v1/nodes/worker-1", Met::Response(200, labelled));
    rig.scoped.gate.as_ref().unwrap().lookups.clear();
    assert_eq!(rig.submit(node()).await, SubmitError::Draining);
    // A namespace is in itself.
    rig.scoped.gate.as_ref().unwrap().lookups.clear();
    assert_eq!(rig.submit(alert(&json!({"namespace": "prod"}))).await, SubmitError::Draining);
    // What is no object of the API has no label.
    rig.scoped.gate.as_ref().unwrap().lookups.clear();
    assert!(matches!(rig.submit(alert(&json!({"instance": "db:9100"}))).await, SubmitError::Rejected(_)));
}

#[tokio::test]
async fn a_target_in_another_cluster_is_out_of_scope() {
    let document = Document { local_clusters: vec!["east-1".into()], ..Document::default() };
    let rig = Rig::new(document, true);
    rig.pod(Some("true")).namespace(Some("true"));
    let of = |cluster: &str| alert(&json!({"namespace": "prod", "pod": POD, "cluster": cluster}));
    assert!(matches!(rig.submit(of("west-2")).await, SubmitError::Rejected(_)));
    rig.scoped.gate.as_ref().unwrap().lookups.clear();
    assert_eq!(rig.submit(of("east-1")).await, SubmitError::Draining);
}

#[tokio::test]
async fn without_reads_the_namespace_alone_decides() {
    let rig = Rig::new(Document { resolve: Resolve::Derive, ..Document::default() }, true);
    assert_eq!(rig.pod(Some("false")).namespace(Some("true")).pod_passes().await, Ok(()));
    assert!(rig.wire.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_a_target_that_certainly_exists_nowhere_is_missing() {
    let rejecting = || Rig::new(Document { missing: Missing::Reject, ..Document::default() }, false);
    assert_eq!(rejecting().pod_passes().await, Err("missing_resource".into()));
    assert_eq!(rejecting().pod(None).pod_passes().await, Ok(()));
    let implied = rejecting();
    implied.wire.on(DEPLOYMENT_PATH, Met::Response(200, json!({"metadata": {"name": "payment-api"}})));
    assert_eq!(implied.pod_passes().await, Ok(()));
    for met in [status(403, "Forbidden"), status(500, "InternalError"), Met::Break, Met::Silence] {
        let rig = rejecting();
        rig.wire.on(DEPLOYMENT_PATH, met);
        assert_eq!(rig.pod_passes().await, Ok(()));
    }
}

#[tokio::test]
async fn where_everything_may_be_remediated_nothing_is_looked_for_before_the_claim() {
    let rig = Rig::new(Document::default(), false);
    assert_eq!(rig.pod_passes().await, Ok(()));
    assert!(rig.wire.lines().is_empty());
}
