//! The CRD: what the API server enforces of it, that nothing that we write ever meets a limit of it, and that our objects
//! fit a stricter one just as well.

use kube::api::{Api, ApiResource, DynamicObject};
use onceway_kit::rig::{Rig, Rr};

mod limits;
mod rules;
mod strict;

/// The rig's RRs as they are stored, fields that our types do not know included.
fn stored(rig: &Rig) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<Rr>(&());
    Api::namespaced_with(rig.namespace().client().clone(), rig.namespace().name(), &resource)
}
