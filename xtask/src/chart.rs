//! What is made of and for the Helm chart: its values and their reference from its schema, its copies of files, and manifests for
//! `kubectl apply`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use onceway_tools::Tool;

use self::schema::Schema;
use crate::cargo::root;
use crate::dashboard;

mod reference;
mod schema;
mod values;

/// The manifests, by file name and kind of gateway.
const RENDERED: [(&str, &str); 4] = [
    ("onceway.yaml", "none"),
    ("envoy.yaml", "envoy"),
    ("envoy-gateway.yaml", "envoyGateway"),
    ("istio.yaml", "istio"),
];

/// Helm renders only what is in the chart: these are copies.
const COPIES: [(&str, &str); 3] = [
    ("envoy/onceway.yaml", "deploy/chart/files/envoy.yaml"),
    ("envoy/onceway-auth.yaml", "deploy/chart/files/envoy-auth.yaml"),
    ("deploy/rules/onceway.yaml", "deploy/chart/files/rules.yaml"),
];

/// The values of the manifests in the repository.
const PLACEHOLDERS: &str = "deploy/chart/ci/rendered-values.yaml";

/// Options of `cargo xtask render`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A values file of yours, such as target/images/values.yaml; more than one is possible
    #[arg(long, short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Where the manifests go. By default deploy/rendered; with --values target/rendered
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The namespace that they are for
    #[arg(long, default_value = "onceway")]
    namespace: String,
}

/// Writes everything that is made of the chart.
///
/// # Errors
/// If the schema cannot be read, or helm is missing or rejects the chart or the values.
pub(crate) fn render(options: &Options) -> Result<()> {
    for (file, text) in generated()? {
        fs::write(root().join(file), text).with_context(|| format!("cannot write {file}"))?;
    }
    let own = !options.values.is_empty();
    let default = root().join(if own { "target/rendered" } else { "deploy/rendered" });
    let output = options.output.clone().unwrap_or(default);
    fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
    let files: Vec<String> = options.values.iter().map(|file| file.display().to_string()).collect();
    let files = if own { files } else { vec![PLACEHOLDERS.to_owned()] };
    for (file, kind) in RENDERED {
        let path = output.join(file);
        fs::write(&path, manifests(kind, &options.namespace, &files)?)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The files that are made of others in the repository, without helm: path below the root, and content.
fn generated() -> Result<Vec<(&'static str, String)>> {
    let schema = Schema::read(&root().join("deploy/chart/values.schema.json"))?;
    let mut files =
        vec![("deploy/chart/values.yaml", values::yaml(&schema)), ("docs/values.md", reference::markdown(&schema))];
    for (source, copy) in COPIES {
        let text = fs::read_to_string(root().join(source)).with_context(|| format!("cannot read {source}"))?;
        files.push((copy, text));
    }
    // The dashboard has no other source than the code; the chart needs a copy of it, too.
    files.extend(
        ["deploy/dashboards/onceway.json", "deploy/chart/files/dashboard.json"].map(|file| (file, dashboard::json())),
    );
    Ok(files)
}

/// What helm renders for one kind of gateway, headed by the command that does so.
fn manifests(kind: &str, namespace: &str, values: &[String]) -> Result<String> {
    let mut arguments = vec!["template", "onceway", "deploy/chart", "--namespace", namespace];
    for file in values {
        arguments.extend(["--values", file]);
    }
    let set = format!("gateway.kind={kind}");
    arguments.extend(["--set", &set]);
    let output = Command::new(Tool::Helm.get()?).args(&arguments).current_dir(root()).output();
    let output = output.context("cannot run helm")?;
    ensure!(
        output.status.success(),
        "helm {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let head = format!(
        "# helm {}\n\
         #\n\
         # Made by `cargo xtask render`, do not edit; for `kubectl apply --server-side -f`. The CRD is deploy/chart-crds/templates/crd.yaml\n\
         # (not where kubernaut has installed its own), and the namespace has to exist.\n",
        arguments.join(" ")
    );
    Ok(head + &String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::generated;
    use crate::cargo::root;

    #[test]
    fn the_charts_values_and_copies_and_their_reference_are_those_of_their_sources() {
        for (file, text) in generated().unwrap() {
            let stored = fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(stored == text, "{file} is stale; run: cargo xtask render");
        }
    }
}
