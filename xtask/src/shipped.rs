//! The files that ship, and the one way to build each: whoever has the sources can make the same bytes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::copy::cargo_home;
use crate::git;
use crate::platform::Platform;

/// The target of the filter, and of the page's module.
pub(crate) const FILTER_TARGET: &str = "wasm32-wasip1";
/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that paths may have spaces.
const SEPARATOR: &str = "\x1f";
/// The linker that the toolchain brings: a distribution's would lay the program out in another way.
const LINKER: &str = "rust-lld";

/// What makes the sidecar smaller and no slower: functions of the same code are one, as those of generic types often are, and
/// the list of addresses that depend on where it is loaded is a bitmap.
const SMALLER: [&str; 2] = ["--icf=all", "--pack-dyn-relocs=relr"];

/// A file that ships.
#[derive(Clone, Copy)]
pub(crate) enum Shipped {
    /// The sidecar for a platform, static, without names of functions.
    Sidecar(&'static Platform),
    /// The filter's module.
    Filter,
    /// The module of the page, which is in the sidecar's image.
    Page,
}

impl Shipped {
    /// The build from the workspace in `tree`. Paths in what is built are replaced: of the tree by `/onceway`, of cargo's
    /// home by `/cargo`.
    ///
    /// # Errors
    /// If there is no cargo home, no C compiler for the platform, or git fails.
    pub(crate) fn build(self, tree: &Path) -> Result<Command> {
        let home = cargo_home()?;
        let places = [(home.as_path(), "/cargo"), (tree, "/onceway")];
        let mut flags = remap("--remap-path-prefix=", SEPARATOR, places);
        let mut build = cargo(&["build"]);
        build.current_dir(tree).env_remove("RUSTFLAGS").env("SOURCE_DATE_EPOCH", "0");
        match self {
            Self::Filter => {
                build.args(["--package", "onceway-filter", "--lib", "--profile", "wasm", "--target", FILTER_TARGET]);
            }
            Self::Page => {
                build.args(["--package", "onceway-page", "--bin", "onceway-page", "--profile", "page"]);
                build.args(["--target", FILTER_TARGET]);
            }
            Self::Sidecar(platform) => {
                let compiler = platform.compiler();
                let compiler = compiler.with_context(|| format!("no C compiler for ring: {}", platform.advice()))?;
                let target = platform.target_in_variables();
                build.args(["--package", "onceway", "--bin", "onceway", "--release", "--target", platform.target]);
                build.env(platform.compiler_variable(), compiler);
                // What the metric gateway_build_info shows. The image has it as a label, too, so its bytes depend on it anyway.
                build.env("ONCEWAY_REVISION", git::commit(tree)?.map_or_else(String::new, |commit| commit.revision));
                build.env(format!("CFLAGS_{target}"), remap("-ffile-prefix-map=", " ", places));
                build.env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase()), LINKER);
                // Not in a profile of its own, which would compile what runs at build time once more.
                flags.push(format!("{SEPARATOR}-Cstrip=symbols"));
                for flag in SMALLER {
                    flags.push(format!("{SEPARATOR}-Clink-arg={flag}"));
                }
            }
        }
        build.env("CARGO_ENCODED_RUSTFLAGS", flags);
        Ok(build)
    }

    /// Where cargo puts it below its target directory.
    pub(crate) fn file(self) -> PathBuf {
        match self {
            Self::Sidecar(platform) => Path::new(platform.target).join("release/onceway"),
            Self::Filter => Path::new(FILTER_TARGET).join("wasm/onceway_filter.wasm"),
            Self::Page => Path::new(FILTER_TARGET).join("page/onceway-page.wasm"),
        }
    }
}

/// Flags that replace each path by another name.
fn remap(flag: &str, separator: &str, places: [(&Path, &str); 2]) -> OsString {
    let mut flags = OsString::new();
    for (number, (path, name)) in places.into_iter().enumerate() {
        flags.push(if number == 0 { "" } else { separator });
        flags.push(flag);
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    flags
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{SEPARATOR, Shipped, remap};
    use crate::platform::PLATFORMS;

    #[test]
    fn paths_with_spaces_stay_whole_in_the_compilers_flags() {
        let flags = remap("-m", SEPARATOR, [(Path::new("/a b"), "/x"), (Path::new("/c"), "/y")]);
        assert_eq!(flags, "-m/a b=/x\u{1f}-m/c=/y");
    }

    #[test]
    fn every_file_that_ships_is_at_a_place_of_its_own() {
        let [amd64, arm64] = [Shipped::Sidecar(&PLATFORMS[0]), Shipped::Sidecar(&PLATFORMS[1])];
        let files = [Shipped::Filter, Shipped::Page, amd64, arm64].map(Shipped::file);
        for (index, file) in files.iter().enumerate() {
            assert!(!files[..index].contains(file), "{files:?}");
        }
    }
}
