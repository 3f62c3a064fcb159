//! Keeps the namespaces' labels up to date.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, ResourceExt};
use tracing::info;

use super::namespaces::Namespaces;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;
use crate::watching::{self, Sink};

/// Namespaces per page of the list: metadata alone.
const PAGE: u32 = 500;

/// Where the events of the watch go.
#[derive(Clone)]
pub struct NamespaceSink {
    /// The namespaces.
    pub namespaces: Arc<Namespaces>,
    /// Notified on 401 and 403.
    pub recheck: PermissionRecheck,
    /// The metrics of the watch.
    pub metrics: Arc<Metrics>,
}

/// Follows the metadata of the namespaces that have the label; never returns. Each watch lasts `watch` (whole seconds).
pub async fn follow(client: Client, watch: Duration, sink: NamespaceSink) {
    let labelled = Config::default().labels(sink.namespaces.label()).page_size(PAGE);
    watching::follow(client, labelled, watch, sink, Api::<PartialObjectMeta<Namespace>>::all).await;
}

impl Sink<PartialObjectMeta<Namespace>> for NamespaceSink {
    const WATCHED: &'static str = "namespaces";

    fn handle(&self, event: Event<PartialObjectMeta<Namespace>>) {
        let namespaces = &self.namespaces;
        match event {
            Event::Init => namespaces.begin_list(),
            Event::InitApply(namespace) => namespaces.list(&namespace.name_any(), self.label_of(&namespace)),
            Event::InitDone => {
                namespaces.end_list();
                info!(
                    event = "scope_listed",
                    namespaces = namespaces.size().0,
                    "the namespaces with the scope's label are known"
                );
            }
            Event::Apply(namespace) => namespaces.apply(&namespace.name_any(), self.label_of(&namespace)),
            // It is gone, or has the label no more.
            Event::Delete(namespace) => namespaces.apply(&namespace.name_any(), None),
        }
        self.record();
    }

    fn lose_sync(&self) {
        self.namespaces.lose_sync();
        self.record();
    }

    fn regain_sync(&self) {
        self.namespaces.regain_sync();
        self.record();
    }

    fn refused(&self) {
        self.recheck.request();
    }
}

impl NamespaceSink {
    fn label_of<'n>(&self, namespace: &'n PartialObjectMeta<Namespace>) -> Option<&'n String> {
        namespace.metadata.labels.as_ref()?.get(&**self.namespaces.label())
    }

    fn record(&self) {
        self.metrics.targets.scope_in_sync(self.namespaces.size().1);
    }
}

#[cfg(test)]
mod tests;
