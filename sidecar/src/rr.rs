//! The `RemediationRequest` (RR): its types, how its spec is written, and how it is read.

mod event_fields;
mod provenance;
mod resource;
mod signals;
mod spec;
mod target;
mod time;
mod view;

pub use self::provenance::{Provenance, REQUEST_ID, SENDER};
pub use self::resource::{
    CLAIM_VERSION, CREATOR, CompletionStatus, DeduplicatedSignal, Deduplication, MAX_SIGNAL_NAMES, OTHERS,
    RemediationRequest, RemediationRequestSpec, RemediationRequestStatus, RoutingStatus, SIGNAL_TYPE, SKIPPED,
    TargetResource, TargetType, crd_yaml, is_terminal,
};
pub use self::signals::SignalList;
pub use self::spec::Draft;
pub(crate) use self::target::api_version;
pub(crate) use self::time::timestamp;
pub use self::view::{Malformed, RrView};
