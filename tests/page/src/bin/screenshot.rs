//! `cargo xtask page --screenshot FILE` runs it: writes a picture of the page with an example.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use onceway_page_tests::tab::Tab;
use serde_json::json;

/// Width and height of the window, in pixels; the picture is as high as the page.
const SIZE: (u32, u32) = (1120, 700);

/// Write a picture of the page with an example.
#[derive(Parser)]
struct Args {
    /// The page
    page: PathBuf,
    /// The picture, a PNG
    picture: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Args { page, picture } = Args::parse();
    let mut tab = Tab::empty().await?;
    let size = json!({ "width": SIZE.0, "height": SIZE.1, "deviceScaleFactor": 1, "mobile": false });
    tab.call("Emulation.setDeviceMetricsOverride", size).await?;
    tab.call("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await?;
    tab.navigate(&format!("file://{}", fs::canonicalize(page)?.display())).await?;
    tab.evaluate("document.getElementById('load').click()").await?;
    tab.until_explained().await?;
    fs::write(&picture, tab.picture().await?).with_context(|| format!("cannot write {}", picture.display()))
}
