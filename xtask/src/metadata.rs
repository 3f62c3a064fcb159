//! What cargo says of the workspace.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::step::cargo;

/// The output of `cargo metadata`, of our own packages only.
fn metadata() -> Result<Value> {
    let output = cargo(&["metadata", "--no-deps", "--format-version", "1"]).output()?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The directory that cargo builds into; a user may have set another by environment or configuration.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata()?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("cargo metadata names no target directory")
}
