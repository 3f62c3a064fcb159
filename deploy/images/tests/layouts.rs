//! The images as others read them: through the library's types, from the written files.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use oci_spec::image::{Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, Os};
use onceway_images::labels::{Source, VERSION};
use onceway_images::layout::Layout;
use onceway_images::sbom::{self, Sbom};
use onceway_images::sidecar::Program;
use onceway_images::{filter, sidecar};
use tempfile::tempdir;

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and so on";
const PAGE: &[u8] = b"<!doctype html>";

fn source() -> Source {
    Source { revision: Some("abc123".to_owned()), created: Timestamp::from_second(1_795_000_000).ok() }
}

/// A static program: an ELF header without program headers.
fn program(arch: Arch) -> Program {
    let mut content = vec![0; 64];
    content[..6].copy_from_slice(b"\x7fELF\x02\x01");
    content[18] = if arch == Arch::Amd64 { 62 } else { 183 };
    Program { arch, content }
}

/// The file of a layer: its name and content.
fn file(layout: &Layout, layer: &Descriptor) -> (String, Vec<u8>) {
    assert_eq!(*layer.media_type(), MediaType::ImageLayerGzip);
    let blob = layout.read(layer).unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(blob.as_slice()));
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    let mut content = Vec::new();
    entry.read_to_end(&mut content).unwrap();
    let name = entry.path().unwrap().display().to_string();
    drop(entry);
    assert!(entries.next().is_none(), "a layer with one file");
    (name, content)
}

fn sidecar_image(dir: &Path) -> Layout {
    let layout = Layout::create(dir).unwrap();
    let programs = [program(Arch::Amd64), program(Arch::ARM64)];
    let image = sidecar::write(&layout, &programs, MODULE, PAGE, &source()).unwrap();
    layout.finish(image, VERSION).unwrap();
    Layout::open(dir).unwrap()
}

#[test]
fn the_sidecars_image_has_the_program_the_module_and_the_page_for_each_platform_and_nothing_else() {
    let dir = tempdir().unwrap();
    let layout = sidecar_image(dir.path());
    let index: ImageIndex = layout.read_document(&layout.image().unwrap()).unwrap();
    assert_eq!(index.manifests().len(), 2);
    for (descriptor, arch) in index.manifests().iter().zip([Arch::Amd64, Arch::ARM64]) {
        let platform = descriptor.platform().clone().unwrap();
        assert_eq!((platform.os(), platform.architecture()), (&Os::Linux, &arch));
        let manifest: ImageManifest = layout.read_document(descriptor).unwrap();
        let files: Vec<_> = manifest.layers().iter().map(|layer| file(&layout, layer)).collect();
        let content = program(arch.clone()).content;
        let expected = [("onceway", content), ("plugin.wasm", MODULE.to_vec()), ("explain.html", PAGE.to_vec())];
        assert_eq!(files, expected.map(|(name, content)| (name.to_owned(), content)));
        let configuration: ImageConfiguration = layout.read_document(manifest.config()).unwrap();
        assert_eq!((configuration.os(), configuration.architecture()), (&Os::Linux, &arch));
        assert_eq!(configuration.rootfs().diff_ids().len(), 3);
    }
}

#[test]
fn the_sidecars_image_runs_its_program_as_a_numeric_user_that_is_not_root() {
    let dir = tempdir().unwrap();
    let layout = sidecar_image(dir.path());
    let index: ImageIndex = layout.read_document(&layout.image().unwrap()).unwrap();
    let manifest: ImageManifest = layout.read_document(&index.manifests()[0]).unwrap();
    let configuration: ImageConfiguration = layout.read_document(manifest.config()).unwrap();
    let run = configuration.config().clone().unwrap();
    assert_eq!(run.user().as_deref(), Some("65532:65532"));
    assert_eq!(run.entrypoint().clone().unwrap(), ["/onceway"]);
    assert!(run.cmd().is_none());
}

#[test]
fn labels_and_annotations_say_title_version_licence_revision_and_time_of_the_sources() {
    let dir = tempdir().unwrap();
    let layout = sidecar_image(dir.path());
    let index: ImageIndex = layout.read_document(&layout.image().unwrap()).unwrap();
    let manifest: ImageManifest = layout.read_document(&index.manifests()[0]).unwrap();
    let configuration: ImageConfiguration = layout.read_document(manifest.config()).unwrap();
    for labels in [
        configuration.labels_of_config().unwrap(),
        manifest.annotations().as_ref().unwrap(),
        index.annotations().as_ref().unwrap(),
    ] {
        for (key, value) in [
            ("title", "onceway"),
            ("version", VERSION),
            ("licenses", "Apache-2.0"),
            ("revision", "abc123"),
            ("created", "2026-11-18T11:06:40Z"),
        ] {
            assert_eq!(labels[&format!("org.opencontainers.image.{key}")], value);
        }
    }
    assert_eq!(configuration.created().as_deref(), Some("2026-11-18T11:06:40Z"));
}

