//! Builds by cargo, with progress.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;

use anyhow::Result;
use onceway_tools::progress::Lane;
use onceway_tools::run::run;

use crate::cargo::cargo;

/// Has cargo say which crates are built: what its progress is made of.
pub(crate) const MESSAGES: &str = "--message-format=json-render-diagnostics";
/// The advice if cargo is missing, which runs this very program.
const NO_CARGO: &str = "install Rust with rustup";

/// Runs a build of cargo's. A unit is a crate that is built, or was before.
pub(crate) fn compile(lane: &dyn Lane, step: &str, seconds: u32, build: Command) -> Result<()> {
    lane.begin(step, crates(&build), seconds);
    let mut built = BTreeSet::new();
    run(build, NO_CARGO, |line| {
        if package_of_artifact(line).is_some_and(|package| built.insert(package)) {
            lane.unit();
        }
    })
}

/// The package that one of cargo's messages says is built.
fn package_of_artifact(message: &str) -> Option<String> {
    let message = message.strip_prefix(r#"{"reason":"compiler-artifact","package_id":""#)?;
    message.split('"').next().map(str::to_owned)
}

/// How many crates a build compiles if it is cold; 0 if cargo does not say.
fn crates(build: &Command) -> u64 {
    let arguments: Vec<&OsStr> = build.get_args().collect();
    let package = arguments.iter().position(|argument| *argument == "--package").and_then(|at| arguments.get(at + 1));
    let mut tree = cargo(&["tree", "--prefix", "none", "--edges", "normal,build", "--format", "{p}"]);
    match package {
        Some(package) => tree.arg("--package").arg(package),
        None => tree.arg("--workspace"),
    };
    let Ok(output) = tree.output() else { return 0 };
    let text = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.len() as u64
}

#[cfg(test)]
mod tests {
    use super::package_of_artifact;

    #[test]
    fn the_package_of_an_artifact_is_read_and_other_messages_are_none() {
        let artifact = r#"{"reason":"compiler-artifact","package_id":"registry+x#libc@0.2","manifest_path":"m"}"#;
        assert_eq!(package_of_artifact(artifact).as_deref(), Some("registry+x#libc@0.2"));
        assert_eq!(package_of_artifact(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(package_of_artifact("   Compiling libc v0.2"), None);
    }
}
