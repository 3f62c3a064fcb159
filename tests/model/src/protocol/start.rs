//! The inputs of a protocol.

use std::sync::Arc;

use onceway_claim::{Known, Now, Parameters};

/// What a state machine gets at the beginning of a batch.
pub(crate) struct Start {
    /// The parameters of the process.
    pub(crate) parameters: Arc<Parameters>,
    /// What this process knows of the incident.
    pub(crate) known: Known,
    /// The number of the signal, which stands for the nanoseconds of a name.
    pub(crate) signal: usize,
    /// The clocks.
    pub(crate) now: Now,
}
