//! The CRD: what the API server enforces, that the sidecar never exceeds a limit of it, and that its objects are valid
//! under a stricter CRD.

use kube::api::{Api, ApiResource, DynamicObject};
use onceway_kit::rig::{Rig, Rr};

mod limits;
mod modules;
mod rules;
mod strict;

/// The rig's RRs as they are stored, including fields that our types do not have.
pub(crate) fn stored(rig: &Rig) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<Rr>(&());
    Api::namespaced_with(rig.namespace().client().clone(), rig.namespace().name(), &resource)
}