#[test]
fn the_filters_image_is_one_manifest_whose_last_layer_has_the_module_at_its_root() {
    let dir = tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    let image = filter::write(&layout, MODULE, &source()).unwrap();
    layout.finish(image, VERSION).unwrap();

    // Not an index: gateways would compare the digest of an index with that of one of its entries.
    let image = layout.image().unwrap();
    assert_eq!(*image.media_type(), MediaType::ImageManifest);
    let manifest: ImageManifest = layout.read_document(&image).unwrap();
    assert_eq!(*manifest.media_type(), Some(MediaType::ImageManifest));
    assert_eq!(manifest.config().media_type().to_string(), "application/vnd.oci.image.config.v1+json");
    let [layer] = manifest.layers().as_slice() else { panic!("one layer") };
    assert_eq!(layer.media_type().to_string(), "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(file(&layout, layer), ("plugin.wasm".to_owned(), MODULE.to_vec()));
}

#[test]
fn both_images_share_the_layer_with_the_module() {
    let (sidecars, filters) = (tempdir().unwrap(), tempdir().unwrap());
    let layout = sidecar_image(sidecars.path());
    let index: ImageIndex = layout.read_document(&layout.image().unwrap()).unwrap();
    let layers = |layout: &Layout, manifest| layout.read_document::<ImageManifest>(manifest).unwrap().layers().clone();
    let in_sidecars = layers(&layout, &index.manifests()[1])[1].clone();
    let layout = Layout::create(filters.path()).unwrap();
    let manifest = filter::write(&layout, MODULE, &source()).unwrap();
    assert_eq!(in_sidecars, layers(&layout, &manifest)[0]);
}

#[test]
fn an_sbom_is_an_artifact_that_refers_to_its_image() {
    let dir = tempdir().unwrap();
    let layout = Layout::create(dir.path()).unwrap();
    let mut subject = filter::write(&layout, MODULE, &source()).unwrap();
    let artifact = |subject: &Descriptor| {
        let list = Sbom { name: "filter.cdx.json".to_owned(), content: b"{}".to_vec() };
        let artifact = sbom::write(&layout, filter::NAME, subject, &[list], &source()).unwrap();
        layout.read_document::<ImageManifest>(&artifact).unwrap()
    };
    let manifest = artifact(&subject);
    assert_eq!(manifest.subject().clone().unwrap(), subject);
    assert_eq!(manifest.artifact_type().clone().unwrap().to_string(), sbom::MEDIA_TYPE);
    assert_eq!(layout.read(manifest.config()).unwrap(), b"{}");
    assert_eq!(layout.read(&manifest.layers()[0]).unwrap(), b"{}");

    // What an index says of a manifest beside its digest is no part of the reference.
    let plain = subject.clone();
    subject.set_annotations(Some([("a".to_owned(), "b".to_owned())].into()));
    assert_eq!(artifact(&subject).subject().clone().unwrap(), plain);
}

/// The program as `cargo xtask images` runs it.
fn images(out: &Path, extra: &[&str]) -> std::process::Output {
    let inputs = out.join("inputs");
    fs::create_dir_all(&inputs).unwrap();
    let file = |name: &str, content: &[u8]| {
        let file = inputs.join(name);
        fs::write(&file, content).unwrap();
        file.display().to_string()
    };
    let program = format!("amd64={}", file("onceway", &program(Arch::Amd64).content));
    let (module, page, list) =
        (file("filter.wasm", MODULE), file("explain.html", PAGE), file("onceway.cdx.json", b"{}"));
    let mut images = Command::new(env!("CARGO_BIN_EXE_images"));
    images.arg("--out").arg(out.join("out")).args(["--program", &program, "--module", &module, "--page", &page]);
    images.args(["--revision", "abc", "--created", "0", "--sidecar-sbom", &list]).args(extra).output().unwrap()
}

#[test]
fn the_same_inputs_give_the_same_files_in_every_process_and_place() {
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    let files = |dir: &Path| {
        assert!(images(dir, &["--registry", "localhost/a"]).status.success());
        let mut files = Vec::new();
        for image in ["onceway", "onceway-sbom", "onceway-filter"] {
            files.push(fs::read(dir.join("out").join(image).join("index.json")).unwrap());
        }
        files.push(fs::read(dir.join("out/values.yaml")).unwrap());
        files
    };
    assert_eq!(files(first.path()), files(second.path()));
}

#[test]
fn the_program_writes_values_for_helm_only_with_a_registry_and_says_how_to_push() {
    let dir = tempdir().unwrap();
    let output = images(dir.path(), &["--registry", "localhost:5000/team"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let image = Layout::open(&dir.path().join("out/onceway")).unwrap().image().unwrap();
    let values = fs::read_to_string(dir.path().join("out/values.yaml")).unwrap();
    assert!(
        values.contains(&format!("image:\n  repository: localhost:5000/team/onceway\n  digest: {}", image.digest()))
    );
    assert!(
        values.contains("filter:\n  repository: localhost:5000/team/onceway-filter\n  digest: sha256:"),
        "{values}"
    );
    assert!(text.contains(&format!("localhost:5000/team/onceway:{VERSION}")), "{text}");
    assert!(text.contains(&image.digest().to_string()), "{text}");

    let text = String::from_utf8(images(dir.path(), &[]).stdout).unwrap();
    assert!(!dir.path().join("out/values.yaml").exists() && text.contains("--registry HOST/PATH"), "{text}");
}

#[test]
fn a_module_that_is_none_is_an_error_and_writes_no_image() {
    let dir = tempdir().unwrap();
    let empty = dir.path().join("empty.wasm");
    fs::write(&empty, b"not wasm").unwrap();
    let output = images(dir.path(), &["--program", "amd64=/nowhere/onceway"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot read /nowhere/onceway"));

    let layout = Layout::create(&dir.path().join("layout")).unwrap();
    let error = filter::write(&layout, b"not wasm", &source()).unwrap_err().to_string();
    assert!(error.contains("no WebAssembly module"), "{error}");
}
