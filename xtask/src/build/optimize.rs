//! Optimises the filter further with wasm-opt, if it is installed: a few percent of fuel and a fifth of its size. Nothing
//! depends on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use onceway_tools::progress::Lane;
use onceway_tools::run::run;

/// Binaryen's optimiser.
const WASM_OPT: &str = "wasm-opt";
/// Expected seconds.
const SECONDS: u32 = 3;

/// The path of the optimised module; that of the module itself without wasm-opt.
pub(super) fn optimize(module: &Path, lane: &dyn Lane) -> Result<PathBuf> {
    if !is_installed() {
        return Ok(module.to_owned());
    }
    let optimized = module.with_extension("opt.wasm");
    let mut wasm_opt = Command::new(WASM_OPT);
    // rustc uses more of WebAssembly than wasm-opt allows by default.
    wasm_opt.args(["-O3", "--all-features", "-o"]).arg(&optimized).arg(module);
    lane.begin("optimising the filter", 0, SECONDS);
    run(wasm_opt, "install binaryen", |_| ())?;
    Ok(optimized)
}

fn is_installed() -> bool {
    Command::new(WASM_OPT).arg("--version").output().is_ok_and(|output| output.status.success())
}
