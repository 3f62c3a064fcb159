//! A call as Kubernetes' own audit log names it: verb, resource, name.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use serde::Deserialize;

/// RemediationRequests, but not their status.
pub const RRS: &str = "remediationrequests";
/// The status of RemediationRequests.
pub const RR_STATUS: &str = "remediationrequests/status";
/// Leases: the claims.
pub const LEASES: &str = "leases";

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many.
    List,
    /// Follows changes.
    Watch,
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes a part of an object.
    Patch,
    /// Removes an object.
    Delete,
    /// Removes many.
    DeleteCollection,
}

impl Verb {
    /// Whether the API server's state may change by it.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has not: it is on its way, or held.
    Pending,
    /// The API server's answer, passed on.
    Answered(StatusCode),
    /// The API server's answer, which the client was never sent.
    Lost(StatusCode),
    /// An answer of the proxy's own; the API server never saw the call.
    Faked(StatusCode),
    /// The connection was cut; the API server never saw the call.
    Cut,
    /// The API server gave no answer; the connection was cut.
    Unreachable(String),
}

impl Outcome {
    /// Whether the API server answered with `status`, be it passed on or not.
    pub fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Answered(code) | Self::Lost(code) if code.as_u16() == status)
    }
}

/// One call that a replica made.
#[derive(Clone, Debug)]
pub struct Call {
    /// The replica that made it.
    pub replica: String,
    /// When it arrived, since the record began.
    pub at: Duration,
    /// When its outcome was known, since the record began.
    pub ended: Option<Duration>,
    /// What it does.
    pub verb: Verb,
    /// The resource, with its subresource as RBAC writes it (`remediationrequests/status`); a path such as `/version`
    /// where the call is for no resource.
    pub resource: String,
    /// The namespace, where there is one.
    pub namespace: Option<String>,
    /// The object's name; for a create the one in its body.
    pub name: Option<String>,
    /// The body that was sent.
    pub body: Bytes,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the client hung up before it was answered.
    pub abandoned: bool,
}

impl Call {
    /// Whether it does `verb` to `resource`.
    pub fn is(&self, verb: Verb, resource: &str) -> bool {
        self.verb == verb && self.resource == resource
    }

    /// Reads a request's line and body.
    pub(super) fn parse(replica: &str, method: &Method, uri: &Uri, body: Bytes) -> Self {
        let Target { resource, namespace, name } = Target::parse(uri.path());
        let watch =
            uri.query().is_some_and(|query| query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1")));
        let verb = match *method {
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE if name.is_some() => Verb::Delete,
            Method::DELETE => Verb::DeleteCollection,
            _ if watch => Verb::Watch,
            _ if name.is_some() || resource.starts_with('/') => Verb::Get,
            _ => Verb::List,
        };
        Self {
            replica: replica.to_owned(),
            at: Duration::ZERO,
            ended: None,
            verb,
            resource,
            namespace,
            name: name.or_else(|| name_in(&body)),
            body,
            outcome: Outcome::Pending,
            abandoned: false,
        }
    }
}

struct Target {
    resource: String,
    namespace: Option<String>,
    name: Option<String>,
}

impl Target {
    /// `/api/v1/...` and `/apis/<group>/<version>/...`; anything else is a path for no resource.
    fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let (namespace, rest) = match rest {
            // A namespace's own subresources look like resources in it.
            ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            _ => (None, rest),
        };
        let (resource, name) = match rest {
            [] => (path.to_owned(), None),
            [resource] => ((*resource).to_owned(), None),
            [resource, name] => ((*resource).to_owned(), Some((*name).to_owned())),
            [resource, name, subresource @ ..] => {
                (format!("{resource}/{}", subresource.join("/")), Some((*name).to_owned()))
            }
        };
        Self { resource, namespace, name }
    }
}

/// The name of the object in a body; none where there is no such thing.
fn name_in(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        name: Option<String>,
    }
    serde_json::from_slice::<Object>(body).ok()?.metadata.name
}

#[cfg(test)]
mod tests;
