//! The commands of `docs/install.md`, run as written as far as they can be without nodes, lead to an RR.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use onceway_gateways::isolation::PODS;
use onceway_gateways::site::{NAMESPACE, Site};
use onceway_kit::built;
use onceway_kit::cluster::deploy::repository;
use onceway_kit::envoy::Upstream;
use onceway_kit::rig::Rig;
use onceway_tools::Tool;
use tokio::process::Command;

use crate::kind::Kind;
use crate::running::{REPLICAS, upstream};

/// The page.
const PAGE: &str = "docs/install.md";
/// The file of values that `cargo xtask images` writes.
const IMAGES: &str = "target/images/values.yaml";
/// Ends of lines that are not run: what needs nodes, and what the tests of the images run.
const NOT_HERE: [&str; 2] = ["# nodes", "# elsewhere"];
/// At most this many commands lead to the first RR.
const COMMANDS: usize = 11;
/// How long the commands of a part may take.
const LIMIT: Duration = Duration::from_secs(60);
/// What exists, by the page.
const NAMESPACES: [&str; 2] = ["monitoring", "shop"];

/// Runs the commands of the gateway's section.
pub(crate) async fn follow(kind: Kind) -> Result<String> {
    let commands = commands(kind)?;
    ensure!(commands.len() <= COMMANDS, "{} commands", commands.len());
    let here: Vec<&String> =
        commands.iter().filter(|line| !NOT_HERE.iter().any(|end| line.trim_end().ends_with(end))).collect();
    let signal = here.iter().position(|line| line.starts_with("TOKEN=")).context("no command makes a token")?;
    let (install, signal) = here.split_at(signal);

    let module = tokio::task::spawn_blocking(built::filter::path).await??;
    let site = Site::start().await?;
    let mut values = site.values(kind.value(), &site.digest);
    // The kind is the commands' own to set.
    values["gateway"] = kind.values();
    fs::write(site.dir().join("values.yaml"), values.to_string())?;
    for name in NAMESPACES {
        site.create_namespace(name).await?;
    }
    let gateway = kind.start(&site, &module).await?;
    println!("{}", run(&site, install, &[]).await?);
    gateway.installed(&module).await?;
    let rig = Rig::replicas(REPLICAS).pods_in(PODS).in_cluster(site.cluster.clone()).in_namespace(NAMESPACE);
    let rig = rig.with_auth().with_long_timeouts().start().await?;
    let replicas: Vec<Upstream> = rig.sidecars().iter().map(upstream).collect();
    gateway.set_replicas(&replicas).await?;
    let printed = run(&site, signal, &[("GATEWAY", gateway.url().into())]).await?;
    println!("{printed}");
    ensure!(printed.contains(r#""status":"created""#), "no signal was counted: {printed}");
    ensure!(printed.lines().any(|line| line.starts_with("rr-")), "no RR is shown: {printed}");
    Ok(format!("{} of {} commands run", here.len(), commands.len()))
}

/// The commands of the gateway's section, each a line.
fn commands(kind: Kind) -> Result<Vec<String>> {
    let page = fs::read_to_string(repository().join(PAGE))?;
    let heading = format!("\n## {}\n", kind.heading());
    let (_, section) = page.split_once(&heading).with_context(|| format!("{PAGE} has no section{heading}"))?;
    let (_, block) = section.split_once("```sh\n").context("the section has no commands")?;
    let (block, _) = block.split_once("```").context("the commands do not end")?;
    Ok(block.lines().map(str::to_owned).collect())
}

/// Runs commands as one script, from the repository's root; returns what they print.
async fn run(site: &Site, commands: &[&String], variables: &[(&str, OsString)]) -> Result<String> {
    let programs = tokio::task::spawn_blocking(|| {
        [Tool::Helm, Tool::Kubectl].map(Tool::get).into_iter().collect::<Result<Vec<_>>>()
    });
    let folders: BTreeSet<_> = programs.await??.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())))?;
    let values = site.dir().join("values.yaml");
    let script = commands.iter().map(|line| line.replace(IMAGES, &values.to_string_lossy()) + "\n").collect::<String>();
    let mut shell = Command::new("bash");
    shell.args(["-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c", &script]).current_dir(repository());
    shell.env("PATH", path).envs(site.helm.environment()).kill_on_drop(true);
    shell.envs(variables.iter().map(|(name, value)| (name, value)));
    let output = tokio::time::timeout(LIMIT, shell.output()).await.context("the commands do not end")??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}\n{printed}\nof\n{script}", String::from_utf8_lossy(&output.stderr));
    Ok(printed)
}
