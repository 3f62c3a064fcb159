//! A layer with one file, in the form that container runtimes, Envoy Gateway and Istio take: a gzipped tar.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use oci_spec::image::MediaType;
use tar::{EntryType, Header};

use crate::layout::sha256;

/// The operating system in a gzip header, "unknown": it must not depend on where the image is made.
const GZIP_OS_UNKNOWN: u8 = 255;

/// A file of an image. It belongs to root, so that the image's user cannot change it.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name, in the image's root.
    pub name: &'a str,
    /// Its permissions.
    pub mode: u32,
    /// Its content.
    pub content: &'a [u8],
}

/// A layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The compressed tar.
    pub blob: Vec<u8>,
    /// The digest of the tar itself: the layer's name in an image's configuration.
    pub diff_id: String,
}

impl Layer {
    /// The media type of every layer.
    pub const MEDIA_TYPE: MediaType = MediaType::ImageLayerGzip;

    /// The layer that contains `file`.
    ///
    /// # Errors
    /// If the name is too long for a tar.
    pub fn of(file: File<'_>) -> Result<Self> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(file.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(file.content.len() as u64);
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_data(&mut header, file.name, file.content)?;
        let tar = tar.into_inner()?;

        let gzip = GzBuilder::new().mtime(0).operating_system(GZIP_OS_UNKNOWN);
        let mut gzip = gzip.write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        Ok(Self { blob: gzip.finish()?, diff_id: sha256(&tar) })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use tar::Archive;

    use super::{File, Layer};
    use crate::layout::sha256;

    const FILE: File<'_> = File { name: "plugin.wasm", mode: 0o644, content: b"\0asm" };

    #[test]
    fn a_layer_has_one_file_of_roots_at_its_root_without_a_time() {
        let layer = Layer::of(FILE).unwrap();
        let mut archive = Archive::new(GzDecoder::new(layer.blob.as_slice()));
        let mut entries = archive.entries().unwrap();
        let mut entry = entries.next().unwrap().unwrap();
        assert_eq!(entry.path_bytes().as_ref(), b"plugin.wasm");
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 0));
        assert_eq!(header.mode().unwrap(), 0o644);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!(content, b"\0asm");
        assert!(entries.next().is_none());
    }

    #[test]
    fn the_diff_id_is_the_digest_of_the_uncompressed_tar() {
        let layer = Layer::of(FILE).unwrap();
        let mut tar = Vec::new();
        GzDecoder::new(layer.blob.as_slice()).read_to_end(&mut tar).unwrap();
        assert_eq!(layer.diff_id, sha256(&tar));
    }

    #[test]
    fn the_gzip_header_says_neither_when_nor_where_it_was_made() {
        let blob = Layer::of(FILE).unwrap().blob;
        assert_eq!(&blob[4..8], [0; 4], "time");
        assert_eq!(blob[9], 255, "operating system");
        assert_eq!(blob[3], 0, "a file name or a comment");
    }
}
