//! Reads the metadata of objects that are not the sidecar's. Their own number is in flight, so that counts never wait for them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Client;
use kube::core::params::GetParams;
use kube::core::request::Request;

use super::outcome::CallFailure;
use super::resource::ResourceKind;
use super::response;
use super::transport::{ApiResponse, Transport};
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;
use crate::workload::{Metadata, ObjectRef, ReadMetadata, ReadRights, Unread};

/// Reads in flight in a replica. More wait, within the deadline of their lookup (`limits.targetTimeout`).
const MAX_READS: usize = 32;

/// Reads metadata over the API server.
pub struct MetadataReader {
    transport: Transport,
    rights: Arc<ReadRights>,
}

impl MetadataReader {
    /// Reads over `client` what `rights` allow, each within `call_timeout`. A 401 or 403 notifies `recheck`.
    pub fn new(
        client: Client,
        call_timeout: Duration,
        rights: Arc<ReadRights>,
        recheck: PermissionRecheck,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { transport: Transport::new(client, MAX_READS, call_timeout, recheck, metrics), rights }
    }

    async fn get(&self, object: &ObjectRef) -> Result<Option<Metadata>, Unread> {
        if !self.rights.may_read(object.kind) {
            return Err(Unread::NoRight);
        }
        let failed = |why: String| Unread::Failed(why);
        let path = object.path().ok_or_else(|| failed("it has no path".to_owned()))?;
        // Without a resourceVersion: a 404 is definite.
        let request = Request::new(path).get_metadata(&object.name, &GetParams::default());
        let request = request.map_err(|error| failed(error.to_string()))?;
        let kind = ResourceKind { verb: "get", resource: object.kind.resource };
        let response =
            self.transport.send(kind, request, false).await.map_err(|failure| failed(failure.to_string()))?;
        let ApiResponse { status, body, .. } = response;
        response::read_object(status, &body).map_err(|failure| match failure {
            CallFailure::Refused { status: 403, .. } => Unread::NoRight,
            failure => failed(failure.to_string()),
        })
    }
}

impl ReadMetadata for MetadataReader {
    fn read<'a>(&'a self, object: &'a ObjectRef) -> BoxFuture<'a, Result<Option<Metadata>, Unread>> {
        self.get(object).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use tokio::time::timeout;

    use super::MetadataReader;
    use crate::doubles::wire::{Met, Wire, status};
    use crate::health::permissions::PermissionRecheck;
    use crate::metrics::Metrics;
    use crate::workload::{ObjectRef, ReadMetadata, ReadRights, Unread};

    const PATH: &str = "GET /apis/apps/v1/namespaces/prod/deployments/a";

    struct Rig {
        wire: Arc<Wire>,
        rights: Arc<ReadRights>,
        recheck: PermissionRecheck,
        reader: MetadataReader,
    }

    impl Rig {
        fn new() -> Self {
            let (wire, rights, recheck) = (Wire::new(), Arc::new(ReadRights::default()), PermissionRecheck::default());
            let (client, metrics) = (wire.client(), Arc::new(Metrics::new()));
            let limit = Duration::from_secs(1);
            let reader = MetadataReader::new(client, limit, Arc::clone(&rights), recheck.clone(), metrics);
            Self { wire, rights, recheck, reader }
        }

        async fn read(&self) -> Result<Option<crate::workload::Metadata>, Unread> {
            self.reader.read(&ObjectRef::new("Deployment", None, Some("prod"), "a").unwrap()).await
        }
    }

    #[tokio::test]
    async fn metadata_alone_is_read_and_a_404_is_definite() {
        let rig = Rig::new();
        let labels = json!({"kubernaut.ai/managed": "true"});
        rig.wire.on(PATH, Met::Response(200, json!({"metadata": {"name": "a", "labels": labels}})));
        let metadata = rig.read().await.unwrap().unwrap();
        assert_eq!(metadata.labels["kubernaut.ai/managed"], "true");
        let made = &rig.wire.made(PATH)[0];
        assert_eq!(made.accept, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1");
        assert!(!made.query.contains("resourceVersion"), "{}", made.query);

        let rig = Rig::new();
        assert_eq!(rig.read().await, Ok(None));
        // A 404 that is not about the object: of a proxy, or of an API that is not served.
        rig.wire.on(PATH, Met::Response(404, json!("404 page not found")));
        assert!(matches!(rig.read().await, Err(Unread::Failed(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_403_is_a_missing_right_and_has_the_rights_reviewed_and_other_failures_are_failures() {
        for (met, unread) in [(status(403, "Forbidden"), true), (status(500, "InternalError"), false)] {
            let rig = Rig::new();
            rig.wire.on(PATH, met);
            assert_eq!(rig.read().await == Err(Unread::NoRight), unread);
            let asked = timeout(Duration::from_millis(1), rig.recheck.requested()).await;
            assert_eq!(asked.is_ok(), unread);
        }
        for met in [Met::Break, Met::Silence, Met::Response(200, json!({"items": []}))] {
            let rig = Rig::new();
            rig.wire.on(PATH, met);
            assert!(matches!(rig.read().await, Err(Unread::Failed(_))));
        }
    }

    #[tokio::test]
    async fn what_is_known_to_be_unreadable_costs_no_call() {
        let rig = Rig::new();
        rig.rights.set_missing(BTreeSet::from(["deployments"]));
        assert_eq!(rig.read().await, Err(Unread::NoRight));
        assert!(rig.wire.lines().is_empty());
        rig.rights.set_missing(BTreeSet::from(["pods"]));
        assert_eq!(rig.read().await, Ok(None));
    }
}
