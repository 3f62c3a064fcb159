//! The commands of the runbooks, run as they are written against an installation, as far as they need no nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use onceway_kit::cluster::Cluster;
use onceway_kit::cluster::deploy::repository;
use onceway_kit::helm::Helm;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use onceway_kit::scratch::Scratch;
use onceway_tools::Tool;
use serde_json::{Value, json};
use tokio::process::Command;

/// The folder of the runbooks, below the repository's root.
const OPERATIONS: &str = "docs/operations";
/// What begins a block of commands that are run here, and of a query.
const RUN: &str = "```sh run";
const QUERY: &str = "```promql";
/// The namespace and the release that the pages speak of.
const NAMESPACE: &str = "onceway";
/// How long the commands of a page may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Pages at once.
const CONCURRENT: usize = 2;

/// Every page of the runbooks.
fn pages() -> Result<Vec<PathBuf>> {
    let root = repository().join(OPERATIONS);
    let mut pages = Vec::new();
    for folder in [root.clone(), root.join("alerts")] {
        for entry in fs::read_dir(&folder)? {
            pages.push(entry?.path());
        }
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    Ok(pages)
}

/// The blocks of a page that begin with this line, without their indentation.
fn blocks(page: &Path, begin: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(page)?;
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim) {
        match (&mut open, line) {
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => *block += &format!("{line}\n"),
            (None, line) if line == begin => open = Some(String::new()),
            (None, _) => {}
        }
    }
    ensure!(open.is_none(), "{}: a block does not end", page.display());
    Ok(blocks)
}

/// Every query of the runbooks, with its page.
pub(super) fn queries() -> Result<Vec<(String, String)>> {
    let mut queries = Vec::new();
    for page in pages()? {
        let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
        queries.extend(blocks(&page, QUERY)?.into_iter().map(|query| (name.clone(), query)));
    }
    Ok(queries)
}

#[test]
fn what_is_executed_in_a_container_has_the_path_that_it_has_in_the_image() -> Result<()> {
    let mut commands = 0;
    for page in pages()? {
        let text = fs::read_to_string(&page)?.replace("\\\n", " ");
        for line in text.lines().filter(|line| line.contains("kubectl exec")) {
            let Some((_, command)) = line.split_once(" -- ") else { continue };
            commands += 1;
            // The image has no shell, and no PATH that leads to the program.
            ensure!(command.trim_start().starts_with("/onceway "), "{}: {line}", page.display());
        }
    }
    ensure!(commands >= 3, "only {commands} commands");
    Ok(())
}

#[tokio::test]
async fn the_commands_of_the_runbooks_run_as_they_are_written() -> Result<()> {
    let scratch = Scratch::new("runbooks")?;
    let cluster = Cluster::start_empty().await?;
    let helm = Helm::new(&cluster, scratch.path())?;
    let path = path_with([Tool::Helm, Tool::Kubectl]).await?;
    let environment: BTreeMap<&str, OsString> = helm
        .environment()
        .into_iter()
        .map(|(name, value)| (name, value.into_os_string()))
        .chain([("PATH", path)])
        .collect();
    run(&environment, "setting up", "kubectl create namespace shop").await?;
    let values: Value =
        serde_saphyr::from_str(&fs::read_to_string(repository().join("deploy/chart/ci/rendered-values.yaml"))?)?;
    helm.run(&["install", "onceway-crds", "deploy/chart-crds"]).await?;
    helm.apply(NAMESPACE, NAMESPACE, &installation(values)).await?;
    let rig = Rig::replicas(1).in_cluster(cluster).in_namespace(NAMESPACE).start().await?;
    some_history(&rig).await?;

    only_what_blocks_nothing_is_removed(&rig, &environment).await?;
    let mut scripts = BTreeSet::new();
    for page in pages()? {
        let commands = blocks(&page, RUN)?.concat();
        if !commands.is_empty() {
            scripts.insert((page.strip_prefix(repository())?.display().to_string(), commands));
        }
    }
    ensure!(scripts.len() >= 20, "only {} pages have commands to run", scripts.len());
    let count = scripts.len();
    stream::iter(scripts)
        .map(|(page, commands)| {
            let environment = &environment;
            async move { run(environment, &page, &commands).await.map(drop) }
        })
        .buffer_unordered(CONCURRENT)
        .try_collect::<Vec<()>>()
        .await?;
    println!("the commands of {count} pages");
    Ok(())
}

