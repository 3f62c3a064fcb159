//! `onceway install-filter DIR`: hands the filter's module, which is in the image, to an Envoy beside it. Envoy's init
//! container runs it with the sidecar's image and a volume that both containers mount.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;

/// The module in the image.
const IN_IMAGE: &str = "/plugin.wasm";
/// The module's name in DIR.
const INSTALLED: &str = "plugin.wasm";
/// Its name there until it is whole; a file of this name is what an interrupted run left.
const UNFINISHED: &str = ".plugin.wasm.unfinished";
/// Readable for Envoy, whose user is another one.
const MODE: u32 = 0o644;
/// The largest module, in bytes; ours has less than a hundredth of that.
const MAX_MODULE_BYTES: u64 = 64 * 1024 * 1024;
/// The first bytes of every module.
const WASM_MAGIC: &[u8] = b"\0asm";

/// Copy the filter's module into a directory, for an Envoy that mounts it.
///
/// Writes DIR/plugin.wasm. It appears there at once and whole, and replaces what was there. Needs no cluster.
#[derive(Debug, Args)]
pub struct InstallFilterArgs {
    /// Directory that Envoy mounts, too; it must exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Module to copy
    #[arg(long, value_name = "FILE", default_value = IN_IMAGE)]
    from: PathBuf,
}

/// Why the module cannot be installed.
#[derive(Debug, Error)]
pub enum InstallFilterError {
    /// The module cannot be read.
    #[error("cannot read {}: {error}; the module is in the container image, elsewhere name it with --from", .file.display())]
    Read {
        /// The module.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is too large.
    #[error("{} is larger than {MAX_MODULE_BYTES} bytes: it cannot be the filter", .file.display())]
    TooLarge {
        /// The module.
        file: PathBuf,
    },
    /// It is no module.
    #[error("{} is no WebAssembly module", .file.display())]
    NoModule {
        /// The module.
        file: PathBuf,
    },
    /// The directory does not exist.
    #[error("{} is no directory; mount a volume there that Envoy mounts, too", .dir.display())]
    NoDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// A file in the directory cannot be written.
    #[error("cannot write {}: {error}; the volume must be writable for this container's user", .file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl InstallFilterArgs {
    /// Installs the module; returns its path and size in bytes.
    ///
    /// # Errors
    /// [`InstallFilterError`] if the module or the directory is not what it must be; what was installed before stays.
    pub fn run(&self) -> Result<(PathBuf, usize), InstallFilterError> {
        let module = read(&self.from)?;
        if !self.dir.is_dir() {
            return Err(InstallFilterError::NoDirectory { dir: self.dir.clone() });
        }
        let (unfinished, installed) = (self.dir.join(UNFINISHED), self.dir.join(INSTALLED));
        let failed = |file: &Path| {
            let file = file.to_owned();
            |error| InstallFilterError::Write { file, error }
        };
        write(&unfinished, &module).map_err(failed(&unfinished))?;
        fs::rename(&unfinished, &installed).map_err(failed(&installed))?;
        Ok((installed, module.len()))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, InstallFilterError> {
    let failed = |error| InstallFilterError::Read { file: file.to_owned(), error };
    let mut module = Vec::new();
    File::open(file).map_err(failed)?.take(MAX_MODULE_BYTES + 1).read_to_end(&mut module).map_err(failed)?;
    if module.len() as u64 > MAX_MODULE_BYTES {
        return Err(InstallFilterError::TooLarge { file: file.to_owned() });
    }
    if !module.starts_with(WASM_MAGIC) {
        return Err(InstallFilterError::NoModule { file: file.to_owned() });
    }
    Ok(module)
}

fn write(file: &Path, module: &[u8]) -> io::Result<()> {
    let mut written = File::create(file)?;
    written.write_all(module)?;
    // The container's umask must not make it unreadable for Envoy.
    written.set_permissions(Permissions::from_mode(MODE))?;
    // Renamed before its content is on the disk, it could be empty after a crash of the node.
    written.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use tempfile::tempdir;

    use super::{InstallFilterArgs, InstallFilterError, MAX_MODULE_BYTES, UNFINISHED};

    fn args(from: &Path, dir: &Path) -> InstallFilterArgs {
        InstallFilterArgs { from: from.to_owned(), dir: dir.to_owned() }
    }

    #[test]
    fn the_module_is_installed_readable_for_everybody_and_replaces_the_last_one() {
        let (image, volume) = (tempdir().unwrap(), tempdir().unwrap());
        let module = image.path().join("m.wasm");
        fs::write(volume.path().join("plugin.wasm"), b"old").unwrap();
        fs::write(volume.path().join(UNFINISHED), b"left by an interrupted run, longer than the module").unwrap();
        fs::write(&module, b"\0asm new").unwrap();

        let (path, bytes) = args(&module, volume.path()).run().unwrap();

        assert_eq!((path.as_path(), bytes), (volume.path().join("plugin.wasm").as_path(), 8));
        assert_eq!(fs::read(&path).unwrap(), b"\0asm new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(volume.path()).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn what_is_no_module_is_refused_and_the_installed_one_stays() {
        let (image, volume) = (tempdir().unwrap(), tempdir().unwrap());
        let installed = volume.path().join("plugin.wasm");
        fs::write(&installed, b"\0asm old").unwrap();
        let (text, huge) = (image.path().join("text"), image.path().join("huge"));
        fs::write(&text, b"#!/bin/sh").unwrap();
        fs::File::create(&huge).unwrap().set_len(MAX_MODULE_BYTES + 1).unwrap();

        assert!(matches!(args(&text, volume.path()).run(), Err(InstallFilterError::NoModule { .. })));
        assert!(matches!(args(&huge, volume.path()).run(), Err(InstallFilterError::TooLarge { .. })));
        assert_eq!(fs::read(installed).unwrap(), b"\0asm old");
    }

    #[test]
    fn errors_name_the_file_or_directory_and_what_to_do() {
        let image = tempdir().unwrap();
        let module = image.path().join("m.wasm");
        let missing = args(&module, image.path()).run().unwrap_err().to_string();
        assert!(missing.contains("m.wasm") && missing.contains("--from"), "{missing}");

        fs::write(&module, b"\0asm").unwrap();
        let no_directory = args(&module, Path::new("/nowhere")).run().unwrap_err().to_string();
        assert!(no_directory.contains("/nowhere is no directory; mount a volume"), "{no_directory}");

        fs::create_dir(image.path().join(UNFINISHED)).unwrap();
        let unwritable = args(&module, image.path()).run().unwrap_err().to_string();
        assert!(unwritable.contains("cannot write") && unwritable.contains("writable"), "{unwritable}");
    }
}
