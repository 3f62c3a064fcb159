//! Lists of what an image is made of (SBOM), attached to it: an artifact whose `subject` is the image, which registries
//! list as its referrer.

use std::collections::HashMap;

use anyhow::Result;
use oci_spec::image::{ANNOTATION_TITLE, Descriptor, ImageManifestBuilder, MediaType, SCHEMA_VERSION};

use crate::labels::Source;
use crate::layout::Layout;

/// The media type of CycloneDX in JSON, of the artifact and of each list.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";
/// OCI's empty configuration, and the same in base64.
const EMPTY: (&[u8], &str) = (b"{}", "e30=");

/// A list in CycloneDX's JSON.
#[derive(Clone, Debug)]
pub struct Sbom {
    /// The file's name: which part of the image it is about.
    pub name: String,
    /// The document.
    pub content: Vec<u8>,
}

/// Writes the artifact with the lists `sboms` of the image `subject`, called `name`; returns its manifest.
///
/// # Errors
/// If the layout cannot be written.
pub fn write(layout: &Layout, name: &str, subject: &Descriptor, sboms: &[Sbom], source: &Source) -> Result<Descriptor> {
    let layers = sboms.iter().map(|sbom| {
        let mut layer = layout.blob(MediaType::from(MEDIA_TYPE), &sbom.content)?;
        layer.set_annotations(Some(HashMap::from([(ANNOTATION_TITLE.to_owned(), sbom.name.clone())])));
        Ok(layer)
    });
    let mut empty = layout.blob(MediaType::EmptyJSON, EMPTY.0)?;
    empty.set_data(Some(EMPTY.1.to_owned()));
    let subject = Descriptor::new(subject.media_type().clone(), subject.size(), subject.digest().clone());
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .artifact_type(MediaType::from(MEDIA_TYPE))
        .config(empty)
        .layers(layers.collect::<Result<Vec<_>>>()?)
        .subject(subject)
        .annotations(source.labels(&format!("{name}-sbom"), "What the image is made of, as CycloneDX"))
        .build()?;
    layout.document(MediaType::ImageManifest, &manifest)
}
