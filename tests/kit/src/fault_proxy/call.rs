//! A call, identified as in Kubernetes' audit log: verb, resource, name.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use serde::Deserialize;

/// RemediationRequests, without their status.
pub const RRS: &str = "remediationrequests";
/// The status of RemediationRequests.
pub const RR_STATUS: &str = "remediationrequests/status";
/// Leases, which hold the claims.
pub const LEASES: &str = "leases";

/// Reviews of senders' tokens.
pub const TOKEN_REVIEWS: &str = "tokenreviews";
/// Reviews of senders' rights.
pub const ACCESS_REVIEWS: &str = "subjectaccessreviews";

/// The verb of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many objects.
    List,
    /// Follows changes.
    Watch,
    /// Creates an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes part of an object.
    Patch,
    /// Deletes an object.
    Delete,
    /// Deletes many objects.
    DeleteCollection,
}

impl Verb {
    /// Whether it may change the API server's state.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// In flight or held.
    Pending,
    /// The API server responded, and the proxy forwarded the response.
    Forwarded(StatusCode),
    /// The API server responded, and the proxy dropped the response.
    Lost(StatusCode),
    /// The proxy responded itself; the API server never saw the call.
    Canned(StatusCode),
    /// The proxy cut the connection; the API server never saw the call.
    Cut,
    /// The API server did not respond, so the proxy cut the connection.
    Unreachable(String),
}

impl CallResult {
    /// Whether the API server responded with `status`, forwarded or not.
    pub fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Forwarded(code) | Self::Lost(code) if code.as_u16() == status)
    }
}

/// One API call of a replica.
#[derive(Clone, Debug)]
pub struct Call {
    /// The replica that made it.
    pub replica: String,
    /// When it arrived, since the start of the record.
    pub at: Duration,
    /// When its result was known, since the start of the record.
    pub ended: Option<Duration>,
    /// The verb.
    pub verb: Verb,
    /// The resource and its subresource in RBAC notation (`remediationrequests/status`); the path (`/version`) if the
    /// call is for no resource.
    pub resource: String,
    /// The namespace, if any.
    pub namespace: Option<String>,
    /// The object's name; for a create, the one in the body.
    pub name: Option<String>,
    /// The query, as it was sent; empty if there is none.
    pub query: String,
    /// The request body.
    pub body: Bytes,
    /// What happened to it.
    pub result: CallResult,
    /// Whether the client disconnected before it got a response.
    pub abandoned: bool,
}

impl Call {
    /// Whether it is `verb` on `resource`.
    pub fn is(&self, verb: Verb, resource: &str) -> bool {
        self.verb == verb && self.resource == resource
    }

    /// Whether it is about the object of this name, or about objects that its query selects by this text.
    pub fn mentions(&self, text: &str) -> bool {
        self.name.as_ref().is_some_and(|name| name.contains(text)) || self.query.contains(text)
    }

    /// Parses a request line and body.
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
            query: uri.query().unwrap_or_default().to_owned(),
            body,
            result: CallResult::Pending,
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
    /// Parses `/api/v1/...` and `/apis/<group>/<version>/...`; any other path is for no resource.
    fn parse(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let (namespace, rest) = match rest {
            // A namespace's subresources look like resources in that namespace.
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

/// The name of the object in a body, if any.
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
