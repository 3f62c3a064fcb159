//! What to type while it stays up.

use std::fmt::Write;
use std::fs;

use anyhow::Result;
use onceway_kit::rig::Rig;
use onceway_signal::Source;

/// The lines to type, with the addresses of this very run.
pub(super) fn lines(rig: &Rig) -> Result<String> {
    let kubeconfig = rig.dir().join("admin.kubeconfig");
    fs::write(&kubeconfig, rig.cluster().admin_kubeconfig(rig.namespace().name()))?;
    let kubectl = format!("kubectl --kubeconfig {}", kubeconfig.display());
    let (envoy, path) = (rig.envoy().url(), Source::Prometheus.path());
    let alert =
        r#"{"alerts":[{"status":"firing","labels":{"alertname":"Test","namespace":"prod","deployment":"my-app"}}]}"#;
    let mut text = format!(
        "
It stays up until Ctrl-C. Send an alert, twice: the first creates (201), the second is counted (202).

  curl -i {envoy}{path} -H 'Content-Type: application/json' -d '{alert}'

Look at what is there.

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
Freeze a replica (kill -STOP <process>), thaw it (kill -CONT <process>), or kill it, and send more.

A sidecar in front of a cluster of yours, as you:

  kubectl apply --filename deploy/base/crd.yaml
  KUBECONFIG=~/.kube/config POD_NAME=onceway-0 POD_NAMESPACE=default target/release/onceway

Logs and configurations are in {}",
        rig.dir().display()
    );
    Ok(text)
}
