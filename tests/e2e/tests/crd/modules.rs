//! Which modules of these tests depend on the CRD: CI runs those with kubernaut's CRD, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use onceway_kit::cluster::deploy::repository;

const TESTS: &str = "tests/e2e/tests";
/// What a test does that writes or reads more of an RR than spec and count.
const SIGNS: [&str; 5] = ["stored(rig)", "stored(&rig)", "rig.patch_status(", "KubernautGateway", "is_our_crd"];

/// Each module and what the list says of it: `crd`, or why it does not depend on the CRD.
fn listed() -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(repository().join(TESTS).join("crd/modules.txt"))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (module, why) = line.split_once(": ").with_context(|| format!("no reason: {line}"))?;
            Ok((module.to_owned(), why.to_owned()))
        })
        .collect()
}

/// The Rust files of a module.
fn files(module: &str) -> Result<Vec<PathBuf>> {
    let tests = repository().join(TESTS);
    let folder = tests.join(module);
    let mut files = vec![tests.join(format!("{module}.rs"))];
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs") && !is_this(file));
    Ok(files)
}

/// This file names the signs.
fn is_this(file: &Path) -> bool {
    file.ends_with("crd/modules.rs")
}

#[test]
fn every_module_says_whether_it_depends_on_the_crd() -> Result<()> {
    let main = fs::read_to_string(repository().join(TESTS).join("main.rs"))?;
    let modules: BTreeSet<String> =
        main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let listed: BTreeSet<String> = listed()?.into_keys().filter(|module| !module.contains("::")).collect();
    assert_eq!(listed, modules, "tests/e2e/tests/crd/modules.txt");
    Ok(())
}

#[test]
fn a_module_that_shows_a_sign_of_depending_on_the_crd_is_listed_so() -> Result<()> {
    for (module, why) in listed()?.into_iter().filter(|(module, _)| !module.contains("::")) {
        for file in files(&module)? {
            let text = fs::read_to_string(&file)?;
            let sign = SIGNS.iter().find(|sign| text.contains(**sign));
            let ours_alone = why.starts_with("our CRD");
            assert!(why == "crd" || ours_alone || sign.is_none(), "{}: {sign:?}", file.display());
        }
    }
    Ok(())
}
