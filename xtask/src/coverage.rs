//! How much of what ships its own crates' tests run, line by line, measured by cargo-llvm-cov.
//!
//! End-to-end tests are left out: they run the whole program, and so run lines that no test looks at.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::metadata::target_dir;
use crate::step::{Step, cargo, root};

mod lines;
mod shipped;

use self::lines::{Lines, Share};

/// The crates that are measured, by their folder.
const CRATES: [(&str, &str); 3] = [("onceway-signal", "signal"), ("onceway-claim", "claim"), ("onceway", "sidecar")];
/// How many of a hundred lines of each crate must be run.
const BAR_PERCENT: usize = 90;

/// Measures and prints; an error where a crate is below the bar.
pub(crate) fn run() -> Result<()> {
    find_cargo_llvm_cov()?;
    find_llvm_tools()?;
    // Its report does not go where programs lie that were built without measuring.
    let report = target_dir()?.join("llvm-cov-target").join("lines.info");
    let mut measured = cargo(&["llvm-cov", "--locked", "--lib", "--bins", "--tests", "--lcov", "--output-path"]);
    measured.arg(&report);
    for (package, _) in CRATES {
        measured.args(["--package", package]);
    }
    Step::new("Testing, and noting which lines run").run(measured)?;
    let text = fs::read_to_string(&report).with_context(|| format!("cannot read {}", report.display()))?;
    let folders = CRATES.iter().map(|(_, folder)| *folder);
    judge(&shipped::only(lines::read(&text, root())?, root(), folders)?)
}

/// Prints each file with the lines that no test runs, and each crate, and judges the crates.
fn judge(files: &[(PathBuf, Lines)]) -> Result<()> {
    let mut below = Vec::new();
    for (package, folder) in CRATES {
        let mut of_crate = Share::default();
        for (path, lines) in files.iter().filter(|(path, _)| path.starts_with(folder)) {
            of_crate = of_crate.plus(lines.share());
            println!("{}  {:<40} {}", lines.share(), path.display(), lines.missed());
        }
        println!("{of_crate}  {package}\n");
        ensure!(of_crate != Share::default(), "the report has no line of {package}");
        if !of_crate.is_at_least(BAR_PERCENT) {
            below.push(package);
        }
    }
    ensure!(below.is_empty(), "tests run fewer than {BAR_PERCENT} % of the lines of {}", below.join(", "));
    Ok(())
}

fn find_cargo_llvm_cov() -> Result<()> {
    let found = cargo(&["llvm-cov", "--version"]).output().is_ok_and(|output| output.status.success());
    ensure!(
        found,
        "cargo-llvm-cov is not installed; install it:\n  cargo install cargo-llvm-cov --locked\n  rustup component add \
         llvm-tools"
    );
    Ok(())
}

/// cargo-llvm-cov would ask to install them, which hangs where nobody answers.
fn find_llvm_tools() -> Result<()> {
    let named = |variable| env::var_os(variable).is_some_and(|path| Path::new(&path).is_file());
    if named("LLVM_COV") && named("LLVM_PROFDATA") {
        return Ok(());
    }
    let libraries = output(Command::new("rustc").args(["--print", "target-libdir"]))?;
    if Path::new(libraries.trim()).with_file_name("bin").join("llvm-profdata").is_file() {
        return Ok(());
    }
    let version = output(Command::new("rustc").arg("--version").arg("--verbose"))?;
    let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: ")).unwrap_or("the compiler's");
    bail!(
        "the LLVM tools of this toolchain are not installed; install them:\n  rustup component add llvm-tools\nor name \
         those of a distribution's LLVM of the same major version ({llvm}) by the variables LLVM_COV and LLVM_PROFDATA"
    )
}

fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
