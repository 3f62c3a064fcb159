//! Builds what ships twice, from two copies of the tree in different places, and compares the digests: whoever has the
//! sources can check what was published.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::cargo::cargo;
use crate::copy::{head, of_commit};
use crate::images::maker_of;
use crate::page::assemble;
use crate::platform::Platform;
use crate::run::run;
use crate::shipped::{FILTER_TARGET, Shipped};
use crate::target;

/// Where the copies are; of different lengths, because a path of another length moves what follows it.
const PLACES: [&str; 2] = ["reproduce-1", "reproduce-2/with/a/longer/path"];
/// The images whose digests are compared; all that is in them depends on what their index names.
const IMAGES: [&str; 2] = ["onceway", "onceway-filter"];

/// Builds twice, and prints the digests. An error if they differ.
pub(crate) fn reproduce() -> Result<()> {
    let platform = Platform::of_host().context("the sidecar's image has no platform for this machine")?;
    target::install(FILTER_TARGET, "the filter is built for WebAssembly")?;
    target::install(platform.target, "the sidecar's image has a static program")?;
    run(cargo(&["build", "--release", "--workspace", "--bin", "images"]))?;
    // Once: a commit that is made meanwhile must not be in the second copy alone.
    let commit = head()?;
    let mut digests = Vec::new();
    for place in PLACES {
        let tree = of_commit(&commit, place)?;
        let target = tree.join("target");
        for shipped in [Shipped::Sidecar(platform), Shipped::Filter, Shipped::Page] {
            let mut build = shipped.build(&tree)?;
            build.arg("--locked").env("CARGO_TARGET_DIR", &target);
            run(build)?;
            digests.push(digest(&target.join(shipped.file()))?);
        }
        assemble(&tree, &target)?;
        let out = target.join("images");
        run(maker_of(&tree, &target, &[platform], &out, None, None)?)?;
        for image in IMAGES {
            digests.push(digest(&out.join(image).join("index.json"))?);
        }
    }
    let (first, second) = digests.split_at(digests.len() / PLACES.len());
    ensure!(first == second, "the two builds differ");
    println!("both builds are equal: the sidecar for {}, the filter, the page's module, and the images", platform.arch);
    Ok(())
}

/// The digest of a file, which is printed, too.
fn digest(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("sha256:{digest}  {:>11} bytes  {}", bytes.len(), file.display());
    Ok(digest)
}
