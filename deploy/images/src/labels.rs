//! What an image says of itself: labels of its configuration, which container engines show, and the same as annotations
//! of its manifests, which registries show.

use std::collections::HashMap;

use jiff::Timestamp;
use oci_spec::image::{
    ANNOTATION_CREATED, ANNOTATION_DESCRIPTION, ANNOTATION_LICENSES, ANNOTATION_REVISION, ANNOTATION_TITLE,
    ANNOTATION_VERSION,
};

/// The version of what is in the images.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Of our code. The licences of what it is made of are in the SBOM.
const LICENCE: &str = "Apache-2.0";

/// The sources that an image is made from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The commit, if it is known.
    pub revision: Option<String>,
    /// The commit's time, if it is known. The time of the build would give each build other digests.
    pub created: Option<Timestamp>,
}

impl Source {
    /// The time of creation as images write it (RFC 3339).
    #[must_use]
    pub fn created(&self) -> Option<String> {
        self.created.map(|time| time.to_string())
    }

    /// The labels of an image.
    #[must_use]
    pub fn labels(&self, title: &str, description: &str) -> HashMap<String, String> {
        let known = [
            (ANNOTATION_TITLE, Some(title.to_owned())),
            (ANNOTATION_DESCRIPTION, Some(description.to_owned())),
            (ANNOTATION_VERSION, Some(VERSION.to_owned())),
            (ANNOTATION_LICENSES, Some(LICENCE.to_owned())),
            (ANNOTATION_REVISION, self.revision.clone()),
            (ANNOTATION_CREATED, self.created()),
        ];
        known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}
