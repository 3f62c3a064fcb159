//! `spec.targetResource`, as a signal names it.

use onceway_signal::Resource;

use super::resource::TargetResource;

/// The longest `targetResource.apiVersion` (a DNS subdomain, "/" and a label); a longer one names no API and is left out.
const MAX_API_VERSION_BYTES: usize = 317;

impl From<&Resource<'_>> for TargetResource {
    fn from(resource: &Resource<'_>) -> Self {
        Self {
            kind: resource.kind.to_string(),
            name: resource.name.to_string(),
            namespace: resource.namespace.as_deref().map(str::to_owned),
            api_version: api_version(resource),
        }
    }
}

/// The API version that a signal gives, if it can be one.
pub(crate) fn api_version(resource: &Resource<'_>) -> Option<String> {
    resource.api_version.as_deref().filter(|text| text.len() <= MAX_API_VERSION_BYTES).map(str::to_owned)
}
