//! Profiles: sets of defaults for a known situation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which defaults the configuration has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Our own.
    #[default]
    None,
    /// Those by which a replica takes the place of kubernaut's gateway; docs/kubernaut.md lists them.
    Kubernaut,
}
