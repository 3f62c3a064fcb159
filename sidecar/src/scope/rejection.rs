//! What a sender reads about a target that is not remediated. It names what the signal itself named, and nothing that was
//! found in the cluster.

use onceway_signal::response::{Status, TargetRejection};
use onceway_signal::truncate::truncate_quoted;

use crate::rr::TargetResource;
use crate::workload::{Named, ObjectRef};

/// A rejection; `reason` is also the metric's label.
#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) reason: &'static str,
    message: String,
    pub(super) resource: String,
    action: String,
}

/// Neither the target nor its namespace has the label. The reason is that of kubernaut's gateway.
pub(super) fn unmanaged(named: &Named, label: &str) -> Rejection {
    let target = named.derived();
    let resource = shown(&target);
    Rejection {
        reason: "unmanaged_resource",
        message: format!("{resource} is out of scope: neither it nor its namespace is labelled {label}=true"),
        action: how_to_label(&target, label),
        resource,
    }
}

/// The target exists nowhere.
pub(super) fn missing(named: &Named) -> Rejection {
    let resource = shown(&named.derived());
    Rejection {
        reason: "missing_resource",
        message: format!("{resource} does not exist, and nothing that its name may stand for does"),
        action: "correct the labels of the alert that name its object, or set targets.missing: create".to_owned(),
        resource,
    }
}

impl From<Rejection> for TargetRejection {
    fn from(rejection: Rejection) -> Self {
        let Rejection { reason, message, resource, action } = rejection;
        Self { status: Status::Rejected, reason: reason.to_owned(), message, resource, action }
    }
}

fn shown(target: &TargetResource) -> String {
    let TargetResource { kind, name, namespace, .. } = target;
    match namespace {
        Some(namespace) => format!("{namespace}:{kind}:{name}"),
        None => format!("{kind}:{name}"),
    }
}

/// A command, for objects whose names are safe in one: a signal's text is a stranger's.
fn how_to_label(target: &TargetResource, label: &str) -> String {
    let namespace = target.namespace.as_deref();
    let Some(object) = ObjectRef::new(&target.kind, target.api_version.as_deref(), namespace, &target.name) else {
        let namespace = namespace.filter(|name| ObjectRef::new("Namespace", None, None, name).is_some());
        return match namespace {
            Some(namespace) => format!("label its namespace: kubectl label namespace {namespace} {label}=true"),
            None => format!(
                "{} has no labels and no namespace: it cannot be in scope",
                truncate_quoted(target.kind.as_bytes())
            ),
        };
    };
    let kind = object.kind.kind.to_ascii_lowercase();
    match &object.namespace {
        Some(namespace) => format!(
            "label it: kubectl label -n {namespace} {kind} {name} {label}=true; or its namespace: kubectl label namespace \
             {namespace} {label}=true",
            name = object.name
        ),
        None => format!("label it: kubectl label {kind} {} {label}=true", object.name),
    }
}
