//! OCI image layouts: a directory with blobs by digest, and an index that names one image.
//!
//! The index has exactly one entry, because `crane push` then pushes that entry as it is, with its digest; from several
//! it would make an index of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageIndexBuilder, MediaType, OciLayoutBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// The version of the layout's specification.
const LAYOUT_VERSION: &str = "1.0.0";
const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";

/// A layout that is being written, or was.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// An empty layout in `dir`. What was there is removed.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn create(dir: &Path) -> Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        let layout = Self { dir: dir.to_owned() };
        let blobs = layout.blobs();
        fs::create_dir_all(&blobs).with_context(|| format!("cannot create {}", blobs.display()))?;
        Ok(layout)
    }

    /// The finished layout in `dir`.
    ///
    /// # Errors
    /// If there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        ensure!(dir.join(MARKER).is_file(), "{} is no OCI layout; run `cargo xtask images`", dir.display());
        Ok(Self { dir: dir.to_owned() })
    }

    /// Writes a blob, and describes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn blob(&self, media_type: MediaType, content: &[u8]) -> Result<Descriptor> {
        let hex = hex(content);
        let path = self.blobs().join(&hex);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Descriptor::new(media_type, content.len() as u64, hex.parse::<Sha256Digest>()?))
    }

    /// Writes a document as a blob, and describes it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn document(&self, media_type: MediaType, document: &impl Serialize) -> Result<Descriptor> {
        self.blob(media_type, &canonical(document)?)
    }

    /// Finishes the layout: `image` is what it is about, and `version` its tag.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(&self, mut image: Descriptor, version: &str) -> Result<()> {
        image.set_annotations(Some(HashMap::from([(ANNOTATION_REF_NAME.to_owned(), version.to_owned())])));
        let index = ImageIndexBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageIndex)
            .manifests([image])
            .build()?;
        let marker = OciLayoutBuilder::default().image_layout_version(LAYOUT_VERSION).build()?;
        for (name, content) in [(INDEX, canonical(&index)?), (MARKER, canonical(&marker)?)] {
            let path = self.dir.join(name);
            fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// What the layout is about.
    ///
    /// # Errors
    /// If its index cannot be read or does not have one entry.
    pub fn image(&self) -> Result<Descriptor> {
        let path = self.dir.join(INDEX);
        let index: oci_spec::image::ImageIndex = serde_json::from_slice(&fs::read(&path)?)?;
        let [image] = index.manifests().as_slice() else {
            anyhow::bail!("{} has {} entries in place of one", path.display(), index.manifests().len());
        };
        Ok(image.clone())
    }

    /// The content of a blob.
    ///
    /// # Errors
    /// If it cannot be read, or has another size or digest than the descriptor says.
    pub fn read(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        let path = self.blobs().join(blob.digest().digest());
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let intact = content.len() as u64 == blob.size() && sha256(&content) == blob.digest().as_ref();
        ensure!(intact, "{} is not what its name says", path.display());
        Ok(content)
    }

    /// A document among the blobs.
    ///
    /// # Errors
    /// Those of [`Layout::read`], and if it is no such document.
    pub fn read_document<T: DeserializeOwned>(&self, blob: &Descriptor) -> Result<T> {
        let content = self.read(blob)?;
        serde_json::from_slice(&content).with_context(|| format!("{} is no {}", blob.digest(), blob.media_type()))
    }

    fn blobs(&self) -> PathBuf {
        self.dir.join("blobs").join("sha256")
    }
}

/// The digest of `content` as OCI writes it: `sha256:` and hexadecimal digits.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex(content))
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with sorted keys: annotations are in hash maps, whose order differs at every run.
fn canonical(document: &impl Serialize) -> Result<Vec<u8>> {
    let mut document = serde_json::to_value(document)?;
    document.sort_all_objects();
    Ok(serde_json::to_vec(&document)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use oci_spec::image::MediaType;
    use serde_json::json;
    use tempfile::tempdir;

    use super::Layout;

    #[test]
    fn a_blob_is_read_as_it_was_written_and_a_changed_one_is_an_error() {
        let dir = tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let blob = layout.blob(MediaType::EmptyJSON, b"{}").unwrap();
        assert_eq!(layout.read(&blob).unwrap(), b"{}");

        fs::write(dir.path().join("blobs/sha256").join(blob.digest().digest()), b"[]").unwrap();
        assert!(layout.read(&blob).unwrap_err().to_string().contains("is not what its name says"));
    }

    #[test]
    fn creating_a_layout_removes_the_blobs_of_the_last() {
        let dir = tempdir().unwrap();
        let old = Layout::create(dir.path()).unwrap().blob(MediaType::EmptyJSON, b"old").unwrap();
        assert!(Layout::create(dir.path()).unwrap().read(&old).is_err());
    }

    #[test]
    fn keys_of_documents_are_sorted() {
        let dir = tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let blob = layout.document(MediaType::EmptyJSON, &json!({"b": {"d": 1, "c": 2}, "a": 3})).unwrap();
        assert_eq!(layout.read(&blob).unwrap(), br#"{"a":3,"b":{"c":2,"d":1}}"#);
    }

    #[test]
    fn a_directory_without_a_layout_is_an_error_that_says_what_to_run() {
        let error = Layout::open("/nowhere".as_ref()).unwrap_err().to_string();
        assert!(error.contains("/nowhere") && error.contains("cargo xtask images"), "{error}");
    }
}
