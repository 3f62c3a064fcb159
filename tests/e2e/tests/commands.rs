//! The commands for operators, `onceway doctor` and `onceway send-test`: the shipped program against real clusters, healthy and
//! broken.

mod broken;
mod doctor;
mod send_test;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::built;
use onceway_kit::cluster::{Token, kubeconfig};
use onceway_kit::poll;
use onceway_kit::rig::Rig;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a command may take on a loaded machine; each of its checks has a limit of its own.
const LIMIT: Duration = Duration::from_secs(180);
/// The time limit that a command is given, in seconds: longer than a loaded machine needs.
const PATIENCE: &str = "60";
/// How long the API server may take to apply a changed Role, or to publish the schema of a changed CRD.
const SOON: Duration = Duration::from_secs(60);

/// The shipped program with one cluster and one configuration.
struct Program {
    program: PathBuf,
    kubeconfig: PathBuf,
    config: Option<PathBuf>,
    environment: Vec<(&'static str, OsString)>,
}

/// What a run of it said.
struct Ran {
    code: i32,
    out: String,
    error: String,
}

impl Program {
    /// With this kubeconfig.
    async fn new(kubeconfig: PathBuf) -> Result<Self> {
        let program = tokio::task::spawn_blocking(built::sidecar).await??;
        Ok(Self { program, kubeconfig, config: None, environment: Vec::new() })
    }

    /// With the configuration of replica 0, and the account of this token at the API server at `url`.
    async fn of(rig: &Rig, url: &str, token: &str) -> Result<Self> {
        let kubeconfig_path = rig.dir().join("command.kubeconfig");
        let certificate = rig.cluster().certificate_pem();
        fs::write(&kubeconfig_path, kubeconfig(url, certificate, Token::Inline(token), rig.namespace().name()))?;
        Ok(Self { config: Some(rig.dir().join("onceway-0.yaml")), ..Self::new(kubeconfig_path).await? })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).envs(self.environment.iter().cloned());
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs it to its end.
    async fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let output = timeout(LIMIT, self.command(arguments).output()).await.context("the command does not end")??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (out, error) = (text(output.stdout), text(output.stderr));
        println!("$ onceway {}\n{out}{error}", arguments.join(" "));
        Ok(Ran { code: output.status.code().context("killed")?, out, error })
    }

    /// Runs the doctor.
    async fn doctor(&self, arguments: &[&str]) -> Result<Report> {
        let ran = self.run(&[&["doctor", "--json", "--timeout", PATIENCE], arguments].concat()).await?;
        ensure!(ran.error.is_empty(), "{}", ran.error);
        Ok(Report { code: ran.code, json: serde_json::from_str(&ran.out)? })
    }
}

impl Program {
    /// Runs the doctor until this check has this status.
    async fn until(&self, check: &str, status: &str) -> Result<Report> {
        poll::until(SOON, &format!("{check}: {status}"), async || {
            let report = self.doctor(&[]).await?;
            Ok((report.status(check) == status).then_some(report))
        })
        .await
    }
}

/// A report of the doctor.
struct Report {
    code: i32,
    json: Value,
}

impl Report {
    fn check(&self, name: &str) -> &Value {
        let checks = self.json["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
        checks.iter().find(|check| check["check"] == name).unwrap_or(&Value::Null)
    }

    /// The status of this check.
    fn status(&self, name: &str) -> &str {
        self.check(name)["status"].as_str().unwrap_or_default()
    }

    /// What this check says, with its items.
    fn text(&self, name: &str) -> String {
        let check = self.check(name);
        format!("{} {}", check["summary"].as_str().unwrap_or_default(), check["items"])
    }

    /// The names of the checks with this status.
    fn with(&self, status: &str) -> Vec<&str> {
        let checks = self.json["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
        checks.iter().filter(|check| check["status"] == status).filter_map(|check| check["check"].as_str()).collect()
    }
}

/// A file of the rig's, for an argument.
fn file(rig: &Rig, name: &str, content: &str) -> Result<String> {
    let path = rig.dir().join(name);
    fs::write(&path, content)?;
    argument(&path)
}

fn argument(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).context("a path that is no UTF-8")
}
