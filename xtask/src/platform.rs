//! The platforms of the sidecar's image, and what compiles for them.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// A platform.
#[derive(Debug)]
pub(crate) struct Platform {
    /// Its architecture, as images and Go call it.
    pub(crate) arch: &'static str,
    /// Rust's target: musl, because only that links a program that needs no other file.
    pub(crate) target: &'static str,
    /// The architecture, as Rust calls it.
    machine: &'static str,
    /// C compilers that make code for it elsewhere: ring has C and assembler code.
    cross_compilers: &'static [&'static str],
}

/// Every platform.
pub(crate) const PLATFORMS: [Platform; 2] = [
    Platform {
        arch: "amd64",
        target: "x86_64-unknown-linux-musl",
        machine: "x86_64",
        cross_compilers: &["x86_64-linux-musl-gcc", "x86_64-linux-gnu-gcc"],
    },
    Platform {
        arch: "arm64",
        target: "aarch64-unknown-linux-musl",
        machine: "aarch64",
        cross_compilers: &["aarch64-linux-musl-gcc", "aarch64-linux-gnu-gcc"],
    },
];

impl Platform {
    /// That of this machine, if the sidecar's image has it.
    pub(crate) fn of_host() -> Option<&'static Self> {
        PLATFORMS.iter().find(|platform| platform.is_of_host())
    }

    /// The variable that names its C compiler to build scripts.
    pub(crate) fn compiler_variable(&self) -> String {
        format!("CC_{}", self.target_in_variables())
    }

    /// Its C compiler: the user's, or this machine's own, or one in PATH.
    pub(crate) fn compiler(&self) -> Option<OsString> {
        let own: &[&str] = if self.is_of_host() { &["gcc", "clang"] } else { self.cross_compilers };
        env::var_os(self.compiler_variable()).or_else(|| own.iter().find(|name| is_in_path(name)).map(OsString::from))
    }

    /// What to do about a missing compiler.
    pub(crate) fn advice(&self) -> String {
        let compilers = if self.is_of_host() { "gcc" } else { self.cross_compilers.last().unwrap_or(&"gcc") };
        format!("install {compilers}, or set {} to a C compiler for {}", self.compiler_variable(), self.target)
    }

    /// Its target, as it is written in the names of variables.
    pub(crate) fn target_in_variables(&self) -> String {
        self.target.replace('-', "_")
    }

    fn is_of_host(&self) -> bool {
        env::consts::OS == "linux" && env::consts::ARCH == self.machine
    }
}

fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|dir| dir.join(program)).any(|file: PathBuf| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::PLATFORMS;

    #[test]
    fn a_missing_compiler_is_named_together_with_the_variable_for_another_one() {
        let advice = PLATFORMS.iter().find(|platform| !platform.is_of_host()).unwrap().advice();
        assert!(advice.contains("-linux-gnu-gcc") && advice.contains("CC_"), "{advice}");
        assert!(advice.contains("_unknown_linux_musl"), "{advice}");
    }
}
