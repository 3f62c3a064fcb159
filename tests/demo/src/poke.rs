//! Commands to try while the demo is running.

use std::fmt::Write;
use std::fs;

use anyhow::Result;
use onceway_kit::rig::Rig;
use onceway_signal::Source;

/// The commands, with the addresses of this run and the token of its sender, the user `sender`.
pub(super) fn lines(rig: &Rig, sender: &str, token: &str) -> Result<String> {
    let namespace = rig.namespace().name();
    let kubectl = kubectl(rig)?;
    let (envoy, path) = (rig.envoy().url(), Source::Prometheus.path());
    let labels = format!(r#"{{"alertname":"Test","namespace":"{namespace}","deployment":"my-app"}}"#);
    let alert = format!(r#"{{"alerts":[{{"status":"firing","labels":{labels}}}]}}"#);
    let mut text = format!(
        "
The demo runs until Ctrl-C. Its sender is {sender}. A RoleBinding to the ClusterRole
onceway-sender.{namespace} lets it signal about the namespace {namespace}, and about nothing else. Send an alert with its token
twice: the first creates an RR (201), the second is counted in it (202). Without the token it is a 401, and with another
namespace in the alert a 403.

  TOKEN={token}

  curl -i {envoy}{path} -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{alert}'

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

  kubectl apply --filename deploy/chart-crds/templates/crd.yaml
  kubectl apply --filename deploy/rendered/onceway.yaml --selector app.kubernetes.io/component=sender
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
