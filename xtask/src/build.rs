//! Builds what ships: the sidecar, and the filter in its own profile for its own target.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use self::optimize::optimize;
use crate::metadata::target_dir;
use crate::step::{Step, cargo};

mod optimize;

/// The filter's target.
const TARGET: &str = "wasm32-wasip1";

/// Where the programs are that were built.
pub(crate) struct Built {
    sidecar: PathBuf,
    filter: PathBuf,
    clock: PathBuf,
}

impl Built {
    /// Prints where they are.
    pub(crate) fn print(&self) {
        println!("{}\n{}", self.sidecar.display(), self.filter.display());
    }

    /// Tells a program that runs them where they are, so that it need not ask cargo.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("ONCEWAY_BIN", &self.sidecar).env("ONCEWAY_FILTER_WASM", &self.filter);
        command.env("ONCEWAY_CLOCK", &self.clock);
    }
}

/// Builds both, and the clock that tests give to a sidecar.
pub(crate) fn all() -> Result<Built> {
    install_target()?;
    Step::new("Building the sidecar").run(cargo(&["build", "--release", "--package", "onceway"]))?;
    Step::new("Building the tests' clock").run(cargo(&["build", "--release", "--package", "onceway-clock"]))?;
    let filter = ["build", "--package", "onceway-filter", "--profile", "wasm", "--target", TARGET];
    Step::new("Building the filter").run(cargo(&filter))?;
    let target = target_dir()?;
    let (sidecar, filter) = (target.join("release/onceway"), target.join(TARGET).join("wasm/onceway_filter.wasm"));
    let clock = target.join("release/libonceway_clock.so");
    for path in [&sidecar, &filter, &clock] {
        ensure!(path.is_file(), "cargo built no {}", path.display());
    }
    Ok(Built { sidecar, filter: optimize(&filter)?, clock })
}

/// rustup brings the target by itself where it installs the toolchain; a toolchain that was there before may lack it.
fn install_target() -> Result<()> {
    if has_target() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    Step::new("Installing the filter's target").run(rustup).context("the filter is built for WebAssembly")?;
    ensure!(
        has_target(),
        "rustup installed {TARGET}, but not for the rustc that is used; is that one of a distribution?"
    );
    Ok(())
}

fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
