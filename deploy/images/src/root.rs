//! The root of a container, as a runtime makes it from an image.

use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use oci_spec::image::{Arch, ImageConfiguration, ImageIndex, ImageManifest};
use tar::Archive;

use crate::layout::Layout;

/// Unpacks the image in `layout` for `arch`, an index of platforms, into the directory `root`; returns how it is run.
///
/// # Errors
/// If it has no such platform, or a file cannot be written.
pub fn unpack(layout: &Layout, arch: &Arch, root: &Path) -> Result<ImageConfiguration> {
    let index: ImageIndex = layout.read_document(&layout.image()?)?;
    let is_for = |platform: &oci_spec::image::Platform| platform.architecture() == arch;
    let manifest = index.manifests().iter().find(|manifest| manifest.platform().as_ref().is_some_and(is_for));
    let manifest: ImageManifest = layout.read_document(manifest.with_context(|| format!("no image for {arch}"))?)?;
    for layer in manifest.layers() {
        let blob = layout.read(layer)?;
        Archive::new(GzDecoder::new(blob.as_slice())).unpack(root)?;
    }
    layout.read_document(manifest.config())
}
