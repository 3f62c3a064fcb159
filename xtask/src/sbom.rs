//! Lists what the sidecar and the filter are made of, as CycloneDX, by cargo-cyclonedx.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo::{cargo, target_dir};
use crate::copy::of_head;
use crate::platform::{PLATFORMS, Platform};
use crate::run::run;
use crate::shipped::FILTER_TARGET;

/// What to do where the lists cannot be made.
pub(crate) const MISSING: &str =
    "cargo-cyclonedx is not installed; install it with `cargo install cargo-cyclonedx --locked`";

/// The version of CycloneDX.
const SPEC: &str = "1.5";

/// The lists, as files.
pub(crate) struct Sboms {
    /// Of the sidecar, one for each platform.
    pub(crate) sidecar: Vec<PathBuf>,
    /// Of the filter.
    pub(crate) filter: PathBuf,
}

/// Writes the lists, and prints their paths.
pub(crate) fn sbom() -> Result<()> {
    let platforms: Vec<&Platform> = PLATFORMS.iter().collect();
    let Sboms { sidecar, filter } = lists(&platforms)?.context(MISSING)?;
    for list in sidecar.iter().chain([&filter]) {
        println!("{}", list.display());
    }
    Ok(())
}

/// Writes the lists of the sidecar for `platforms` and of the filter; none if cargo-cyclonedx is not installed.
///
/// # Errors
/// If it fails.
pub(crate) fn lists(platforms: &[&Platform]) -> Result<Option<Sboms>> {
    if !cargo(&["cyclonedx", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    // It writes a file beside each manifest of the workspace: not into the tree itself.
    let tree = of_head("sbom-tree")?;
    // It takes no --locked, and would list other versions than those that are built.
    let mut locked = cargo(&["fetch", "--quiet", "--locked"]);
    locked.current_dir(&tree);
    run(locked)?;
    let directory = target_dir()?.join("sbom");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let list = |folder, target, name: String| list(&tree, folder, target, directory.join(name));
    let sidecar = platforms.iter().map(|platform| {
        let name = format!("onceway-{}.cdx.json", platform.arch);
        list("sidecar", platform.target, name)
    });
    let sidecar = sidecar.collect::<Result<Vec<_>>>()?;
    let filter = list("filter", FILTER_TARGET, "onceway_filter.wasm.cdx.json".to_owned())?;
    Ok(Some(Sboms { sidecar, filter }))
}

/// Lists what the crate in `folder` of the workspace `tree` is made of for `target`, in `file`.
fn list(tree: &Path, folder: &str, target: &str, file: PathBuf) -> Result<PathBuf> {
    let mut list = cargo(&["cyclonedx", "--quiet", "--format", "json", "--spec-version", SPEC, "--target", target]);
    list.arg("--manifest-path").arg(tree.join(folder).join("Cargo.toml")).current_dir(tree);
    list.args(["--override-filename", "sbom"]).env("SOURCE_DATE_EPOCH", "0");
    run(list)?;
    let written = tree.join(folder).join("sbom.json");
    let text =
        fs::read_to_string(&written).with_context(|| format!("cargo-cyclonedx wrote no {}", written.display()))?;
    fs::write(&file, normal(&text, tree)?).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// The list without what differs at each run or on each machine: the document's random serial number, the time, and the
/// place of the tree.
fn normal(text: &str, tree: &Path) -> Result<String> {
    let text = text.replace(&tree.display().to_string(), "/onceway");
    let mut list: Value = serde_json::from_str(&text).context("cargo-cyclonedx wrote no JSON")?;
    let fields = list.as_object_mut().context("cargo-cyclonedx wrote no object")?;
    ensure!(fields.contains_key("components"), "cargo-cyclonedx listed no components");
    fields.remove("serialNumber");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("timestamp");
    }
    Ok(format!("{list:#}\n"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::normal;

    #[test]
    fn a_list_has_neither_serial_number_nor_time_nor_the_place_of_the_tree() {
        let list = r#"{"serialNumber":"urn:uuid:1","metadata":{"timestamp":"t","component":
            {"bom-ref":"path+file:///home/a/tree/sidecar#onceway"}},"components":[]}"#;
        let list = normal(list, Path::new("/home/a/tree")).unwrap();
        assert!(!list.contains("uuid") && !list.contains("timestamp") && !list.contains("home"), "{list}");
        assert!(list.contains("path+file:///onceway/sidecar#onceway"), "{list}");
        assert!(normal("{}", Path::new("/x")).is_err());
    }
}
