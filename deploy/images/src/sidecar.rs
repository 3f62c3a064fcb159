//! The image of the sidecar: a static program, the filter's module and the page in an otherwise empty root, for one or more
//! platforms.
//!
//! The module is there for plain Envoy: an init container runs `onceway install-filter DIR` with this image, so that
//! both come from one digest. Its layer is the same blob as that of the filter's own image. The page is what
//! `onceway explain --serve` serves.

use anyhow::{Context, Result, ensure};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, ImageConfigurationBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, Os,
    PlatformBuilder, RootFsBuilder, SCHEMA_VERSION,
};

use crate::labels::Source;
use crate::layer::{File, Layer};
use crate::layout::Layout;
use crate::limits::{self, MAX_PAGE_BYTES, MAX_PAGE_LAYER_BYTES, MAX_SIDECAR_BYTES, MAX_SIDECAR_LAYER_BYTES};
use crate::{executable, filter};

/// The image's name.
pub const NAME: &str = "onceway";
/// The program's name in the image's root.
pub const PROGRAM: &str = "onceway";
/// The page's name in the image's root.
pub const PAGE: &str = "explain.html";
/// User and group. A number, because a kubelet cannot tell from a name that it is not root (`runAsNonRoot`).
pub const USER: &str = "65532:65532";
const DESCRIPTION: &str = "Onceway's sidecar: one RemediationRequest per incident, counted durably";

/// A program and its platform.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it runs on.
    pub arch: Arch,
    /// The program.
    pub content: Vec<u8>,
}

/// Writes the image with `programs`, `module` and `page`; returns its index of platforms.
///
/// # Errors
/// If a program is not static or not for its platform, something is too large, or the layout cannot be written.
pub fn write(layout: &Layout, programs: &[Program], module: &[u8], page: &[u8], source: &Source) -> Result<Descriptor> {
    ensure!(!programs.is_empty(), "the sidecar's image needs a program for at least one platform");
    let others = [filter::layer(module)?, layer_of_page(page)?];
    let manifests = programs.iter().map(|program| {
        let manifest = manifest(layout, program, &others, source);
        manifest.with_context(|| format!("cannot make the image for {}", program.arch))
    });
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests.collect::<Result<Vec<_>>>()?)
        .annotations(source.labels(NAME, DESCRIPTION))
        .build()?;
    layout.document(MediaType::ImageIndex, &index)
}

fn layer_of_page(page: &[u8]) -> Result<Layer> {
    limits::check("the page", page.len(), MAX_PAGE_BYTES, "MAX_PAGE_BYTES")?;
    let layer = Layer::of(File { name: PAGE, mode: 0o644, content: page })?;
    limits::check("the page's layer", layer.blob.len(), MAX_PAGE_LAYER_BYTES, "MAX_PAGE_LAYER_BYTES")?;
    Ok(layer)
}

/// The image of a program, with the layers that all platforms have.
fn manifest(layout: &Layout, program: &Program, others: &[Layer; 2], source: &Source) -> Result<Descriptor> {
    let Program { arch, content } = program;
    executable::check(content, arch)?;
    limits::check("the sidecar", content.len(), MAX_SIDECAR_BYTES, "MAX_SIDECAR_BYTES")?;
    let layer = Layer::of(File { name: PROGRAM, mode: 0o755, content })?;
    limits::check("the sidecar's layer", layer.blob.len(), MAX_SIDECAR_LAYER_BYTES, "MAX_SIDECAR_LAYER_BYTES")?;

    let [module, page] = others;
    let layers = [&layer, module, page];

    let labels = source.labels(NAME, DESCRIPTION);
    let run = ConfigBuilder::default()
        .user(USER)
        .entrypoint([format!("/{PROGRAM}")])
        .working_dir("/")
        .labels(labels.clone())
        .build()?;
    let mut configuration = ImageConfigurationBuilder::default()
        .architecture(arch.clone())
        .os(Os::Linux)
        .config(run)
        .rootfs(RootFsBuilder::default().diff_ids(layers.map(|layer| layer.diff_id.clone())).build()?)
        .build()?;
    configuration.set_created(source.created());
    let layers = layers.map(|layer| layout.blob(Layer::MEDIA_TYPE, &layer.blob));
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(layout.document(MediaType::ImageConfig, &configuration)?)
        .layers(layers.into_iter().collect::<Result<Vec<_>>>()?)
        .annotations(labels)
        .build()?;
    let mut manifest = layout.document(MediaType::ImageManifest, &manifest)?;
    manifest.set_platform(Some(PlatformBuilder::default().architecture(arch.clone()).os(Os::Linux).build()?));
    Ok(manifest)
}
