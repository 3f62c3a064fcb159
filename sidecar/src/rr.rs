//! The `RemediationRequest` (RR): its types, how its spec is written, and how it is read.

mod resource;
mod spec;
mod view;

pub use self::resource::{
    CREATOR, CompletionStatus, Deduplication, RemediationRequest, RemediationRequestSpec, RemediationRequestStatus,
    RoutingStatus, SIGNAL_TYPE, SKIPPED, TargetResource, TargetType, crd_yaml, is_terminal,
};
pub use self::spec::Draft;
pub use self::view::{Malformed, RrView};
