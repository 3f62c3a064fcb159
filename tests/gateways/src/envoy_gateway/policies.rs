//! What the control plane says about policies, in their status.

use anyhow::Result;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use crate::site::NAMESPACE;

/// The kinds that the chart installs.
const KINDS: [&str; 4] = ["EnvoyExtensionPolicy", "BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyPatchPolicy"];

/// A condition of a policy.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The policy's kind.
    pub kind: &'static str,
    /// Such as `Accepted` and `Programmed`.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// Whether it is about the policy as it is now, and not about an earlier one.
    pub current: bool,
    /// Why.
    pub message: String,
}

/// All conditions of all policies of the release's namespace.
pub(super) async fn conditions(client: &Client) -> Result<Vec<Condition>> {
    let mut all = Vec::new();
    for kind in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.envoyproxy.io", "v1alpha1", kind));
        let policies: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &plural(resource, kind));
        for policy in policies.list(&ListParams::default()).await? {
            let generation = policy.metadata.generation;
            let ancestors = policy.data["status"]["ancestors"].as_array().into_iter().flatten();
            let conditions = ancestors.flat_map(|ancestor| ancestor["conditions"].as_array().into_iter().flatten());
            all.extend(conditions.map(|found| condition(kind, generation, found)));
        }
    }
    Ok(all)
}

/// Not every word's plural is made with an s.
fn plural(resource: ApiResource, kind: &str) -> ApiResource {
    ApiResource { plural: kind.to_lowercase().trim_end_matches('y').to_owned() + "ies", ..resource }
}

fn condition(kind: &'static str, generation: Option<i64>, condition: &Value) -> Condition {
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    Condition {
        kind,
        name: text("type"),
        holds: condition["status"] == "True",
        current: condition["observedGeneration"].as_i64() == generation,
        message: text("message"),
    }
}
