//! The CRD as the API server serves it: by discovery and OpenAPI, which every authenticated user may read.

use std::collections::BTreeSet;

use kube::{CustomResourceExt, Resource};
use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, counted};
use crate::cluster_access::Cluster;
use crate::rr::RemediationRequest;

/// What is stored only where the CRD has it; without it counts are exact, and there is no signal list.
const LIST: [&str; 2] = ["status.deduplication.signals", "status.deduplication.distinctSignals"];
/// What Onceway reads there, and others write. (Without `duplicates: skip`.)
const READ: [&str; 3] = ["status.overallPhase", "status.completionStatus", "status.routingStatus"];
/// How deep fields are compared; ours are four deep.
const MAX_DEPTH: usize = 8;

const INSTALL: &str =
    "install kubernaut's CRD, or the chart deploy/chart-crds (kubectl apply --server-side, or helm upgrade)";

/// What the API server serves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Served {
    /// Nothing of the group.
    Nothing,
    /// The group, but not our version; these are its versions.
    OtherVersions(Vec<String>),
    /// Our version, with these resources, and the schema of RRs if the API server publishes it.
    Version { resources: BTreeSet<String>, schema: Option<Value> },
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

/// What is served.
pub(super) async fn ask(cluster: &Cluster) -> Result<Served, String> {
    if let Some(resources) = cluster.resources_beside_rrs().await? {
        let path = format!("/openapi/v3/apis/{}", RemediationRequest::api_version(&()));
        let document = cluster.get_json::<Value>(&path).await?;
        return Ok(Served::Version { resources, schema: document.as_ref().and_then(schema_of_rrs) });
    }
    let group = cluster.get_json::<Group>(&format!("/apis/{}", RemediationRequest::group(&()))).await?;
    Ok(match group {
        None => Served::Nothing,
        Some(group) => Served::OtherVersions(group.versions.into_iter().map(|version| version.version).collect()),
    })
}

/// The schema of RRs in an OpenAPI document.
fn schema_of_rrs(document: &Value) -> Option<Value> {
    let kind = RemediationRequest::kind(&());
    let is_rr = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|one| one["kind"] == *kind))
    };
    document.pointer("/components/schemas")?.as_object()?.values().find(is_rr).cloned()
}

/// What follows.
pub(super) fn judge(served: Result<Served, String>) -> Finding {
    let (version, plural) = (RemediationRequest::version(&()), RemediationRequest::plural(&()));
    let (resources, schema) = match served {
        Err(why) => return Finding::fail(format!("cannot ask for the CRD: {why}"), "see the check api-server"),
        Ok(Served::Nothing) => return Finding::fail("the CRD is absent: no RemediationRequests are served", INSTALL),
        Ok(Served::OtherVersions(versions)) => {
            let summary = format!("the CRD is served as {}, not as {version}", versions.join(", "));
            return Finding::fail(summary, INSTALL);
        }
        Ok(Served::Version { resources, schema }) => (resources, schema),
    };
    let status = format!("{plural}/status");
    for wanted in [plural.as_ref(), &status] {
        if !resources.contains(wanted) {
            return Finding::fail(format!("{version} is served without {wanted}"), INSTALL);
        }
    }
    let Some(schema) = schema else {
        let action = "compare the CRD with deploy/chart-crds by hand; a CRD that was applied just now is published within seconds";
        return Finding::warn(format!("{version} is served, but the API server publishes no schema of it"), action);
    };
    judge_fields(&schema, &version)
}

fn judge_fields(served: &Value, version: &str) -> Finding {
    let crd = serde_json::to_value(RemediationRequest::crd()).unwrap_or_default();
    let Some(ours) = crd.pointer("/spec/versions/0/schema/openAPIV3Schema") else {
        return Finding::skipped("this program has no schema to compare with; report it as a bug");
    };
    let (mut absent, mut fields) = (Vec::new(), 0);
    for part in ["spec", "status"] {
        compare(part, &ours["properties"][part], &served["properties"][part], MAX_DEPTH, &mut absent, &mut fields);
    }
    let (list, absent): (Vec<String>, Vec<String>) = absent.into_iter().partition(|path| is_in(path, &LIST));
    let (read, written): (Vec<String>, Vec<String>) = absent.into_iter().partition(|path| is_in(path, &READ));
    if !written.is_empty() {
        let summary = format!(
            "{version} lacks {} that Onceway writes: the API server drops them",
            counted(written.len(), "field")
        );
        return Finding::fail(summary, INSTALL).about(written);
    }
    let unmet = required_beyond(&ours["properties"]["spec"], &served["properties"]["spec"]);
    if !unmet.is_empty() {
        let action = "upgrade Onceway to a version for this CRD: no RemediationRequest can be created";
        return Finding::fail(format!("{version} requires fields that Onceway does not always write"), action)
            .about(unmet);
    }
    if !read.is_empty() {
        let summary = format!(
            "{version} lacks {} that Onceway reads: ended incidents cannot be told",
            counted(read.len(), "field")
        );
        return Finding::warn(summary, INSTALL).about(read);
    }
    let note = if list.is_empty() { "" } else { "; the signal list is not stored, as under kubernaut's CRD" };
    Finding::pass(format!("{version} is served with all {} fields{note}", fields - list.len()))
}