/// What the page about a full etcd lists for removal, if a week ago were in an hour: all RRs of this test are new.
async fn only_what_blocks_nothing_is_removed(rig: &Rig, environment: &BTreeMap<&str, OsString>) -> Result<()> {
    let page = repository().join(OPERATIONS).join("etcd-full.md");
    let listing = blocks(&page, RUN)?.into_iter().find(|block| block.contains("awk")).context("no listing")?;
    let as_written = run(environment, "etcd-full.md", &listing).await?;
    ensure!(as_written.trim().is_empty(), "nothing is a week old: {as_written}");
    let incidents = Incident::several("blocked", 4);
    let mut names = Vec::new();
    for (incident, more) in incidents.iter().zip([
        json!({}),
        json!({ "completionStatus": { "outcome": "ManualReviewRequired" } }),
        json!({ "routingStatus": { "nextAllowedExecution": "2999-01-01T00:00:00Z" } }),
        json!({ "routingStatus": { "nextAllowedExecution": "2020-01-01T00:00:00Z" } }),
    ]) {
        ensure!(rig.alert(0, incident, 0).await?.status == 201, "an incident was not created");
        let rr = rig.rrs_of(incident).await?.swap_remove(0);
        let mut status = more;
        status["overallPhase"] = "Completed".into();
        rig.patch_status(rr.name(), status).await?;
        names.push(rr.name().to_owned());
    }
    let listed = run(environment, "etcd-full.md", &listing.replace("7 days ago", "1 hour")).await?;
    let listed: BTreeSet<&str> = listed.lines().collect();
    let is_listed: Vec<bool> = names.iter().map(|name| listed.contains(name.as_str())).collect();
    assert_eq!(is_listed, [true, false, false, true], "{listed:?}");
    Ok(())
}

/// The chart with Envoy and a sender, as the pages assume it.
fn installation(mut values: Value) -> Value {
    values["gateway"] = json!({ "kind": "envoy" });
    let account = json!({ "name": "alertmanager", "namespace": "monitoring" });
    values["auth"] = json!({ "senders": [{ "serviceAccount": account, "namespaces": ["shop"] }] });
    values
}

/// Incidents that are active, over, and there twice.
async fn some_history(rig: &Rig) -> Result<()> {
    let incidents = Incident::several("shop", 3);
    for incident in &incidents {
        ensure!(rig.alert(0, incident, 0).await?.status == 201, "an incident was not created");
    }
    let over = rig.rrs_of(&incidents[0]).await?.swap_remove(0);
    rig.set_phase(over.name(), "Completed").await?;
    rig.create_foreign(&incidents[1], "rr-by-another-client").await?;
    Ok(())
}

/// PATH with the folders of these tools in front.
async fn path_with(tools: [Tool; 2]) -> Result<OsString> {
    let found =
        tokio::task::spawn_blocking(move || tools.map(Tool::get).into_iter().collect::<Result<Vec<_>>>()).await??;
    let folders = found.iter().filter_map(|program| program.parent().map(Path::to_owned));
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths(folders.chain(env::split_paths(&path)))?)
}

/// Runs commands as one script, which ends at the first that fails; returns what they print.
async fn run(environment: &BTreeMap<&str, OsString>, page: &str, commands: &str) -> Result<String> {
    let mut shell = Command::new("bash");
    shell.args(["-o", "errexit", "-o", "nounset", "-o", "pipefail", "-o", "xtrace", "-c", commands]);
    shell.current_dir(repository()).envs(environment).kill_on_drop(true);
    let output =
        tokio::time::timeout(LIMIT, shell.output()).await.with_context(|| format!("{page} does not end"))??;
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("--- {page}\n{said}{printed}");
    ensure!(output.status.success(), "{page}: {}\n{said}{printed}", output.status);
    Ok(printed.into_owned())
}
