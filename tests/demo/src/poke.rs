//! Commands to try while the demo is running.

use std::fmt::Write;
use std::fs;

use anyhow::Result;
use onceway_kit::rig::Rig;
use onceway_signal::Source;

/// The commands, with the addresses of this run.
pub(super) fn lines(rig: &Rig) -> Result<String> {
    let kubectl = kubectl(rig)?;
    let (envoy, path) = (rig.envoy().url(), Source::Prometheus.path());
    let alert =
        r#"{"alerts":[{"status":"firing","labels":{"alertname":"Test","namespace":"prod","deployment":"my-app"}}]}"#;
    let mut text = format!(
        "
The demo runs until Ctrl-C. Send an alert twice: the first creates an RR (201), the second is counted in it (202).

  curl -i {envoy}{path} -H 'Content-Type: application/json' -d '{alert}'

Look at the RRs, the claims (Leases), and Envoy's clusters:

  {kubectl} get rr --watch
  {kubectl} get leases
  curl {}/clusters
",
        rig.envoy().admin_url()
    );
    for sidecar in rig.sidecars() {
        let pid = sidecar.service().process()?.pid();
        let _ = writeln!(text, "  curl http://{}/metrics   # {}, process {pid}", sidecar.metrics(), sidecar.name());
    }
    let _ = write!(
        text,
        "
Freeze a replica (kill -STOP <process>), resume it (kill -CONT <process>), or kill it, and send more alerts.

Run a sidecar against your own cluster, with your own credentials:

  kubectl apply --filename deploy/base/crd.yaml
  KUBECONFIG=~/.kube/config POD_NAME=onceway-0 POD_NAMESPACE=default target/release/onceway

Logs and configurations: {}",
        rig.dir().display()
    );
    Ok(text)
}

/// `kubectl` with the options that select the demo's namespace.
fn kubectl(rig: &Rig) -> Result<String> {
    let namespace = rig.namespace().name();
    if rig.cluster().is_of_user() {
        return Ok(format!("kubectl --namespace {namespace}"));
    }
    let kubeconfig = rig.dir().join("admin.kubeconfig");
    fs::write(&kubeconfig, rig.cluster().admin_kubeconfig(namespace))?;
    Ok(format!("kubectl --kubeconfig {}", kubeconfig.display()))
}
