//! What a kubelet makes of a container: a command with its environment and volumes. There is no kubelet here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, KeyToPath, Secret, Volume};
use kube::{Api, Client};

use crate::mounts::Mounts;

/// A container that can be started.
#[derive(Clone, Debug)]
pub struct Prepared {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    mounts: Mounts,
    root: PathBuf,
}

impl Prepared {
    /// The container of this name of a Deployment's first pod. Writes its volumes to `dir`.
    ///
    /// # Errors
    /// If there is no such container, it needs something that is not in the cluster, or `dir` cannot be written.
    pub async fn new(client: &Client, deployment: &Deployment, container: &str, dir: &Path) -> Result<Self> {
        let namespace = deployment.metadata.namespace.clone().unwrap_or_default();
        let pod = deployment.metadata.name.clone().unwrap_or_default() + "-0";
        let spec =
            deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref()).context("an empty Deployment")?;
        let found = spec.containers.iter().find(|candidate| candidate.name == container);
        let found = found.with_context(|| format!("{pod} has no container {container}"))?;
        let environment = environment(found, &namespace, &pod)?;
        let expand = |argument: &String| expand(argument, &environment);
        let arguments = found.args.iter().flatten().map(expand).collect();
        let mut mounts = Mounts::default();
        for mount in found.volume_mounts.iter().flatten() {
            let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
            let volume = volume.with_context(|| format!("{pod} has no volume {}", mount.name))?;
            let files = dir.join(format!("{pod}-{}", mount.name));
            write_volume(client, &namespace, volume, &files).await?;
            mounts = mounts.bind(&files, Path::new(&mount.mount_path))?;
        }
        let root = dir.join(format!("{pod}-{container}-root"));
        Ok(Self { arguments, environment, mounts, root })
    }

    /// With this file or directory at `to`, too.
    ///
    /// # Errors
    /// Those of [`Mounts::bind`].
    pub fn bind(self, from: &Path, to: &Path) -> Result<Self> {
        Ok(Self { mounts: self.mounts.bind(from, to)?, ..self })
    }

    /// The command that runs it, with this program for the one of its image.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.mounts.command(&self.root, program);
        command.args(&self.arguments).envs(&self.environment);
        command
    }
}

fn environment(container: &Container, namespace: &str, pod: &str) -> Result<BTreeMap<String, String>> {
    let value = |variable: &EnvVar| {
        let Some(from) = &variable.value_from else { return Ok(variable.value.clone().unwrap_or_default()) };
        let field = from.field_ref.as_ref().map(|field| field.field_path.as_str());
        match field {
            Some("metadata.name") => Ok(pod.to_owned()),
            Some("metadata.namespace") => Ok(namespace.to_owned()),
            // Such as the zone, which nobody has written there.
            Some(path) if path.starts_with("metadata.annotations[") => Ok(String::new()),
            _ => bail!("the variable {} has a source that is not supported here", variable.name),
        }
    };
    container.env.iter().flatten().map(|variable| Ok((variable.name.clone(), value(variable)?))).collect()
}

/// Replaces each `$(NAME)` of a variable that exists.
fn expand(argument: &str, environment: &BTreeMap<String, String>) -> String {
    let replace = |text: String, (name, value): (&String, &String)| text.replace(&format!("$({name})"), value);
    environment.iter().fold(argument.to_owned(), replace)
}

async fn write_volume(client: &Client, namespace: &str, volume: &Volume, dir: &Path) -> Result<()> {
    let (data, items) = if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        let secret = Api::<Secret>::namespaced(client.clone(), namespace).get(name).await;
        let data = secret.with_context(|| format!("no Secret {name}"))?.data.unwrap_or_default();
        (data.into_iter().map(|(key, value)| (key, value.0)).collect(), source.items.as_ref())
    } else if let Some(source) = &volume.config_map {
        let map = Api::<ConfigMap>::namespaced(client.clone(), namespace).get(&source.name).await;
        let data = map.with_context(|| format!("no ConfigMap {}", source.name))?.data.unwrap_or_default();
        (data.into_iter().map(|(key, value)| (key, value.into_bytes())).collect(), source.items.as_ref())
    } else if volume.empty_dir.is_some() {
        (BTreeMap::new(), None)
    } else {
        bail!("the volume {} has a source that is not supported here", volume.name)
    };
    write_files(&data, items, dir).with_context(|| format!("cannot write the volume {}", volume.name))
}

/// Writes all of `data`, or the items that are chosen of it. Files are replaced whole: their readers may watch them.
///
/// # Errors
/// If `dir` cannot be written, or an item is missing.
pub fn write_files(data: &BTreeMap<String, Vec<u8>>, items: Option<&Vec<KeyToPath>>, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let write = |path: &str, value: &[u8]| {
        let (part, whole) = (dir.join(format!(".{path}.part")), dir.join(path));
        fs::write(&part, value)?;
        anyhow::Ok(fs::rename(part, whole)?)
    };
    match items {
        Some(items) => items.iter().try_for_each(|item| {
            write(&item.path, data.get(&item.key).with_context(|| format!("{} is missing", item.key))?)
        }),
        None => data.iter().try_for_each(|(key, value)| write(key, value)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::expand;

    #[test]
    fn variables_that_exist_are_expanded_and_others_stay() {
        let environment = BTreeMap::from([("POD".to_owned(), "envoy-0".to_owned())]);
        assert_eq!(expand("--id=$(POD) $(ZONE)", &environment), "--id=envoy-0 $(ZONE)");
    }
}
