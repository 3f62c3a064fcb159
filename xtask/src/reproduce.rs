//! Builds what ships twice, from two copies of the tree in different places, and compares the digests: whoever has the
//! sources can check what was published.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::cargo::cargo;
use crate::copy::{cargo_home, of_head};
use crate::run::run;

/// Where the copies are; of different lengths, because a path of another length moves what follows it.
const PLACES: [&str; 2] = ["reproduce-1", "reproduce-2/with/a/longer/path"];
/// What ships: cargo's options, and the file.
const ARTIFACTS: [(&[&str], &str); 2] = [
    (&["--package", "onceway", "--bin", "onceway", "--release"], "target/release/onceway"),
    (
        &["--package", "onceway-filter", "--lib", "--profile", "wasm", "--target", "wasm32-wasip1"],
        "target/wasm32-wasip1/wasm/onceway_filter.wasm",
    ),
];

/// Builds twice, and prints the digests. An error if they differ.
pub(crate) fn reproduce() -> Result<()> {
    let mut digests = Vec::new();
    for place in PLACES {
        let tree = of_head(place)?;
        for (options, file) in ARTIFACTS {
            build(&tree, options)?;
            let path = tree.join(file);
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            println!("sha256:{digest}  {:>11} bytes  {place}/{file}", bytes.len());
            digests.push(digest);
        }
    }
    let (first, second) = digests.split_at(ARTIFACTS.len());
    ensure!(first == second, "the two builds differ");
    println!("both builds are equal");
    Ok(())
}

/// Builds in a copy of the tree, with every path in what is built replaced: of the tree by `/onceway`, of cargo's home by
/// `/cargo`.
fn build(tree: &Path, options: &[&str]) -> Result<()> {
    let (home, target) = (cargo_home()?, tree.join("target"));
    let replaced = |flag: &str, from: &Path, to: &str| {
        let mut option = OsString::from(flag);
        option.push(from);
        option.push(to);
        option
    };
    let mut flags = replaced("--remap-path-prefix=", &home, "=/cargo");
    flags.push(replaced(" --remap-path-prefix=", tree, "=/onceway"));
    let mut c_flags = replaced("-ffile-prefix-map=", &home, "=/cargo");
    c_flags.push(replaced(" -ffile-prefix-map=", tree, "=/onceway"));
    let mut build = cargo(&["build", "--locked"]);
    build.args(options).current_dir(tree).env("CARGO_TARGET_DIR", target);
    build.env("RUSTFLAGS", flags).env("CFLAGS", c_flags).env("SOURCE_DATE_EPOCH", "0");
    run(build)
}
