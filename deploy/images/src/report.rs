//! What was made, and how it is pushed.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::Result;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use onceway_images::labels::VERSION;
use onceway_images::layout::Layout;
use onceway_images::values::Registry;

/// What stands for the registry in commands, if none is given.
const PLACEHOLDER: &str = "HOST/PATH";

/// The images that were made.
pub(crate) struct Report {
    out: PathBuf,
    registry: Option<Registry>,
    lines: Vec<Line>,
    pushes: Vec<Push>,
}

/// A manifest or a layer.
struct Line {
    what: String,
    bytes: u64,
    digest: String,
}

/// A layout, and the repository and reference that it is pushed to.
struct Push {
    layout: String,
    image: String,
    reference: String,
}

impl Report {
    pub(crate) fn new(out: &Path, registry: Option<Registry>) -> Self {
        Self { out: out.to_owned(), registry, lines: Vec::new(), pushes: Vec::new() }
    }

    /// Adds an image: an index of platforms, or one manifest.
    pub(crate) fn image(&mut self, name: &str, layout: &Layout, image: &Descriptor) -> Result<()> {
        self.push(name, name, &format!(":{VERSION}"));
        self.line(name.to_owned(), image);
        if *image.media_type() == MediaType::ImageManifest {
            return self.layers(layout, image);
        }
        for manifest in layout.read_document::<ImageIndex>(image)?.manifests() {
            let platform = manifest.platform().as_ref();
            let platform = platform.map(|platform| format!("{}/{}", platform.os(), platform.architecture()));
            self.line(format!("  {}", platform.unwrap_or_default()), manifest);
            self.layers(layout, manifest)?;
        }
        Ok(())
    }

    /// Adds the lists of an image. They are pushed by their digest: their only name is that they refer to the image.
    pub(crate) fn sbom(&mut self, image: &str, layout: &Layout, artifact: &Descriptor) -> Result<()> {
        self.push(&format!("{image}-sbom"), image, &format!("@{}", artifact.digest()));
        self.line(format!("{image}, SBOM"), artifact);
        self.layers(layout, artifact)
    }

    fn push(&mut self, layout: &str, image: &str, reference: &str) {
        self.pushes.push(Push { layout: layout.to_owned(), image: image.to_owned(), reference: reference.to_owned() });
    }

    fn layers(&mut self, layout: &Layout, manifest: &Descriptor) -> Result<()> {
        for layer in layout.read_document::<ImageManifest>(manifest)?.layers() {
            self.line("    layer".to_owned(), layer);
        }
        Ok(())
    }

    fn line(&mut self, what: String, blob: &Descriptor) {
        self.lines.push(Line { what, bytes: blob.size(), digest: blob.digest().to_string() });
    }

    fn repository(&self, image: &str) -> String {
        self.registry.as_ref().map_or_else(|| format!("{PLACEHOLDER}/{image}"), |registry| registry.repository(image))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Line { what, bytes, digest } in &self.lines {
            writeln!(f, "{what:<22} {bytes:>9} bytes  {digest}")?;
        }
        let out = self.out.display();
        writeln!(f, "\nPush them, with crane (digests stay as they are):")?;
        for Push { layout, image, reference } in &self.pushes {
            writeln!(f, "  crane push {out}/{layout} {}{reference}", self.repository(image))?;
        }
        writeln!(f, "or with skopeo (not the SBOMs):")?;
        for Push { layout, image, reference } in self.pushes.iter().filter(|push| push.layout == push.image) {
            let to = self.repository(image);
            writeln!(
                f,
                "  skopeo copy --all --preserve-digests oci:{out}/{layout}{reference} docker://{to}{reference}"
            )?;
        }
        match self.registry {
            Some(_) => writeln!(f, "Values for the Helm chart: {out}/values.yaml"),
            None => writeln!(f, "With --registry {PLACEHOLDER}, values for the Helm chart are written, too."),
        }
    }
}
