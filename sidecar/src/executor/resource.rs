//! Verb and resource of a call, as RBAC, audit logs and metrics name them.

use onceway_claim::ApiCall;

/// The largest response about one object that is read, in bytes. etcd's own limit for an object is 1.5 MiB.
const MAX_OBJECT_BYTES: usize = 4 * 1024 * 1024;
/// The largest page of a list that is read, in bytes: [`LIST_PAGE`] objects of etcd's limit, and some room.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// RRs per page of a list of one fingerprint. With the largest `limits.maxStoredPayloadBytes` an RR may reach etcd's limit
/// for an object, and a page is held in memory as a whole.
pub(super) const LIST_PAGE: u32 = 10;

/// The resource of claims.
pub(crate) const LEASES: &str = "leases";
/// The resource of RRs.
pub(crate) const RRS: &str = "remediationrequests";
/// The status of RRs.
pub(crate) const RR_STATUS: &str = "remediationrequests/status";

/// Verb and resource of a call.
#[derive(Clone, Copy)]
pub(crate) struct ResourceKind {
    /// As RBAC names it.
    pub(crate) verb: &'static str,
    /// As RBAC names it.
    pub(crate) resource: &'static str,
}

impl ResourceKind {
    pub(super) fn of(call: &ApiCall) -> Self {
        let (verb, resource) = match call {
            ApiCall::GetClaim => ("get", LEASES),
            ApiCall::CreateClaim(_) => ("create", LEASES),
            ApiCall::UpdateClaim { .. } => ("patch", LEASES),
            ApiCall::DeleteClaim { .. } => ("delete", LEASES),
            ApiCall::FindRr { .. } => ("list", RRS),
            ApiCall::GetRr { .. } => ("get", RRS),
            ApiCall::CreateRr { .. } => ("create", RRS),
            ApiCall::Count { .. } => ("patch", RR_STATUS),
            ApiCall::DeleteRr { .. } => ("delete", RRS),
        };
        Self { verb, resource }
    }

    /// The largest response that is read, in bytes.
    pub(super) fn max_response_bytes(self) -> usize {
        if self.verb == "list" { MAX_PAGE_BYTES } else { MAX_OBJECT_BYTES }
    }
}
