//! Optimises the filter further with wasm-opt, where that is had: a few percent of fuel and a fifth of its size. Nothing
//! depends on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step::Step;

/// Binaryen's optimiser.
const WASM_OPT: &str = "wasm-opt";

/// The path of the optimised module; that of the module itself where there is no wasm-opt.
pub(super) fn optimize(module: &Path) -> Result<PathBuf> {
    if !is_had() {
        return Ok(module.to_owned());
    }
    let optimized = module.with_extension("opt.wasm");
    let mut wasm_opt = Command::new(WASM_OPT);
    // rustc uses more of WebAssembly than wasm-opt allows unless it is told to.
    wasm_opt.args(["-O3", "--all-features", "-o"]).arg(&optimized).arg(module);
    Step::new("Optimising the filter").run(wasm_opt)?;
    let sizes = [module, &optimized].map(|path| path.metadata().map(|data| data.len()));
    let [before, after] = sizes.map(|size| size.context("the module is gone"));
    eprintln!("== {} -> {} bytes", before?, after?);
    Ok(optimized)
}

fn is_had() -> bool {
    Command::new(WASM_OPT).arg("--version").output().is_ok_and(|output| output.status.success())
}
