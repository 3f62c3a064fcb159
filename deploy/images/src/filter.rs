//! The image of the filter's module, as Envoy Gateway and Istio fetch it: the "compat" variant of wasm images, one
//! gzipped layer of OCI's type with `plugin.wasm` at its root.
//!
//! It is a single manifest, not an index of platforms. Both gateways resolve an index to its `linux/amd64` entry and then
//! compare that entry's digest with the digest in the URL, so a URL with an index's digest always fails.

use anyhow::{Result, ensure};
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, ImageConfigurationBuilder, ImageManifestBuilder, MediaType, Os, RootFsBuilder,
    SCHEMA_VERSION,
};

use crate::labels::Source;
use crate::layer::{File, Layer};
use crate::layout::Layout;
use crate::limits::{self, MAX_MODULE_BYTES, MAX_MODULE_LAYER_BYTES};

/// The image's name.
pub const NAME: &str = "onceway-filter";
/// The module's name in the layer, which both gateways look for.
pub const MODULE: &str = "plugin.wasm";
const DESCRIPTION: &str = "Onceway's filter for Envoy: computes the fingerprint of each signal and hashes on it";

/// Go's name for WASI modules, `wasip1/wasm`: neither gateway looks at the platform of a single manifest.
const OS: &str = "wasip1";
/// `\0asm`, version 1.
const WASM_HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// The layer with the module.
///
/// # Errors
/// If it is no WebAssembly module, or too large.
pub fn layer(module: &[u8]) -> Result<Layer> {
    ensure!(module.starts_with(WASM_HEADER), "the filter is no WebAssembly module");
    limits::check("the module", module.len(), MAX_MODULE_BYTES, "MAX_MODULE_BYTES")?;
    let layer = Layer::of(File { name: MODULE, mode: 0o644, content: module })?;
    limits::check("the module's layer", layer.blob.len(), MAX_MODULE_LAYER_BYTES, "MAX_MODULE_LAYER_BYTES")?;
    Ok(layer)
}

/// Writes the image with `module`; returns its manifest.
///
/// # Errors
/// Those of [`layer`], and if the layout cannot be written.
pub fn write(layout: &Layout, module: &[u8], source: &Source) -> Result<Descriptor> {
    let layer = layer(module)?;
    let labels = source.labels(NAME, DESCRIPTION);
    let mut configuration = ImageConfigurationBuilder::default()
        .architecture(Arch::Wasm)
        .os(Os::Other(OS.to_owned()))
        .config(ConfigBuilder::default().labels(labels.clone()).build()?)
        .rootfs(RootFsBuilder::default().diff_ids([layer.diff_id]).build()?)
        .build()?;
    configuration.set_created(source.created());
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(layout.document(MediaType::ImageConfig, &configuration)?)
        .layers([layout.blob(Layer::MEDIA_TYPE, &layer.blob)?])
        .annotations(labels)
        .build()?;
    layout.document(MediaType::ImageManifest, &manifest)
}
