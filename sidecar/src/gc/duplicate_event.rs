//! The Warning event about a duplicate.

use http::StatusCode;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use kube::api::PostParams;
use kube::core::request::Request;

use super::collector::GarbageCollector;
use crate::executor::ResourceKind;
use crate::index::observed::Observed;
use crate::rr::RemediationRequest;

/// The event's reason.
const REASON: &str = "DuplicateRemediationRequest";

impl GarbageCollector {
    /// Creates the event. `Some(true)`: created; `Some(false)`: another replica has created it; `None`: the call failed.
    pub(super) async fn create_warning(&self, oldest: &Observed, younger: &Observed) -> Option<bool> {
        let event = self.event(oldest, younger);
        let url = Event::url_path(&(), Some(&self.namespace));
        let request = Request::new(url).create(&PostParams::default(), serde_json::to_vec(&event).ok()?).ok()?;
        let response = self.executor.send(ResourceKind { verb: "create", resource: "events" }, request).await.ok()?;
        match response.status {
            status if status.is_success() => Some(true),
            StatusCode::CONFLICT => Some(false),
            _ => None,
        }
    }

    fn event(&self, oldest: &Observed, younger: &Observed) -> Event {
        let now = Some(Time(Timestamp::now()));
        let involved = ObjectReference {
            api_version: Some(RemediationRequest::api_version(&()).into_owned()),
            kind: Some(RemediationRequest::kind(&()).into_owned()),
            namespace: Some(self.namespace.clone()),
            name: Some(younger.name.to_string()),
            uid: Some(younger.uid().to_owned()),
            ..ObjectReference::default()
        };
        let source = EventSource { component: Some("onceway".into()), host: Some(self.pod.clone()) };
        Event {
            // The same name in every replica, so that only one of them reports.
            metadata: ObjectMeta {
                name: Some(format!("onceway-duplicate-{}", younger.uid())),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: involved,
            type_: Some("Warning".into()),
            reason: Some(REASON.into()),
            message: Some(format!(
                "{} and {} are both active for the same incident; {} is the older one and stays",
                oldest.name, younger.name, oldest.name
            )),
            source: Some(source),
            first_timestamp: now.clone(),
            last_timestamp: now,
            count: Some(1),
            ..Event::default()
        }
    }
}