/// Collects the paths of `ours` that `served` has not, and counts those of `ours`.
fn compare(path: &str, ours: &Value, served: &Value, depth: usize, absent: &mut Vec<String>, fields: &mut usize) {
    if depth == 0 || served["x-kubernetes-preserve-unknown-fields"] == true && served["properties"].is_null() {
        return;
    }
    // The items of a list are one step deeper.
    let inner = |schema: &'_ Value| if schema["items"].is_object() { schema["items"].clone() } else { schema.clone() };
    let (ours, served) = (inner(ours), inner(served));
    for (name, field) in ours["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        *fields += 1;
        match served["properties"].get(name) {
            Some(there) => compare(&path, field, there, depth - 1, absent, fields),
            None if served["x-kubernetes-preserve-unknown-fields"] == true => {}
            None => absent.push(path),
        }
    }
}

/// Fields of the spec, and of its target, that the served schema requires and ours does not.
fn required_beyond(ours: &Value, served: &Value) -> Vec<String> {
    let of = |schema: &Value, prefix: &str| -> BTreeSet<String> {
        let required = schema["required"].as_array().into_iter().flatten();
        required.filter_map(|name| Some(format!("{prefix}{}", name.as_str()?))).collect()
    };
    let target = "targetResource";
    let all = |schema: &Value| -> BTreeSet<String> {
        let inner = of(&schema["properties"][target], &format!("spec.{target}."));
        of(schema, "spec.").into_iter().chain(inner).collect()
    };
    all(served).difference(&all(ours)).cloned().collect()
}

fn is_in(path: &str, roots: &[&str]) -> bool {
    roots.iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kube::CustomResourceExt;
    use serde_json::{Value, json};

    use super::super::finding::{Finding, Status};
    use super::{Served, judge};
    use crate::rr::RemediationRequest;

    const KUBERNAUTS: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/kit/kubernaut/remediationrequests-crd.yaml");

    fn our_schema() -> Value {
        let crd = serde_json::to_value(RemediationRequest::crd()).unwrap();
        crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap().clone()
    }

    fn resources() -> BTreeSet<String> {
        ["remediationrequests".to_owned(), "remediationrequests/status".to_owned()].into()
    }

    fn judged(schema: Value) -> Finding {
        judge(Ok(Served::Version { resources: resources(), schema: Some(schema) }))
    }

    /// Our schema without the field at this JSON pointer, and not lenient about unknown ones.
    fn without(place: &str) -> Value {
        let mut schema = our_schema();
        let (parent, field) = place.rsplit_once('/').unwrap();
        assert!(schema.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).is_some(), "{place}");
        for lenient in ["/properties/status", "/properties/status/properties/deduplication"] {
            let lenient = schema.pointer_mut(lenient).unwrap().as_object_mut().unwrap();
            lenient.remove("x-kubernetes-preserve-unknown-fields");
        }
        schema
    }

    #[test]
    fn our_own_crd_and_kubernauts_have_every_field_that_is_written() {
        let ours = judged(our_schema());
        assert_eq!(ours.status, Status::Pass, "{ours:?}");
        let text = std::fs::read_to_string(KUBERNAUTS).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let crd = documents.into_iter().find(|document| document["kind"] == "CustomResourceDefinition").unwrap();
        let theirs = judged(crd.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap().clone());
        assert!(
            theirs.status == Status::Pass && theirs.summary.contains("the signal list is not stored"),
            "{theirs:?}"
        );
    }

    #[test]
    fn a_crd_without_a_field_that_is_written_fails_and_names_it() {
        for (place, path) in [
            ("/properties/spec/properties/providerData", "spec.providerData"),
            ("/properties/spec/properties/targetResource/properties/apiVersion", "spec.targetResource.apiVersion"),
            (
                "/properties/status/properties/deduplication/properties/occurrenceCount",
                "status.deduplication.occurrenceCount",
            ),
        ] {
            let finding = judged(without(place));
            assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &[path.to_owned()][..]));
        }
    }

    #[test]
    fn fields_that_are_read_or_optional_are_no_failure_and_unknown_ones_may_be_kept() {
        assert_eq!(judged(without("/properties/status/properties/overallPhase")).status, Status::Warn);
        let list = judged(without("/properties/status/properties/deduplication/properties/signals"));
        assert!(list.status == Status::Pass && list.summary.contains("not stored"), "{list:?}");
        let mut lenient = our_schema();
        lenient["properties"]["status"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        assert_eq!(judged(lenient).status, Status::Pass);
    }

    #[test]
    fn a_crd_that_requires_more_than_is_written_fails() {
        let mut schema = our_schema();
        schema["properties"]["spec"]["required"].as_array_mut().unwrap().push(json!("ticket"));
        let finding = judged(schema);
        assert_eq!((finding.status, &finding.items[..]), (Status::Fail, &["spec.ticket".to_owned()][..]));
    }

    #[test]
    fn what_is_not_served_is_said() {
        for (served, part) in [
            (Ok(Served::Nothing), "absent"),
            (Ok(Served::OtherVersions(vec!["v1".into()])), "served as v1, not as v1alpha1"),
            (Ok(Served::Version { resources: BTreeSet::new(), schema: None }), "without remediationrequests"),
            (Err("timed out".to_owned()), "cannot ask"),
        ] {
            let finding = judge(served);
            assert!(finding.status == Status::Fail && finding.summary.contains(part), "{finding:?}");
        }
        let unpublished = judge(Ok(Served::Version { resources: resources(), schema: None }));
        assert_eq!(unpublished.status, Status::Warn);
    }
}
