//! Lists what the sidecar and the filter are made of, as CycloneDX, by cargo-cyclonedx.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::cargo::{cargo, target_dir};
use crate::copy::of_head;
use crate::run::run;

/// What ships: the crate's folder, its target, and the file that lists it.
const SHIPPED: [(&str, &str, &str); 2] = [
    ("sidecar", "x86_64-unknown-linux-gnu", "onceway.cdx.json"),
    ("filter", "wasm32-wasip1", "onceway_filter.wasm.cdx.json"),
];

/// Writes the lists, and prints their paths.
pub(crate) fn sbom() -> Result<()> {
    let found = cargo(&["cyclonedx", "--version"]).output().is_ok_and(|output| output.status.success());
    ensure!(found, "cargo-cyclonedx is not installed; install it with:\n  cargo install cargo-cyclonedx --locked");
    // It writes a file beside each manifest of the workspace: not into the tree itself.
    let tree = of_head("sbom-tree")?;
    let directory = target_dir()?.join("sbom");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    for (folder, target, file) in SHIPPED {
        let mut list = cargo(&["cyclonedx", "--format", "json", "--describe", "crate", "--target", target]);
        list.arg("--manifest-path").arg(tree.join(folder).join("Cargo.toml")).current_dir(&tree);
        list.args(["--override-filename", "sbom"]);
        run(list)?;
        let (from, to) = (tree.join(folder).join("sbom.json"), directory.join(file));
        fs::copy(&from, &to).with_context(|| format!("cargo-cyclonedx wrote no {}", from.display()))?;
        println!("{}", to.display());
    }
    Ok(())
}
